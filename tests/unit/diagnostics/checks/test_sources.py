"""Packets that leave with somebody else's address are undecided, and what a host denies itself is only told."""

from __future__ import annotations

from dnet_tui.diagnostics.checks.run_checks import run_checks
from dnet_tui.diagnostics.operations.rule import InsertRule
from dnet_tui.diagnostics.operations.simulate import after
from dnet_tui.inspect.model import Address, NextHop, Route, Snapshot
from unit.builders.factories import ANY, HOST, WEB, docker_like_snapshot
from unit.builders.factories_links import adding, filter_rule, namespace, without

FOREIGN = "192.0.2.99"


def translated(source: str) -> Snapshot:
    """The host with a rule that gives web's packets a source."""
    rule = InsertRule(
        backend="iptables-nft",
        family="ip",
        table="nat",
        chain="POSTROUTING",
        spec=f"-s 172.17.0.2/32 -j SNAT --to-source {source}",
        position=1,
    )
    return after(docker_like_snapshot(), [rule])


def sourced(address: str) -> Snapshot:
    """The host where web's default route names its source."""
    base = docker_like_snapshot()
    link = next(item for item in namespace(base, WEB).links if item.name == "eth0").ifindex
    base = adding(base, WEB, "addresses", Address(ifindex=link, family="ip", address=address, prefixlen=32))
    base = without(base, WEB, "routes", lambda item: item.dst == f"{ANY}/0")
    hop = NextHop(ifindex=link, gateway="172.17.0.1")
    route = Route(family="ip", table=254, type="unicast", dst=f"{ANY}/0", hops=(hop,), source=address)
    return adding(base, WEB, "routes", route)


def outcome(snapshot: Snapshot, check: str = "masq-missing") -> tuple[str, str]:
    found = next(item for item in run_checks(snapshot).checks if item.id == check)
    return found.outcome, found.reason


def test_a_new_source_that_nobody_here_has_is_undecided() -> None:
    result, reason = outcome(translated(FOREIGN))
    assert result == "unknown"
    assert FOREIGN in reason
    assert "web → outside" in reason


def test_a_new_source_that_the_host_has_is_fine() -> None:
    assert outcome(translated("203.0.113.2"))[0] == "ok"
    assert outcome(adding(translated(FOREIGN), HOST, "addresses", _another()))[0] == "ok"


def _another() -> Address:
    return Address(ifindex=2, family="ip", address=FOREIGN, prefixlen=32)


def test_a_source_by_the_route_that_the_network_does_not_know_is_undecided() -> None:
    assert outcome(sourced("10.99.99.9")) == (
        "unknown",
        "web → outside: leaves with the source 10.99.99.9, which neither the host nor bridge has",
    )


def test_a_second_address_of_the_network_is_masqueraded_like_the_first() -> None:
    assert outcome(sourced("172.17.0.77"))[0] == "ok"


def test_what_the_host_keeps_its_own_programs_from_is_one_warning_that_names_the_rule() -> None:
    report = run_checks(after(docker_like_snapshot(), [filter_rule("OUTPUT", "-o docker0 -j DROP")]))
    (told,) = report.findings
    assert (told.check, told.severity) == ("output-drop", "warning")
    assert told.symptoms == ("host-to-container", "container-to-host")


def test_what_stops_others_too_is_not_told_a_second_time() -> None:
    report = run_checks(after(docker_like_snapshot(), [filter_rule("FORWARD", "-i docker0 -j DROP")]))
    assert [item.severity for item in report.findings if "host-to-container" in item.symptoms] == []
