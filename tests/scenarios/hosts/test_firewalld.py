"""The checks about firewalld, Docker's nftables backend and br_netfilter: each on its fault, silent on near misses.

No firewalld and no Docker 29 wrote these rulesets: they are constructed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import msgspec
import pytest

from dnet_tui.diagnostics.checks.run_checks import run_checks
from dnet_tui.diagnostics.operations.simulate import after
from dnet_tui.inspect.model import Engine, Snapshot, Unread
from dnet_tui.inspect.model.coverage.gaps import Gap
from dnet_tui.inspect.model.firewall import AnyExpr, SetLookup, Table, UnreadTable
from scenarios.hosts.reported import serious_of
from unit.builders.factories import HOST, docker_like_snapshot, with_gaps, with_sysctl
from unit.builders.factories_firewall import chain, docker_filter, docker_nat, match, verdict
from unit.builders.factories_firewalld import (
    DISPATCHERS,
    RUNNING,
    bound,
    engine,
    firewalld_host,
    iptables_forward,
    native,
    not_forwarding,
    tables,
    unswitched,
    zone_rules,
)
from unit.builders.factories_links import NF_CALL, namespace, network
from unit.builders.factories_startup import ended
from unit.diagnostics.checks.cases.case import flat
from unit.diagnostics.checks.cases.firewalld import (
    CONFLICT,
    FAULTS,
    NO_MODULE,
    POLICY,
    REFUSED,
    REFUSED6,
    apart,
    reloaded,
)
from unit.diagnostics.checks.cases.firewalld import NEAR_MISSES as GROUPED

NEAR_MISSES = flat(GROUPED)

MINE = {
    "firewalld-reload",
    "icc-no-brnf",
    "nftmode-fwd-off",
    "nftmode-iptables-drop",
    "strict-fwd-ports",
    "zone-conflict",
    "zone-missing",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_the_first_and_only_thing_reported(fault: str) -> None:
    check, severity, build = FAULTS[fault]
    report = run_checks(build())
    roots = [(item.check, item.severity) for item in serious_of(report) if not item.caused_by]
    assert roots == [(check, severity)]
    first = report.findings[0]
    assert (first.check, bool(first.evidence), bool(first.symptoms)) == (check, True, True)
    assert first.remedy is not None
    assert first.remedy.steps
    assert "crashed" not in {result.outcome for result in report.checks}


SIMULATED = [fault for fault, (check, *_) in FAULTS.items() if check.startswith("nftmode") and "ended" not in fault]


@pytest.mark.parametrize("fault", SIMULATED)
def test_the_remedy_cures_it_and_the_undo_brings_the_same_host_back(fault: str) -> None:
    broken = FAULTS[fault][2]()
    remedy = run_checks(broken).findings[0].remedy
    assert remedy is not None
    cured = after(broken, remedy.steps)
    assert serious_of(run_checks(cured)) == []
    assert after(cured, remedy.undo) == broken


def ipset_zone() -> Snapshot:
    """A zone whose sources are a set: the network's subnet may be in it."""
    base = zone_rules("docker0")
    lookup = (
        "ip saddr @pods jump filter_FWD_public",
        (SetLookup(name="pods", dirs=("src",)), verdict("jump", "filter_FWD_public")),
    )
    chains = tuple(
        chain(item.name, [lookup, *((rule.text, rule.exprs) for rule in item.rules)])
        if "dispatch" in item.name
        else item
        for item in base.chains
    )
    host = firewalld_host("docker0")
    return tables(host, docker_filter(), docker_nat(), msgspec.structs.replace(base, chains=chains))


def rejecting_zone(dispatcher: str) -> Snapshot:
    """Both bridges are in a zone, and that zone rejects all."""
    base = zone_rules("docker0", "br-app", dispatcher=dispatcher)
    reject = ("reject", (verdict("reject"),))
    chains = tuple(chain(item.name, [reject]) if item.name == "filter_FWD_docker" else item for item in base.chains)
    host = firewalld_host("docker0", "br-app")
    return tables(host, docker_filter(), docker_nat(), msgspec.structs.replace(base, chains=chains))


def blocked_port() -> tuple[str, tuple[AnyExpr, ...]]:
    """A rule of the default zone that rejects what a bridge sends, whatever zone it is in."""
    return ('iifname "br-app" reject', (match("iif", "br-app"), verdict("reject")))


def other_engine(snapshot: Snapshot, name: str) -> Snapshot:
    """The network app belongs to another engine."""
    return network(snapshot, "app", engine=name)


