"""What engines said of failed starts is given away without what it says of anybody."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from dnet_tui.diagnostics.checks.run_checks import run_checks
from dnet_tui.inspect.archive.redact import redact
from dnet_tui.inspect.archive.snapshot_file import encode
from dnet_tui.inspect.model import Snapshot
from unit.builders.factories_links import HELD
from unit.builders.factories_startup import MISMATCH, NO_POOL, PORT, RAW, failed, foreign_address, logged, pools

KEY = b"nobody knows"


def _errors(snapshot: Snapshot) -> list[str]:
    return [item.error for item in snapshot.containers if item.error]


def test_of_an_error_only_the_known_part_is_kept() -> None:
    said = f"driver failed programming external connectivity on endpoint of-mrs-smith (4371c165cc27): {PORT}"
    (error,) = _errors(redact(failed(said), KEY))
    assert "smith" not in error
    assert error.startswith("listen tcp4 ")
    assert error.endswith(":9099: bind: address already in use")


@pytest.mark.parametrize("said", ["error mounting /home/smith/secret", "exec: /opt/secret-tool: not found"])
def test_an_unknown_error_is_not_given_away(said: str) -> None:
    changed = redact(failed(said), KEY)
    assert _errors(changed) == ["redacted"]
    assert "secret" not in encode(changed).decode()


def test_a_lines_time_stays_and_its_addresses_go() -> None:
    engine = redact(logged(MISMATCH, foreign_address()), KEY).engines[0]
    assert engine.log is not None
    (line,) = engine.log
    assert (line.kind, line.time) == ("bridge-ip-mismatch", "2026-11-21T09:59:00")
    assert "172.17.0.9" not in line.text


FOUND: dict[str, Callable[[], Snapshot]] = {
    "a port": lambda: failed(PORT, HELD),
    "pools": lambda: logged(NO_POOL, pools("10.200.0.0/22", networks=4)),
    "pools with room": lambda: logged(NO_POOL, pools("10.200.0.0/22", networks=2)),
    "the table raw": lambda: failed(RAW),
}


@pytest.mark.parametrize("fault", FOUND)
def test_the_doctor_finds_the_same(fault: str) -> None:
    snapshot = FOUND[fault]()
    there, here = run_checks(redact(snapshot, KEY)), run_checks(snapshot)
    assert [(item.check, item.severity) for item in there.findings] == [
        (item.check, item.severity) for item in here.findings
    ]
    assert msgspec.json.encode(snapshot) == msgspec.json.encode(FOUND[fault]())
