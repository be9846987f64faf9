"""The checks over a small Docker host: each fault is found first, its remedy proved by the walk; near misses aren't."""

from __future__ import annotations

import msgspec
import pytest

from dnet_tui.diagnostics.checks.framework.check import Check
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.run_checks import run_checks
from dnet_tui.diagnostics.operations.rule import DeleteRule, InsertRule
from dnet_tui.diagnostics.operations.simulate import after
from dnet_tui.diagnostics.report.finding import Finding
from dnet_tui.diagnostics.report.report import Report
from dnet_tui.inspect.model import Network, Snapshot, Socket, Unread
from dnet_tui.inspect.model.coverage.gaps import Gap
from dnet_tui.inspect.model.firewall import Firewall
from unit.builders.factories import HOST, WEB, docker_like_snapshot, with_gaps, with_namespace, with_sysctl
from unit.diagnostics.checks.cases.case import flat
from unit.diagnostics.checks.cases.policies import own_rules
from unit.diagnostics.checks.cases.rules import FAULTS, delete, emptied, flushed, forwarding_off, insert, with_network
from unit.diagnostics.checks.cases.rules import NEAR_MISSES as GROUPED

NEAR_MISSES = flat(GROUPED)


def errors_and_warnings(report: Report) -> list[Finding]:
    return [finding for finding in report.findings if finding.severity != "info"]


def test_a_healthy_host_has_no_finding_and_every_check_is_ok() -> None:
    report = run_checks(docker_like_snapshot())
    assert report.findings == ()
    assert {result.outcome for result in report.checks} == {"ok"}
    assert report.summary.verdict == "healthy"


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_the_first_and_only_thing_reported(fault: str) -> None:
    report = run_checks(FAULTS[fault]())
    assert [finding.check for finding in errors_and_warnings(report) if finding.caused_by is None] == [fault]
    assert report.findings[0].check == fault
    assert report.findings[0].evidence
    assert report.summary.verdict == "problems"


BY_HAND = {"rules-flushed", "foreign-base-drop", "two-backends", "app-listen"}
"""Faults whose remedy is a command of somebody else's, so that its effect can't be simulated."""


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault not in BY_HAND])
def test_the_remedy_cures_it_and_the_undo_brings_the_same_host_back(fault: str) -> None:
    broken = FAULTS[fault]()
    remedy = run_checks(broken).findings[0].remedy
    assert remedy is not None
    cured = after(broken, remedy.steps)
    assert errors_and_warnings(run_checks(cured)) == []
    restored = after(cured, remedy.undo)
    assert restored == broken


def test_two_independent_faults_are_two_findings() -> None:
    broken = delete(
        "-s 172.17.0.0/16 ! -o docker0 -j MASQUERADE", "POSTROUTING", "nat", snapshot=FAULTS["fwd-off-bridge"]()
    )
    assert {finding.check for finding in run_checks(broken).findings} == {"fwd-off-bridge", "masq-missing"}


def test_forwarding_off_is_one_finding_for_the_host_not_one_per_interface() -> None:
    findings = run_checks(forwarding_off()).findings
    assert len(findings) == 1
    assert {"egress", "published"} <= set(findings[0].symptoms)
    assert findings[0].remedy is not None
    assert findings[0].remedy.risk == "safe"


def test_turning_forwarding_on_asks_first_where_the_policy_accepts() -> None:
    broken = forwarding_off()
    host = next(ns for ns in broken.namespaces if ns.id == HOST)
    assert host.firewall is not None
    tables = tuple(
        msgspec.structs.replace(
            table,
            chains=tuple(
                msgspec.structs.replace(c, policy="accept") if c.policy == "drop" else c for c in table.chains
            ),
        )
        for table in host.firewall.tables
    )
    firewall = msgspec.structs.replace(host.firewall, tables=tables)
    remedy = run_checks(with_namespace(broken, HOST, firewall=firewall)).findings[0].remedy
    assert remedy is not None
    assert remedy.risk == "ask"


