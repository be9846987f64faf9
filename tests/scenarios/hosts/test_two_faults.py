"""Several faults in one packet's way: each is named, though the kernel meets only the first."""

from __future__ import annotations

import msgspec
import pytest

from dnet_tui.diagnostics.checks.run_checks import run_checks
from dnet_tui.diagnostics.operations.rule import DeleteRule, InsertRule
from dnet_tui.diagnostics.operations.simulate import after
from dnet_tui.inspect.model import Snapshot
from dnet_tui.inspect.model.firewall import Firewall
from unit.builders.factories import HOST, with_namespace
from unit.diagnostics.checks.cases.rules import FAULTS, delete, legacy

REJECT = "-j REJECT --reject-with icmp-port-unreachable"


def inserted(snapshot: Snapshot, spec: str, chain: str = "FORWARD", position: int | None = 1) -> Snapshot:
    rule = InsertRule(backend="iptables-nft", family="ip", table="filter", chain=chain, spec=spec, position=position)
    return after(snapshot, [rule])


def with_legacy_drop(snapshot: Snapshot) -> Snapshot:
    host = next(ns for ns in snapshot.namespaces if ns.id == HOST)
    assert host.firewall is not None
    tables = (*host.firewall.tables, legacy(policy="drop"))
    return with_namespace(snapshot, HOST, firewall=Firewall(tables=tables))


def roots(snapshot: Snapshot) -> set[str]:
    return {item.check for item in run_checks(snapshot).findings if item.caused_by is None and item.severity != "info"}


@pytest.mark.parametrize(
    ("broken", "wanted"),
    [
        (inserted(FAULTS["user-chain-drop"](), REJECT), {"user-chain-drop", "drop-before-docker"}),
        (inserted(FAULTS["fwd-jump-missing"](), REJECT), {"fwd-jump-missing", "drop-before-docker"}),
        (with_legacy_drop(FAULTS["drop-before-docker"]()), {"two-backends", "drop-before-docker"}),
        (inserted(FAULTS["foreign-base-drop"](), REJECT), {"foreign-base-drop", "drop-before-docker"}),
        (with_legacy_drop(FAULTS["foreign-base-drop"]()), {"foreign-base-drop", "two-backends"}),
    ],
    ids=lambda value: " + ".join(sorted(value)) if isinstance(value, set) else "",
)
def test_what_stops_the_same_packets_at_one_hook_is_named_beside_the_first(broken: Snapshot, wanted: set[str]) -> None:
    assert roots(broken) == wanted


def test_what_would_accept_after_the_first_stop_is_no_second_one() -> None:
    assert roots(FAULTS["drop-before-docker"]()) == {"drop-before-docker"}


def test_a_rule_that_stops_published_ports_wherever_it_stands_is_to_be_deleted() -> None:
    # As with Podman: nothing accepts new connections to published ports but FORWARD's policy.
    accepts = "-d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT"
    base = _accepting(delete(accepts, "DOCKER"))
    assert roots(base) == set()
    remedy = run_checks(inserted(base, REJECT)).findings[0].remedy
    assert remedy is not None
    assert [type(step) for step in remedy.steps] == [DeleteRule]
    assert roots(after(inserted(base, REJECT), remedy.steps)) == set()


def _accepting(snapshot: Snapshot) -> Snapshot:
    host = next(ns for ns in snapshot.namespaces if ns.id == HOST)
    assert host.firewall is not None
    tables = tuple(
        msgspec.structs.replace(
            table, chains=tuple(msgspec.structs.replace(c, policy="accept") if c.hook else c for c in table.chains)
        )
        for table in host.firewall.tables
    )
    return with_namespace(snapshot, HOST, firewall=Firewall(tables=tables))


@pytest.mark.parametrize(("asking", "found"), [((True, True), True), ((True, False), False), ((False, False), False)])
def test_podmans_isolation_is_missed_only_where_both_networks_ask_for_it(
    asking: tuple[bool, bool], found: bool
) -> None:
    leaking = delete("-j DOCKER-ISOLATION-STAGE-1", "FORWARD")
    networks = tuple(
        msgspec.structs.replace(net, engine="podman", isolated=None, options={"isolate": "true"} if asks else {})
        for net, asks in zip(leaking.networks, asking, strict=False)
    )
    leaking = msgspec.structs.replace(leaking, networks=networks, engines=())
    assert ("isolation-missing" in {item.check for item in run_checks(leaking).findings}) is found
