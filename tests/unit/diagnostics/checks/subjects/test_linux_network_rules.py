"""Plain-Linux networks, which no engine puts right: their rules flushed, or FORWARD's rules lost."""

from __future__ import annotations

import msgspec

from dnet_tui.diagnostics.checks.run_checks import run_checks
from dnet_tui.diagnostics.operations.simulate import after
from dnet_tui.inspect.model import Snapshot
from dnet_tui.inspect.model.firewall import Chain, Firewall, Table
from unit.builders.factories import HOST, docker_like_snapshot, with_namespace
from unit.diagnostics.checks.cases.rules import delete


def plain(snapshot: Snapshot) -> Snapshot:
    """The same host, its networks made by nobody's engine."""
    networks = tuple(msgspec.structs.replace(network, engine="linux") for network in snapshot.networks)
    return msgspec.structs.replace(snapshot, networks=networks, engines=())


def emptied() -> Snapshot:
    """Base chains that accept, and not one rule: as after ``iptables -F`` and ``iptables -t nat -F``."""
    filters = Chain(name="FORWARD", hook="forward", type="filter", policy="accept")
    post = Chain(name="POSTROUTING", hook="postrouting", type="nat", priority=100, policy="accept")
    tables = (
        Table(family="ip", name="filter", backend="iptables-nft", chains=(filters,)),
        Table(family="ip", name="nat", backend="iptables-nft", chains=(post,)),
    )
    return plain(with_namespace(docker_like_snapshot(), HOST, firewall=Firewall(tables=tables)))


def roots(snapshot: Snapshot) -> list[str]:
    return [item.check for item in run_checks(snapshot).findings if item.caused_by is None]


def test_a_healthy_host_of_plain_networks_has_no_finding() -> None:
    assert roots(plain(docker_like_snapshot())) == []


def test_flushed_rules_are_one_finding_with_what_they_cause_beneath() -> None:
    for bare in (emptied(), plain(with_namespace(docker_like_snapshot(), HOST, firewall=Firewall()))):
        assert roots(bare) == ["rules-flushed"]


def test_the_rules_made_anew_cure_it() -> None:
    remedy = run_checks(emptied()).findings[0].remedy
    assert remedy is not None
    assert remedy.risk == "manual"
    assert roots(after(emptied(), remedy.steps)) == []


def test_one_rule_left_of_theirs_is_not_flushed_but_what_is_missing() -> None:
    left = delete("-s 172.17.0.0/16 ! -o docker0 -j MASQUERADE", "POSTROUTING", "nat")
    assert roots(plain(left)) == ["masq-missing"]


def test_networks_that_ask_for_nothing_are_not_missed_any_rule() -> None:
    bare = emptied()
    networks = tuple(msgspec.structs.replace(net, masquerade=None, isolated=None) for net in bare.networks)
    assert roots(msgspec.structs.replace(bare, networks=networks)) == []


def test_forwards_own_rules_are_put_back_for_a_plain_network() -> None:
    broken = plain(delete("-i docker0 ! -o docker0 -j ACCEPT", "FORWARD"))
    finding = run_checks(broken).findings[0]
    assert finding.check == "fwd-jump-missing"
    assert finding.remedy is not None
    assert roots(after(broken, finding.remedy.steps)) == []