@pytest.mark.parametrize("case", NEAR_MISSES)
def test_a_near_miss_is_not_reported(case: str) -> None:
    assert [f.summary for f in errors_and_warnings(run_checks(NEAR_MISSES[case]()))] == []


def test_a_masquerade_that_is_shadowed_counts_as_missing() -> None:
    report = run_checks(insert("-s 172.17.0.0/16 -j ACCEPT", "POSTROUTING", "nat"))
    assert [finding.check for finding in report.findings] == ["masq-missing"]
    assert any("-s 172.17.0.0/16 -j ACCEPT" in item.value for item in report.findings[0].evidence)


def test_a_user_rule_that_stops_new_connections_is_a_warning_with_its_removal() -> None:
    report = run_checks(insert("-s 10.10.0.0/24 -j DROP", "DOCKER-USER"))
    finding = report.findings[0]
    assert (finding.check, finding.severity) == ("user-chain-drop", "warning")
    assert finding.remedy is not None
    assert isinstance(finding.remedy.steps[0], DeleteRule)


def test_keeping_strangers_from_a_published_port_is_only_information() -> None:
    broken = after(
        FAULTS["user-chain-drop"](),
        [
            InsertRule(
                backend="iptables-nft",
                family="ip",
                table="filter",
                chain="DOCKER-USER",
                spec="-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
                position=1,
            )
        ],
    )
    report = run_checks(broken)
    assert [(finding.check, finding.severity) for finding in report.findings] == [("user-chain-drop", "info")]
    assert report.summary.verdict == "healthy"


def test_what_a_containers_own_rules_stop_is_told_of_the_container_and_changed_only_there() -> None:
    (finding,) = run_checks(own_rules()).findings
    assert (finding.check, finding.subject.name) == ("ctr-firewall", "web")
    assert any("its own" in item.value for item in finding.evidence)
    assert finding.remedy is not None
    assert all(step.commands()[0][0] == "nsenter" for step in finding.remedy.steps)


def test_icc_off_that_is_not_enforced_is_found_and_repaired() -> None:
    broken = with_network(docker_like_snapshot(), "app", icc=False)
    finding = next(item for item in run_checks(broken).findings if item.check == "isolation-missing")
    assert finding.remedy is not None
    assert run_checks(after(broken, finding.remedy.steps)).findings == ()


def test_icc_off_without_br_netfilter_needs_the_switch() -> None:
    base = with_network(insert("-i br-app -o br-app -j DROP"), "app", icc=False)
    assert run_checks(base).findings == ()
    finding = run_checks(with_sysctl(base, "net.bridge.bridge-nf-call-iptables", "0")).findings[0]
    assert finding.remedy is not None
    assert [step.__class__.__name__ for step in finding.remedy.steps] == ["SetSysctl"]


def test_rules_that_were_not_read_are_unknown_never_healthy() -> None:
    gap = Gap(section="firewall", scope=HOST, reason="permission denied")
    blind = with_gaps(with_namespace(docker_like_snapshot(), HOST, firewall=Unread(reason="permission denied")), gap)
    report = run_checks(blind)
    assert report.findings == ()
    assert report.summary.verdict == "incomplete"
    outcomes = {result.id: result.outcome for result in report.checks}
    assert outcomes["masq-missing"] == "unknown"
    assert outcomes["flow-blocked"] == "unknown"


def test_an_engine_that_does_not_answer_leaves_the_intentions_unknown_but_finds_broken_forwarding() -> None:
    gap = Gap(section="engine", scope="docker", reason="the daemon did not answer within 3 s")
    hung = with_gaps(msgspec.structs.replace(forwarding_off(), networks=()), gap)
    report = run_checks(hung)
    assert [finding.check for finding in report.findings] == ["ip-forward-off"]
    healthy = run_checks(with_gaps(msgspec.structs.replace(docker_like_snapshot(), networks=()), gap))
    assert healthy.summary.verdict == "incomplete"


