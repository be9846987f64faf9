"""The checks of names, conntrack and proxies, over constructed hosts: each fault named first, near misses not."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from dnet_tui.diagnostics.checks.nat import udp_stale_ct
from dnet_tui.diagnostics.checks.run_checks import examination, run_checks
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.flows.dns_flows import askers, questions
from dnet_tui.diagnostics.operations.kernel import ForgetConnections
from dnet_tui.diagnostics.operations.remedy import commands
from dnet_tui.diagnostics.operations.simulate import after
from dnet_tui.diagnostics.report.finding import Finding
from dnet_tui.diagnostics.report.report import Report
from dnet_tui.inspect.model import Host, PublishedPort, Snapshot, Socket, Unread
from dnet_tui.inspect.model.coverage.gaps import Gap
from dnet_tui.inspect.model.firewall import Firewall
from scenarios.hosts.reported import serious_of
from unit.builders.factories import APP1, APP2, HOST, with_gaps, with_namespace, with_sysctl
from unit.builders.factories_names import (
    SERVER,
    container,
    counted,
    hosts_socket,
    own_resolver,
    proxied,
    published_udp,
    resolving,
    rootless,
    translated,
    udp,
)
from unit.diagnostics.checks.cases.case import flat
from unit.diagnostics.checks.cases.names import _DROP_OUT, FAULTS, fell_back, nobody_to_ask, rule, unled
from unit.diagnostics.checks.cases.names import NEAR_MISSES as GROUPED

NEAR_MISSES = flat(GROUPED) | {
    "other users' processes unseen": lambda: with_gaps(
        proxied(), Gap(section="namespaces", reason="not permitted to look into 3 processes")
    ),
}


def summaries(report: Report) -> list[str]:
    return [f"{finding.check}: {finding.summary}" for finding in serious_of(report)]


def test_the_resolving_host_is_healthy_and_everything_about_names_is_decided() -> None:
    report = run_checks(resolving())
    assert report.findings == ()
    assert {item.outcome for item in report.checks} == {"ok"}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_first_with_evidence(fault: str) -> None:
    check, build = FAULTS[fault]
    report = run_checks(build())
    roots = [finding for finding in serious_of(report) if finding.caused_by is None]
    assert [finding.check for finding in roots] == [check], summaries(report)
    assert report.findings[0].check == check
    assert report.findings[0].evidence


@pytest.mark.parametrize("miss", NEAR_MISSES)
def test_a_near_miss_is_not_reported(miss: str) -> None:
    assert summaries(run_checks(NEAR_MISSES[miss]())) == []


def found(snapshot: Snapshot, check: str, before: Snapshot | None = None) -> list[Finding]:
    return [finding for finding in run_checks(snapshot, before=before).findings if finding.check == check]


def test_containers_that_ask_the_same_servers_are_walked_once() -> None:
    case = HostContext(resolving())
    assert [(item.member.container.name, item.others) for item in askers(case)] == [("web", ()), ("app1", ("app2",))]
    flows = [item.flow for item in questions(case)]
    assert [flow.label for flow in flows if flow is not None] == [
        f"web → name server {SERVER}",
        f"host → name server {SERVER}",
    ]


def test_letting_the_hosts_questions_through_cures_it_and_can_be_undone() -> None:
    broken = rule(resolving(), "OUTPUT", _DROP_OUT)
    remedy = run_checks(broken).findings[0].remedy
    assert remedy is not None
    cured = after(broken, remedy.steps)
    assert run_checks(cured).findings == ()
    assert after(cured, remedy.undo) == broken


def test_a_rule_that_another_check_knows_keeps_its_name_and_gets_the_symptom() -> None:
    report = run_checks(rule(resolving(), "FORWARD", f"-d {SERVER}/32 -p udp -m udp --dport 53 -j DROP"))
    assert [finding.check for finding in serious_of(report)] == ["drop-before-docker"]
    assert "names" in report.findings[0].symptoms


def test_tcp_that_is_stopped_where_udp_passes_is_information() -> None:
    report = run_checks(rule(resolving(), "OUTPUT", f"-d {SERVER}/32 -p tcp -m tcp --dport 53 -j DROP"))
    assert [(finding.check, finding.severity) for finding in report.findings] == [("dns-upstream", "info")]


def test_tcp_that_may_be_stopped_is_not_told() -> None:
    spec = f"-d {SERVER}/32 -p tcp -m tcp --dport 53 -m statistic --mode random --probability 0.5 -j DROP"
    assert run_checks(rule(resolving(), "OUTPUT", spec)).findings == ()


def test_public_servers_put_in_are_told_and_an_error_where_they_are_barred() -> None:
    told = found(fell_back(barred=False), "dns-fallback")
    assert [finding.severity for finding in told] == ["info"]
    barred = run_checks(fell_back(barred=True))
    assert {(finding.check, finding.severity) for finding in barred.findings} >= {("dns-fallback", "error")}


def test_a_host_without_any_server_is_only_told() -> None:
    assert [finding.severity for finding in found(nobody_to_ask(hosts=()), "dns-none")] == ["info"]
    local = hosts_socket(nobody_to_ask(hosts=()), Socket(proto="udp", address="127.0.0.1", port=53))
    assert [finding.severity for finding in found(local, "dns-none")] == ["error"]


def test_rules_in_a_container_that_were_not_read_leave_its_resolver_undecided() -> None:
    blind = with_namespace(resolving(), APP1, firewall=Unread(reason="permission denied"))
    report = run_checks(with_gaps(blind, Gap(section="firewall", scope=APP1, reason="permission denied")))
    outcome = next(item for item in report.checks if item.id == "dns-nat-gone")
    assert (outcome.outcome, "app1" in outcome.reason) == ("unknown", True)
    assert report.findings == ()


def test_sockets_in_a_container_that_were_not_read_leave_its_resolver_undecided() -> None:
    report = run_checks(with_gaps(unled(), Gap(section="sockets", scope=APP1, reason="permission denied")))
    assert next(item for item in report.checks if item.id == "dns-nat-gone").outcome == "unknown"


def test_resolv_confs_that_could_not_be_read_make_names_unknown() -> None:
    unread = Unread(reason="permission denied")
    hosts = Host(hostname="lab", kernel="6.1.0", resolver=unread)
    assert run_checks(msgspec.structs.replace(resolving(), host=hosts)).summary.verdict == "healthy"  # nobody asks it
    assert found(msgspec.structs.replace(nobody_to_ask(), host=hosts), "dns-none") == []
    outcomes = {item.id: item.outcome for item in run_checks(container(resolving(), "app1", resolver=unread)).checks}
    assert outcomes["dns-upstream"] == outcomes["dns-none"] == outcomes["dns-nat-gone"] == "unknown"
    assert outcomes["conntrack-full"] == "ok"


def test_deleting_stale_connections_is_safe_and_names_the_port() -> None:
    remedy = found(published_udp(udp("172.17.0.77")), "udp-stale-ct")[0].remedy
    assert remedy is not None
    assert remedy.steps == (ForgetConnections(proto="udp", port=5353),)
    assert commands(remedy.steps) == (("conntrack", "-D", "-p", "udp", "--orig-port-dst", "5353"),)
    assert (remedy.risk, remedy.undo) == ("safe", ())
    assert "taken back" in remedy.note


def test_nothing_is_deleted_where_a_new_client_would_be_dropped_as_well() -> None:
    dropped = rule(published_udp(udp("172.17.0.77")), "FORWARD", "-p udp -m udp --dport 53 -j DROP")
    assert list(udp_stale_ct.find(examination(dropped))) == []


def test_a_stale_connection_to_an_address_that_somebody_else_has_now_is_left_alone() -> None:
    assert found(published_udp(udp("10.10.0.3")), "udp-stale-ct") == []


def test_a_port_that_a_rootless_user_may_not_open_is_told_with_its_number() -> None:
    told = found(rootless(80), "rootless-port")
    assert [finding.severity for finding in told] == ["info"]
    assert told[0].remedy is not None
    cured = after(rootless(80), told[0].remedy.steps)
    assert found(cured, "rootless-port") == []


@pytest.mark.parametrize(
    "host",
    [
        rootless(8080),
        rootless(80, start="80"),
        rootless(80, rooted=True),
        rootless(80, running=True),
        rootless(80, start=""),
    ],
    ids=["a high port", "everybody may", "an engine with root", "it runs", "not read"],
)
def test_a_port_that_is_no_trouble_is_not_told(host: Snapshot) -> None:
    assert found(host, "rootless-port") == []


UNCOUNTED: dict[str, Callable[[], Snapshot]] = {
    "nobody counted them": lambda: with_namespace(
        translated(60_000), HOST, nat_ports=Unread(reason="permission denied")
    ),
    "they could not all be counted in time": lambda: translated(30_000, tracked=900_000, complete=False),
}


@pytest.mark.parametrize("case", UNCOUNTED)
def test_ports_that_were_not_counted_are_unknown(case: str) -> None:
    outcomes = {item.id: item.outcome for item in run_checks(UNCOUNTED[case]()).checks}
    assert outcomes["snat-ports"] == "unknown"


def test_at_least_so_many_connections_are_found_though_more_could_not_be_counted() -> None:
    told = found(translated(60_000, tracked=900_000, complete=False), "snat-ports")
    assert [finding.summary.partition(" connections")[0] for finding in told] == ["at least 60000"]


def test_nothing_has_to_be_counted_where_few_connections_are_tracked() -> None:
    few = with_namespace(translated(0, tracked=20_000), HOST, nat_ports=Unread(reason="permission denied"))
    assert {item.outcome for item in run_checks(few).checks if item.id == "snat-ports"} == {"ok"}


def test_ports_that_have_run_out_are_an_error() -> None:
    assert [finding.severity for finding in found(translated(64_000), "snat-ports")] == ["error"]


@pytest.mark.parametrize(("refused", "severities"), [(0.27, ["error"]), (0.02, ["warning"]), (0.005, [])])
def test_how_many_new_connections_find_no_port_decides_where_it_is_known(refused: float, severities: list[str]) -> None:
    told = found(translated(50_000, refused=refused), "snat-ports")
    assert [finding.severity for finding in told] == severities
    assert all(f"{round(refused * 100)} % of new ones" in finding.summary for finding in told)


def comparing(check: str) -> dict[str, str]:
    return {item.id: item.outcome for item in run_checks(resolving()).checks if item.id == check}


def test_counters_say_nothing_in_a_single_snapshot() -> None:
    late = counted(resolving(), 60, insert_failed=900, invalid=90_000)
    assert run_checks(late).findings == ()
    assert comparing("ct-race") == comparing("invalid-rst") == {}


RACES = {5: [], 30: ["info"], 120: ["warning"]}


@pytest.mark.parametrize("more", RACES)
def test_a_race_is_judged_by_how_fast_it_grows(more: int) -> None:
    before, late = counted(resolving(), 0, insert_failed=7), counted(resolving(), 60, insert_failed=7 + more)
    assert [finding.severity for finding in found(late, "ct-race", before)] == RACES[more]


def test_a_race_in_a_container_is_named_after_it() -> None:
    before = counted(resolving(), 0, APP1, insert_failed=0)
    late = counted(resolving(), 10, APP1, insert_failed=50)
    assert [finding.subject.name for finding in found(late, "ct-race", before)] == ["app1"]


COUNTERS_THAT_SAY_NOTHING: dict[str, tuple[Callable[[], Snapshot], Callable[[], Snapshot]]] = {
    "begun anew": (
        lambda: counted(resolving(), 0, insert_failed=0, invalid=900),
        lambda: counted(resolving(), 60, insert_failed=900, invalid=3),
    ),
    "too soon": (lambda: counted(resolving(), 0), lambda: counted(resolving(), 1, insert_failed=90)),
    "another host": (
        lambda: msgspec.structs.replace(
            counted(resolving(), 0), host=msgspec.structs.replace(resolving().host, hostname="other")
        ),
        lambda: counted(resolving(), 60, insert_failed=900),
    ),
    "not counted before": (resolving, lambda: counted(resolving(), 60, insert_failed=900)),
}


@pytest.mark.parametrize("case", COUNTERS_THAT_SAY_NOTHING)
def test_counters_that_cannot_be_compared_say_nothing(case: str) -> None:
    before, late = COUNTERS_THAT_SAY_NOTHING[case]
    report = run_checks(late(), before=before())
    assert report.findings == ()
    unknown = {item.id for item in report.checks if item.outcome == "unknown"}
    assert unknown - {"drops-growing"} == {"ct-race", "invalid-rst"}  # those hosts' other counters were not read


def liberal(value: str) -> tuple[Snapshot, Snapshot]:
    base = with_sysctl(resolving(), "net.netfilter.nf_conntrack_tcp_be_liberal", value)
    return counted(base, 0), counted(base, 60, invalid=600)


def test_stray_packets_that_reach_the_host_are_told() -> None:
    before, late = liberal("0")
    told = found(late, "invalid-rst", before)
    assert [finding.severity for finding in told] == ["info"]
    assert told[0].remedy is not None
    assert found(after(late, told[0].remedy.steps), "invalid-rst", before) == []


def test_stray_packets_that_are_dropped_or_few_or_excused_are_not() -> None:
    before, late = liberal("0")
    dropped = rule(late, "INPUT", "-m conntrack --ctstate INVALID -j DROP")
    assert found(dropped, "invalid-rst", before) == []
    assert found(counted(before, 60, invalid=30), "invalid-rst", before) == []
    assert found(liberal("1")[1], "invalid-rst", liberal("1")[0]) == []


def test_only_ports_that_a_proxy_shall_serve_count() -> None:
    port = PublishedPort(host_ip="203.0.113.2", host_port=8080, proto="tcp", container_port=80)
    assert [finding.subject.name for finding in found(proxied(), "proxy-mismatch")] == ["web"]
    assert found(container(proxied(), "web", published=(port,)), "proxy-mismatch") == []
    assert found(proxied(on=False), "proxy-mismatch") == []


def test_docker_s_own_nat_is_walked_not_looked_for() -> None:
    shadowed = own_resolver(resolving(), APP1, led=True, port=50_000)
    ns = next(item for item in shadowed.namespaces if item.id == APP1)
    # The rules lead to a port that dockerd has left: they are there, and yet nothing resolves.
    quiet = tuple(item for item in ns.sockets if item.port not in {50_000, 50_001})
    broken = with_namespace(shadowed, APP1, sockets=quiet)
    assert [finding.check for finding in run_checks(broken).findings] == ["dns-nat-gone"]
    assert HOST not in {item.id for item in broken.namespaces if item.id == APP1}


def test_containers_whose_rules_are_gone_together_are_one_finding() -> None:
    snapshot = with_namespace(unled(), APP2, firewall=Firewall())
    (found,) = serious_of(run_checks(snapshot))
    assert found.summary.startswith("2 containers can't resolve names")
    assert {item.name for item in found.affects} == {"app1", "app2"}
    assert found.remedy is not None
    assert [argv for step in found.remedy.steps for argv in commands([step])] == [("docker", "restart", "app1", "app2")]