@pytest.mark.parametrize("near", NEAR_MISSES)
def test_a_near_miss_is_no_fault_and_leaves_nothing_undecided(near: str) -> None:
    report = run_checks(NEAR_MISSES[near]())
    assert report.findings == ()
    assert {result.outcome for result in report.checks} == {"ok"}


OTHERS: dict[str, Callable[[], Snapshot]] = {
    "a set of addresses as a zone's source": ipset_zone,
    "a rule of a zone with a condition of its own": lambda: firewalld_host(
        "docker0", more=[blocked_port(), ("accept", (verdict("accept"),))]
    ),
    "firewalld's rules without Docker's, and firewalld away": lambda: tables(
        docker_like_snapshot(), zone_rules("docker0", "br-app")
    ),
    "FORWARD's policy under Docker's iptables": lambda: native(
        iptables_forward(more=(chain("DOCKER-FORWARD"),)), firewall="iptables"
    ),
    "a rule of FORWARD with a condition of its own": lambda: native(
        iptables_forward(("-i br-app -j DROP", (match("iif", "br-app"), verdict("drop"))), policy="accept")
    ),
    "FORWARD's policy for a bridge that isn't in Docker's tables": lambda: tables(
        native(), Table(family="ip", name="docker-bridges", backend="nftables"), iptables_forward()
    ),
    "a host that doesn't forward under iptables": lambda: not_forwarding(docker_like_snapshot()),
    "a daemon that ended over a zone, and no firewalld": lambda: ended(CONFLICT, docker_like_snapshot()),
    "a daemon that ended because nothing was forwarded, and now it is": lambda: ended(REFUSED, native()),
    "a daemon that ended for want of br_netfilter, and it is there": lambda: ended(NO_MODULE, docker_like_snapshot()),
    "icc off and switched off": lambda: with_sysctl(apart(), NF_CALL, "0"),
    "icc off and no sysctl was read": lambda: with_gaps(
        unswitched(apart()), Gap(section="sysctls", scope=HOST, reason="not permitted")
    ),
    "icc off, and Docker writes no rules": lambda: engine(unswitched(apart()), iptables=False),
    "icc off on another engine's network": lambda: other_engine(
        msgspec.structs.replace(
            unswitched(apart()), engines=(Engine(name="podman", iptables=True), Engine(name="docker", iptables=True))
        ),
        "podman",
    ),
    **{f"a zone of its own that rejects everything, by {name}": partial(rejecting_zone, name) for name in DISPATCHERS},
}


@pytest.mark.parametrize("other", OTHERS)
def test_another_fault_is_none_of_these(other: str) -> None:
    report = run_checks(OTHERS[other]())
    assert {item.check for item in report.findings} & MINE == set()
    assert "crashed" not in {result.outcome for result in report.checks}


def test_zones_that_were_not_read_leave_only_the_conflict_undecided() -> None:
    unread = msgspec.structs.replace(RUNNING, zones=Unread(reason="permission denied"))
    report = run_checks(firewalld_host("docker0", "br-app", firewalld=unread))
    assert report.findings == ()
    assert [result.id for result in report.checks if result.outcome == "unknown"] == ["zone-conflict"]


def test_zones_that_were_not_read_leave_nothing_undecided_where_docker_does_not_ask() -> None:
    unread = msgspec.structs.replace(RUNNING, zones=Unread(reason="permission denied"))
    report = run_checks(engine(firewalld_host("docker0", "br-app", firewalld=unread), firewall="iptables"))
    assert {result.outcome for result in report.checks} == {"ok"}


def test_docker_that_does_not_insist_on_forwarding_is_told_only_of_what_is_stopped() -> None:
    idle = msgspec.structs.replace(not_forwarding(native()), containers=())
    found = [item for item in run_checks(idle).findings if item.check in MINE]
    assert [(item.check, item.severity) for item in found] == [("nftmode-fwd-off", "warning")]
    for settings in ({"ip_forward": False}, {"ip_forward": None}):
        assert {item.check for item in run_checks(engine(idle, **settings)).findings} & MINE == set()
    report = run_checks(engine(not_forwarding(native()), ip_forward=False))
    assert [item.check for item in serious_of(report)] == ["nftmode-fwd-off"]


def test_a_daemon_did_not_end_for_what_is_on_by_now() -> None:
    base = with_sysctl(ended(REFUSED6, native()), "net.ipv4.ip_forward", "0")
    for key in ("net.ipv6.conf.all.forwarding", "net.ipv6.conf.default.forwarding"):
        base = with_sysctl(base, key, "1")
    (finding,) = [item for item in run_checks(base).findings if item.check == "nftmode-fwd-off"]
    assert (finding.severity, "ended" in finding.summary) == ("warning", False)