def test_a_host_without_container_networks_is_healthy_and_the_checks_do_not_apply() -> None:
    report = run_checks(
        msgspec.structs.replace(
            docker_like_snapshot(),
            networks=(),
            containers=(),
            namespaces=(next(ns for ns in docker_like_snapshot().namespaces if ns.id == HOST),),
        )
    )
    from dnet_tui.diagnostics.checks.catalogue import CATALOGUE  # noqa: PLC0415 - beside its only use

    anywhere = {check.id for check in CATALOGUE if check.anywhere}
    assert {result.id for result in report.checks if result.outcome != "not-applicable"} == anywhere
    assert {result.outcome for result in report.checks} == {"not-applicable", "ok"}
    assert report.summary.verdict == "healthy"


def test_a_check_that_crashes_is_a_result_and_the_others_go_on() -> None:
    def crash(ctx: CheckContext) -> list[Finding]:
        raise ZeroDivisionError(ctx.case.snapshot.format)

    bad = Check(id="bad", title="", severity="error", doc="", find=crash)
    from dnet_tui.diagnostics.checks.catalogue import CATALOGUE  # noqa: PLC0415 - beside its only use

    report = run_checks(forwarding_off(), catalogue=(bad, *CATALOGUE))
    assert report.checks[0].outcome == "crashed"
    assert report.findings[0].check == "ip-forward-off"


def test_only_skip_and_focus_choose_what_is_reported() -> None:
    broken = delete(
        "-s 172.17.0.0/16 ! -o docker0 -j MASQUERADE", "POSTROUTING", "nat", snapshot=FAULTS["fwd-off-bridge"]()
    )
    assert [f.check for f in run_checks(broken, only=("masq-missing",)).findings] == ["masq-missing"]
    assert [f.check for f in run_checks(broken, skip=("masq-missing",)).findings] == ["fwd-off-bridge"]
    assert [f.check for f in run_checks(broken, focus="web").findings] == ["masq-missing"]


def test_a_network_that_nobody_declared_but_containers_leave_by_is_checked_for_reachability() -> None:
    undeclared = msgspec.structs.replace(FAULTS["fwd-off-bridge"](), networks=())
    report = run_checks(undeclared)
    assert [finding.check for finding in report.findings] == ["fwd-off-bridge"]
    no_masquerade = msgspec.structs.replace(FAULTS["masq-missing"](), networks=())
    assert run_checks(no_masquerade).findings == ()


def test_networks_of_a_driver_without_bridge_are_left_alone() -> None:
    base = docker_like_snapshot()
    macvlan = Network(id="m", name="lan", engine="docker", driver="macvlan", isolated=True)
    assert run_checks(msgspec.structs.replace(base, networks=(*base.networks, macvlan))).findings == ()


def test_a_flushed_firewall_is_one_cause_with_what_it_brings_about_folded_under_it() -> None:
    report = run_checks(flushed())
    causes = {finding.check: finding.caused_by for finding in report.findings}
    assert causes["rules-flushed"] is None
    assert {check for check, cause in causes.items() if cause == "rules-flushed"} >= {
        "masq-missing",
        "isolation-missing",
    }
    assert [finding for finding in report.findings if finding.caused_by is None] == [report.findings[0]]


def test_emptied_built_in_chains_are_the_same_cause_though_the_engines_chains_stand() -> None:
    report = run_checks(emptied("filter", "nat", "raw"))
    assert [item.check for item in report.findings if item.caused_by is None] == ["rules-flushed"]
    assert "No rule of a built-in chain leads to the firewall rules of docker" in report.findings[0].summary
    one = run_checks(emptied("filter"))
    assert "rules-flushed" not in {item.check for item in one.findings}, "its rules for translation are in force"


def test_a_way_into_a_network_that_somebody_opened_for_one_container_is_information() -> None:
    chosen = insert("-d 10.10.0.2/32 -j ACCEPT", "DOCKER-USER")
    found = [item for item in run_checks(chosen).findings if item.check == "isolation-missing"]
    assert [(item.severity, item.owner and item.owner.name) for item in found] == [("info", "administrator")]
    open_to_all = insert("-p tcp -j ACCEPT", "DOCKER-USER")
    found = [item for item in run_checks(open_to_all).findings if item.check == "isolation-missing"]
    assert [item.severity for item in found] == ["warning"]


