"""The guided check: steps in the packet's order, cause, owner, and a fix that cures this very flow."""

from __future__ import annotations

import msgspec
import pytest

from dnet_tui.diagnostics.checks.run_checks import run_checks
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.guided.meant_flow import parse, with_flows
from dnet_tui.diagnostics.guided.why import Why, why
from dnet_tui.diagnostics.operations.remedy import commands
from dnet_tui.diagnostics.operations.simulate import after
from dnet_tui.diagnostics.trace.endpoints import find
from dnet_tui.diagnostics.trace.trace import trace
from dnet_tui.inspect.errors import UsageError
from dnet_tui.inspect.model import Snapshot, Socket
from dnet_tui.tui.reports.terminal import OutputStyle
from dnet_tui.tui.reports.trace.why_json import WhyData, why_data
from dnet_tui.tui.reports.trace.why_text import why_text
from unit.builders.factories import (
    APP1,
    HOST,
    VETH_APP2,
    WEB,
    docker_like_snapshot,
    with_namespace,
    with_sysctl,
    with_unread,
)
from unit.builders.factories_links import filter_rule
from unit.diagnostics.checks.cases.judged import stuck
from unit.diagnostics.checks.cases.policies import untracked
from unit.diagnostics.checks.cases.rules import FAULTS, delete, insert


def asked(snapshot: Snapshot, source: str, target: str, *, port: int = 0) -> Why:
    case = HostContext(snapshot)
    found = trace(case, find(case, source), find(case, target), port=port)
    return why(case, found, run_checks(snapshot))


def plain(snapshot: Snapshot | None = None, **changes: object) -> Snapshot:
    """The host with the same networks as plain Linux bridges, which no engine knows and nobody publishes on."""
    base = snapshot or docker_like_snapshot()
    networks = tuple(msgspec.structs.replace(net, engine="linux", **changes) for net in base.networks)
    containers = tuple(msgspec.structs.replace(item, engine="linux", published=()) for item in base.containers)
    return msgspec.structs.replace(base, engines=(), networks=networks, containers=containers)


def outcomes(answer: Why) -> list[str]:
    return [step.outcome for step in answer.steps]


def test_what_passes_is_all_ok_and_needs_no_fix() -> None:
    answer = asked(docker_like_snapshot(), "web", "outside")
    assert answer.passes is True
    assert set(outcomes(answer)) == {"ok"}
    assert (answer.cause, answer.owner, answer.remedy) == ("", "", None)
    titles = [step.title for step in answer.steps]
    assert titles.index("Route") < titles.index("Rules for what is routed on (FORWARD)")
    assert any(title.startswith("Answer: ") for title in titles)


def test_containers_on_different_networks_get_the_engines_own_command_with_its_undo() -> None:
    answer = asked(docker_like_snapshot(), "web", "app2")
    assert answer.passes is False
    assert (outcomes(answer)[-1], outcomes(answer).count("stop")) == ("stop", 1)
    assert "different networks" in answer.cause
    assert answer.owner.startswith("docker")
    assert answer.remedy is not None
    assert commands(answer.remedy.steps) == (("docker", "network", "connect", "bridge", "app2"),)
    assert commands(answer.remedy.undo) == (("docker", "network", "disconnect", "bridge", "app2"),)


@pytest.mark.parametrize("engine", ["linux", "lxd", "containerd", "inferred"])
def test_where_no_engine_has_a_command_the_fix_is_said_in_words(engine: str) -> None:
    base = plain()
    networks = tuple(msgspec.structs.replace(net, engine=engine) for net in base.networks)
    answer = asked(msgspec.structs.replace(base, networks=networks), "web", "app2")
    assert answer.passes is False
    assert "by design" in answer.cause
    assert answer.owner.startswith("the administrator of this host")
    assert answer.remedy is not None
    assert (answer.remedy.steps, answer.remedy.risk) == ((), "manual")
    assert "second interface" in answer.remedy.note


def test_a_plain_namespace_gets_the_command_that_plugs_it_in() -> None:
    base = plain()
    spaces = tuple(msgspec.structs.replace(item, engine="netns") for item in base.containers)
    answer = asked(msgspec.structs.replace(base, containers=spaces), "web", "app2")
    assert answer.remedy is not None
    assert commands(answer.remedy.steps) == (("dnet-tui", "net", "connect", "bridge", "app2"),)
    assert answer.remedy.risk == "manual"


def test_an_internal_network_of_no_engine_gets_no_command_either() -> None:
    answer = asked(plain(insert("-s 172.17.0.0/16 -j DROP"), internal=True), "web", "outside")
    assert answer.remedy is not None
    assert (answer.remedy.steps, "internal by choice" in answer.remedy.note) == ((), True)


LED = "-d 203.0.113.2/32 -p tcp -m tcp --dport {} -j DNAT --to-destination {}"