@pytest.mark.parametrize("dispatcher", DISPATCHERS)
def test_firewalls_of_every_release_are_known_to_stand(dispatcher: str) -> None:
    base = tables(reloaded(), zone_rules(dispatcher=dispatcher))
    assert run_checks(base).findings[0].check == "firewalld-reload"


def test_ipv6_forwarding_is_asked_of_networks_with_ipv6_only() -> None:
    keys = ("net.ipv6.conf.all.forwarding", "net.ipv6.conf.default.forwarding")
    base = with_sysctl(with_sysctl(native(), keys[0], "0"), keys[1], "0")
    assert run_checks(base).findings == ()
    six = network(base, "app", ipv6=True)
    (finding,) = [item for item in run_checks(six).findings if item.check == "nftmode-fwd-off"]
    assert finding.remedy is not None
    assert [" ".join(step.commands()[0]) for step in finding.remedy.steps] == [f"sysctl -w {key}=1" for key in keys]


def test_a_network_with_one_container_is_only_told_of_icc() -> None:
    base = network(unswitched(docker_like_snapshot()), "bridge", icc=False)
    found = [item for item in run_checks(base).findings if item.check in MINE]
    assert [(item.check, item.severity) for item in found] == [("icc-no-brnf", "info")]


def test_what_iptables_accepts_comes_after_its_own_rules() -> None:
    (finding,) = serious_of(run_checks(FAULTS["FORWARD's policy under Docker's nftables"][2]()))
    assert finding.remedy is not None
    assert [" ".join(step.commands()[0]) for step in finding.remedy.steps] == [
        f"iptables-nft -w -t filter -I FORWARD {number} {way} {bridge} -j ACCEPT"
        for number, (way, bridge) in enumerate(
            (("-i", "br-app"), ("-o", "br-app"), ("-i", "docker0"), ("-o", "docker0")), start=2
        )
    ]
    assert finding.remedy.risk == "ask"


def test_a_bound_bridge_is_taken_out_by_its_zones_name() -> None:
    (finding,) = run_checks(bound("br-app", "internal")).findings
    assert finding.remedy is not None
    assert [" ".join(step.commands()[0]) for step in (*finding.remedy.steps, *finding.remedy.undo)] == [
        "firewall-cmd --permanent --zone=internal --remove-interface=br-app",
        "firewall-cmd --permanent --zone=internal --add-interface=br-app",
    ]
    assert "won't start" not in finding.summary, "only docker0 keeps the daemon from starting"


@pytest.mark.parametrize(("name", "zone"), [("docker", "docker"), ("podman", "trusted"), ("inferred", "trusted")])
def test_a_bridge_goes_into_its_engines_zone(name: str, zone: str) -> None:
    found = run_checks(other_engine(firewalld_host("docker0"), name)).findings
    (finding,) = [item for item in found if item.check == "zone-missing"]
    assert finding.remedy is not None
    told = "--add-source=10.10.0.0/24" if name == "podman" else "--add-interface=br-app"
    assert finding.remedy.steps[0].commands()[0] == ("firewall-cmd", f"--zone={zone}", told)


def test_a_port_that_firewalld_refuses_is_given_to_it_with_where_it_leads() -> None:
    (finding,) = serious_of(run_checks(firewalld_host("docker0", "br-app", strict=True)))
    assert finding.remedy is not None
    assert finding.remedy.risk == "manual"
    assert [step.commands()[0] for step in finding.remedy.steps] == [
        ("firewall-cmd", "--zone=public", "--add-forward-port=port=8080:proto=tcp:toport=80:toaddr=172.17.0.2")
    ]


def test_a_reload_tells_of_what_it_stopped_and_where_to_look() -> None:
    finding = run_checks(reloaded(POLICY)).findings[0]
    assert "egress" in finding.symptoms
    assert any("FORWARD" in item.what for item in finding.evidence)
    assert finding.remedy is not None
    assert "journalctl -u firewalld" in finding.remedy.note


def test_a_table_that_was_not_read_leaves_the_reload_undecided() -> None:
    base = reloaded()
    firewall = namespace(base, HOST).firewall
    assert firewall is not None
    unread = UnreadTable(family="ip", name="nat", backend="iptables-nft", reason="too many changes")
    host = tuple(
        msgspec.structs.replace(ns, firewall=msgspec.structs.replace(firewall, unread=(unread,)))
        if ns.id == HOST
        else ns
        for ns in base.namespaces
    )
    report = run_checks(msgspec.structs.replace(base, namespaces=host))
    assert "firewalld-reload" not in {item.check for item in report.findings}
    assert {result.id: result.outcome for result in report.checks}["rules-flushed"] == "unknown"