def test_a_listener_on_loopback_only_is_named_with_its_process() -> None:
    sockets = (Socket(proto="tcp", address="127.0.0.1", port=80, process="myapp"),)
    finding = run_checks(with_namespace(docker_like_snapshot(), WEB, sockets=sockets)).findings[0]
    assert finding.check == "app-listen"
    assert "only on 127.0.0.1" in finding.summary
    assert "myapp" in finding.evidence[0].value


def test_a_lost_jump_that_docker_proxy_makes_up_for_is_only_a_warning() -> None:
    broken = FAULTS["nat-jump-missing"]()
    assert run_checks(broken).findings[0].severity == "warning"
    host = next(ns for ns in broken.namespaces if ns.id == HOST)
    without = with_namespace(broken, HOST, sockets=tuple(s for s in host.sockets if s.port != 8080))
    assert run_checks(without).findings[0].severity == "error"


def test_a_remedy_that_cures_another_finding_too_makes_that_one_its_consequence() -> None:
    # Both bridges' forwarding off by hand, and the host's: the host's switch turns all of them on.
    report = run_checks(forwarding_off())
    assert [finding.caused_by for finding in report.findings] == [None]


def test_a_gap_that_the_rules_themselves_do_not_show_leaves_everything_undecided() -> None:
    gap = Gap(section="firewall", scope=HOST, reason="iptables-legacy-save: command not found")
    assert run_checks(with_gaps(docker_like_snapshot(), gap)).summary.verdict == "incomplete"


def test_a_rule_that_could_not_be_read_matters_only_where_it_is_met() -> None:
    gap = Gap(section="firewall", scope=HOST, reason="line 7: unknown option")
    beside = with_gaps(insert("-i eth9 -m nonsense --what -j DROP"), gap)
    assert run_checks(beside).summary.verdict == "healthy"
    met = with_gaps(insert("-i docker0 -m nonsense --what -j DROP"), gap)
    assert run_checks(met).summary.verdict == "incomplete"


def without_rules(*tables: str, keeps: str = "") -> Snapshot:
    """The host whose tables were emptied as by ``iptables -F``: chains and policies stay, perhaps one rule too."""
    base = docker_like_snapshot()
    firewall = next(ns for ns in base.namespaces if ns.id == HOST).firewall
    assert isinstance(firewall, Firewall)
    changed = tuple(
        msgspec.structs.replace(
            table,
            chains=tuple(
                item
                if table.name not in tables
                else msgspec.structs.replace(
                    item, rules=tuple(rule for rule in item.rules if keeps and keeps in rule.text), policy=item.policy
                )
                for item in table.chains
            ),
        )
        for table in firewall.tables
    )
    return with_namespace(base, HOST, firewall=Firewall(tables=changed))


def test_a_filter_table_that_was_emptied_is_one_cause_with_its_chains_left() -> None:
    report = run_checks(without_rules("filter"))
    assert [item.check for item in report.findings if item.caused_by is None] == ["rules-flushed"]
    assert "in the table filter" in report.findings[0].summary


def test_a_chain_of_the_engines_that_holds_a_rule_yet_is_not_emptied() -> None:
    report = run_checks(without_rules("filter", keeps="DOCKER-ISOLATION-STAGE-2"))
    assert "rules-flushed" not in {item.check for item in report.findings}


def test_a_nat_table_that_was_emptied_is_one_finding_whose_remedy_masquerades_every_network() -> None:
    report = run_checks(without_rules("nat"))
    finding = next(item for item in report.findings if item.check == "masq-missing")
    assert [item.check for item in report.findings].count("masq-missing") == 1
    assert finding.remedy is not None
    assert len(finding.remedy.steps) > 1
    assert "masq-missing" not in {
        item.check for item in run_checks(after(without_rules("nat"), finding.remedy.steps)).findings
    }