@pytest.mark.parametrize(
    ("snapshot", "port", "meant"),
    [
        (plain(), 8080, True),  # by the rule in DOCKER, which nobody's published port explains
        (insert(LED.format(9090, "172.17.0.2:80"), "PREROUTING", "nat"), 9090, None),  # an engine could have told of it
        (
            insert(LED.format(8080, "10.10.0.2:80"), "PREROUTING", "nat", snapshot=insert("-d 10.10.0.2/32 -j ACCEPT")),
            8080,  # web publishes it
            False,
        ),
        (insert(LED.format(22, "172.17.0.2:80"), "PREROUTING", "nat", snapshot=plain()), 22, False),  # sshd's own
    ],
    ids=["a plain network's own way to publish", "an engine's network", "another container's port", "the host's own"],
)
def test_a_port_of_the_host_that_a_rule_leads_on(snapshot: Snapshot, port: int, meant: bool | None) -> None:
    ssh = Socket(proto="tcp", address="0.0.0.0", port=22, process="sshd")  # noqa: S104 - of a snapshot
    found = asked(with_namespace(snapshot, HOST, sockets=(ssh,)), "outside", "host", port=port).trace
    assert found.received_by in {"web", "app1"}
    assert found.intended is meant


def test_a_rule_of_the_administrators_is_named_as_such_and_the_fix_lets_this_flow_pass() -> None:
    answer = asked(insert("-s 172.17.0.0/16 -j DROP", "DOCKER-USER"), "web", "outside", port=443)
    assert answer.owner == "the administrator of this host"
    assert answer.remedy is not None
    assert answer.remedy.risk == "manual"
    (words,) = commands(answer.remedy.steps)
    assert (words[5], words[8], words[14]) == ("DOCKER-USER", "172.17.0.2", "443")
    assert "user-chain-drop" in {item.check for item in answer.findings}


def test_the_doctors_own_remedy_is_offered_where_it_cures_the_flow() -> None:
    answer = asked(FAULTS["masq-missing"](), "web", "outside")
    assert answer.passes is False
    answer = asked(FAULTS["ip-forward-off"](), "web", "outside")
    assert answer.remedy is not None
    assert commands(answer.remedy.steps) == (("sysctl", "-w", "net.ipv4.ip_forward=1"),)


def said(answer: Why) -> str:
    return " ".join(why_text(answer, OutputStyle()).split())


def test_what_the_doctor_found_is_the_cause_with_its_fix_undo_and_command() -> None:
    answer = asked(delete("-s 172.17.0.0/16 ! -o docker0 -j MASQUERADE", "POSTROUTING", "nat"), "web", "outside")
    assert answer.cause == "Packets from network bridge (172.17.0.0/16) leave without masquerading"
    assert (answer.owner, answer.explained_by and answer.explained_by.check) == ("", "masq-missing")
    assert answer.remedy is not None
    assert answer.remedy.undo
    assert "MASQUERADE" in commands(answer.remedy.steps)[0]
    assert [step.title for step in answer.steps if step.outcome != "ok"] == ["Answer: Whether the outside can answer"]
    assert not any("sends none" in text for step in answer.steps if step.outcome == "ok" for text in step.found)
    text = said(answer)
    assert "No: it leaves the host as 172.17.0.2, which nobody outside can answer." in text
    assert "Or: dnet-tui fix masq-missing More:" in text


def test_another_faults_remedy_is_not_this_flows() -> None:
    broken = delete("-s 172.17.0.0/16 ! -o docker0 -j MASQUERADE", "POSTROUTING", "nat")
    answer = asked(insert("-s 10.10.0.0/24 -d 198.51.100.0/24 -j DROP", snapshot=broken), "app1", "outside", port=443)
    assert answer.explained_by is None or answer.explained_by.check != "masq-missing"
    assert "masquerading" not in answer.cause


def test_a_packet_that_is_not_tracked_is_explained_by_the_rule_that_exempts_it() -> None:
    answer = asked(untracked("docker0"), "web", "outside")
    assert answer.explained_by is not None
    assert answer.explained_by.check == "notrack"
    by = answer.trace.decided_by
    assert by is not None
    assert by.rule is not None
    assert "notrack" in by.rule.text.lower()
    assert "it isn't tracked (by raw PREROUTING rule 1)" in by.text


def test_a_redirect_is_its_makers_and_nobody_is_told_to_start_a_program() -> None:
    snapshot = insert("-p tcp -m tcp --dport 443 -j REDIRECT --to-ports 3128", "PREROUTING", "nat")
    answer = asked(snapshot, "web", "outside", port=443)
    assert (answer.explained_by and answer.explained_by.check) == "hijack"
    assert answer.owner == "the administrator of this host"
    assert "Start what should listen" not in said(answer)
    assert said(answer).lower().count("yours to decide") == 1


def test_an_entry_that_leads_frames_astray_gets_the_command_that_deletes_it() -> None:
    answer = asked(stuck(VETH_APP2, "sticky"), "app1", "outside")
    assert (answer.explained_by and answer.explained_by.check) == "fdb-wrong"
    assert answer.remedy is not None
    assert commands(answer.remedy.steps)[0][:3] == ("bridge", "fdb", "del")


