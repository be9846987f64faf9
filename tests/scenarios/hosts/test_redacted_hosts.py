"""A snapshot to give away is judged like the host itself."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dnet_tui.diagnostics.checks.run_checks import run_checks
from dnet_tui.diagnostics.operations.rule import InsertRule
from dnet_tui.diagnostics.operations.simulate import after
from dnet_tui.inspect.archive.redact import redact
from dnet_tui.inspect.model import Snapshot
from dnet_tui.inspect.model.firewall import Firewall
from unit.builders.factories import HOST, WEB, docker_like_snapshot, with_link, with_namespace, with_sysctl

KEY = b"nobody knows"


def forwarding_off(host: Snapshot) -> Snapshot:
    for key in host.namespaces[0].sysctls:
        if key.endswith((".forwarding", "ip_forward")):
            host = with_sysctl(host, key, "0")
    return host


def dropped_by_user(host: Snapshot) -> Snapshot:
    spec = "-s 10.10.0.0/24 -j DROP"
    return after(
        host,
        [InsertRule(backend="iptables-nft", family="ip", table="filter", chain="DOCKER-USER", spec=spec, position=1)],
    )


FAULTS: dict[str, Callable[[Snapshot], Snapshot]] = {
    "healthy": lambda host: host,
    "forwarding": forwarding_off,
    "flushed": lambda host: with_namespace(host, HOST, firewall=Firewall()),
    "port down": lambda host: with_link(host, HOST, "veth77c3d4e", up=False, carrier=False),
    "no route": lambda host: with_namespace(host, WEB, routes=()),
    "user's drop": dropped_by_user,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_doctor_says_the_same_of_the_redacted_host(fault: str) -> None:
    host = FAULTS[fault](docker_like_snapshot())
    original, redacted = run_checks(host), run_checks(redact(host, KEY))

    assert [(item.check, item.severity, item.caused_by) for item in redacted.findings] == [
        (item.check, item.severity, item.caused_by) for item in original.findings
    ]
    assert [(item.id, item.outcome) for item in redacted.checks] == [
        (item.id, item.outcome) for item in original.checks
    ]
    assert bool(original.findings) == (fault != "healthy")
