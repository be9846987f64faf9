"""An engine's log is searched for known failures, whatever else is in it."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from dnet_tui.inspect.engines.parse_log import parse_journal, parse_lines

FULL = "all predefined address pools have been fully subnetted"


def _entry(message: object, **more: object) -> bytes:
    fields = {"MESSAGE": message, "_SYSTEMD_UNIT": "docker.service", "__REALTIME_TIMESTAMP": "1795222800000000"}
    return json.dumps(fields | more).encode()


def test_a_failure_in_the_journal_keeps_its_telling_part_time_and_unit() -> None:
    raw = b"\n".join([_entry("level=info msg=started"), _entry(f'level=error msg="Handler returned error: {FULL}"')])
    (line,) = parse_journal(raw)
    assert (line.kind, line.text, line.unit) == ("pool-exhausted", FULL, "docker.service")
    assert line.time == "2026-11-21T01:00:00+00:00"


def test_a_message_of_bytes_is_read() -> None:
    (line,) = parse_journal(_entry([*FULL.encode(), 0xFF]))
    assert line.text == FULL


def test_what_is_no_entry_is_passed_over() -> None:
    raw = b"\n".join([b"-- Boot --", b"[]", b"{", _entry(None), _entry(7), _entry([{}, -1]), _entry(FULL)])
    assert [line.text for line in parse_journal(raw)] == [FULL]


def test_a_time_that_is_none_is_left_out() -> None:
    (line,) = parse_journal(_entry(FULL, __REALTIME_TIMESTAMP="x" * 9))
    assert not line.time


def test_the_same_words_are_kept_once_with_their_latest_time() -> None:
    raw = b"\n".join(
        [
            _entry(FULL),
            _entry("Extension MASQUERADE revision 0 not supported, missing kernel module?"),
            _entry(FULL, __REALTIME_TIMESTAMP="1795226400000000"),
        ]
    )
    lines = parse_journal(raw)
    assert [line.kind for line in lines] == ["no-xt-masq", "pool-exhausted"]
    assert lines[1].time == "2026-11-21T02:00:00+00:00"


def test_only_so_many_different_ones_are_kept() -> None:
    raw = b"\n".join(_entry(f"Bind for 0.0.0.0:{port} failed: port is already allocated") for port in range(1, 99))
    lines = parse_journal(raw)
    assert len(lines) == 40
    assert "0.0.0.0:98" in lines[-1].text


SINCE = datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_a_daemons_own_lines_are_read() -> None:
    raw = (
        b'time="2026-11-21T03:30:23.923592676Z" level=warning msg="nothing"\n'
        b'time="2026-11-21T04:45:50.940655568+01:00" level=error msg="Handler for POST /v1.41 returned error: '
        b'bridge IPv4 (10.99.0.6) does not match requested configuration 10.99.0.1"\n'
        b"\xff\xfe\x00 not text"
    )
    (line,) = parse_lines(raw, SINCE)
    assert (line.kind, line.time) == ("bridge-ip-mismatch", "2026-11-21T03:45:50+00:00")


def test_what_was_said_earlier_than_wanted_is_left_out() -> None:
    def lines(time: str) -> int:
        return len(parse_lines(f'{time} level=error msg="{FULL}"'.encode(), SINCE))

    assert lines('time="2026-11-20T12:00:00Z"') == 1
    assert lines('time="2026-11-20T11:59:59Z"') == 0
    assert lines('time="2026-11-20T12:30:00+02:00"') == 0
    assert lines("time=2026-11-20T12:30:00") == 1
    assert lines('time="2026-99-20T12:30:00Z"') == 1
    assert lines("") == 1