def test_who_listens_on_the_loopback_only_is_named() -> None:
    local = Socket(proto="tcp", address="127.0.0.1", port=80, process="httpd")
    answer = asked(with_namespace(docker_like_snapshot(), WEB, sockets=(local,)), "outside", "host", port=8080)
    assert answer.cause == "Port 80/tcp of web is published, but listened on only on 127.0.0.1"
    assert answer.owner == ""
    assert answer.remedy is not None
    assert "listen on 0.0.0.0:80" in answer.remedy.summary
    by = answer.trace.decided_by
    assert by is not None
    assert by.text == "nothing listens on tcp port 80 of 172.17.0.2: httpd listens on 127.0.0.1:80 only"


def test_a_setting_that_fix_puts_right_is_no_administrators_decision() -> None:
    answer = asked(FAULTS["ip-forward-off"](), "web", "outside")
    assert "administrator" not in answer.owner
    assert "kernel's setting" in answer.owner
    assert "(safe to apply; lost at a reboot)" in said(answer)


def test_what_another_decided_has_the_doctors_words_and_command() -> None:
    answer = asked(insert("-i eth0 -j DROP", "DOCKER-USER"), "web", "outside")
    text = said(answer)
    assert "(yours to decide: it changes what the administrator decided" in text
    assert "Or: dnet-tui fix user-chain-drop --override-owner" in text


def test_nobody_who_listens_is_the_last_step() -> None:
    answer = asked(docker_like_snapshot(), "app1", "app2", port=81)
    assert answer.passes is False
    assert (answer.steps[-1].title, answer.steps[-1].outcome) == ("Who takes it", "stop")
    assert answer.remedy is not None


def test_what_was_not_read_is_unknown_and_said() -> None:
    answer = asked(with_unread(docker_like_snapshot(), APP1, "routes"), "app1", "outside")
    assert answer.passes is None
    assert outcomes(answer)[-1] == "unknown"


@pytest.mark.parametrize("pair", [("web", "app2"), ("web", "outside")])
def test_text_fits_80_columns_but_commands_are_never_broken_and_data_fits_its_schema(pair: tuple[str, str]) -> None:
    answer = asked(docker_like_snapshot(), *pair)
    lines = why_text(answer, OutputStyle()).splitlines()
    assert max(len(line) for line in lines if "docker network" not in line) <= 80
    data = why_data(answer)
    assert msgspec.to_builtins(msgspec.convert(data, WhyData)) == data


# -- flows that a person means ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("web -> db:5432", ("web", "db:5432", "tcp")),
        ("web->203.0.113.10:53/udp", ("web", "203.0.113.10:53", "udp")),
        ("web db", ("web", "db", "tcp")),
        ("my-web → host/icmp", ("my-web", "host", "icmp")),
    ],
)
def test_a_flow_is_read_as_people_write_it(text: str, expected: tuple[str, str, str]) -> None:
    flow = parse(text)
    assert (flow.source, flow.target, flow.proto) == expected


@pytest.mark.parametrize("text", ["", "web", "web ->", "-> web", "→ web", "web -> db/sctp", "a -> b -> c"])
def test_what_is_no_flow_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse(text)


def reported(snapshot: Snapshot, *texts: str) -> list[tuple[str, str, str | None]]:
    report = with_flows(HostContext(snapshot), run_checks(snapshot), [parse(text) for text in texts])
    return [(item.check, item.severity, item.caused_by) for item in report.findings if item.severity != "info"]


def test_a_meant_flow_that_fails_is_an_error_and_one_that_passes_is_not() -> None:
    host = docker_like_snapshot()
    assert reported(host, "web -> outside") == []
    assert reported(host, "web -> app1:80") == [("flow-blocked", "error", None)]


def test_a_meant_flow_is_folded_under_whatever_stops_it_be_it_only_information() -> None:
    quarantine = after(docker_like_snapshot(), [filter_rule("FORWARD", "-s 172.17.0.2/32 -j DROP")])
    report = with_flows(HostContext(quarantine), run_checks(quarantine), [parse("web -> outside:443")])
    assert [(item.check, item.severity, item.caused_by) for item in report.findings] == [
        ("policy-drop", "info", None),
        ("flow-blocked", "error", "policy-drop"),
    ]


def test_a_meant_flow_is_folded_under_the_fault_that_stops_it() -> None:
    broken = with_sysctl(FAULTS["ip-forward-off"](), "net.ipv4.ip_forward", "0")
    found = reported(broken, "web -> outside:443")
    assert found[0][0] == "ip-forward-off"
    assert ("flow-blocked", "error", "ip-forward-off") in found


def test_a_meant_flow_that_cant_be_told_makes_the_report_incomplete() -> None:
    host = with_unread(docker_like_snapshot(), APP1, "routes")
    report = with_flows(HostContext(host), run_checks(host), [parse("app1 -> outside")])
    assert report.summary.verdict == "incomplete"
