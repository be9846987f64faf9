"""Tracing between places that a person names, with the reason in words; and the matrix of all pairs."""

from __future__ import annotations

import msgspec
import pytest

from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.trace.endpoints import find
from dnet_tui.diagnostics.trace.matrix import matrix
from dnet_tui.diagnostics.trace.trace import Trace, trace
from dnet_tui.diagnostics.walk.packet import Decider
from dnet_tui.inspect.errors import CannotInspectError, DnetError, UsageError
from dnet_tui.inspect.model import Snapshot
from dnet_tui.inspect.model.coverage.gaps import Gap
from dnet_tui.tui.reports.terminal import OutputStyle
from dnet_tui.tui.reports.trace.matrix_text import matrix_text
from dnet_tui.tui.reports.trace.trace_json import trace_data
from dnet_tui.tui.reports.trace.trace_text import trace_text
from unit.builders.factories import HOST, docker_like_snapshot, with_gaps, with_link, with_sysctl
from unit.diagnostics.checks.cases.rules import insert, with_network, without_default_route


def between(source: str, target: str, snapshot: Snapshot | None = None, port: int = 80) -> tuple[Trace, HostContext]:
    case = HostContext(snapshot or docker_like_snapshot())
    return trace(case, find(case, source), find(case, target), port=port), case


def test_a_container_to_outside_and_back() -> None:
    found, _ = between("web", "outside")
    assert (found.verdict, found.arrives, found.why) == ("left", True, "")


def test_outside_to_a_published_port_of_the_host() -> None:
    found, case = between("outside", "host", port=8080)
    assert found.verdict == "delivered"
    assert found.forward.last_namespace == find(case, "web").namespace


def test_a_port_can_be_given_with_the_name() -> None:
    found, _ = between("app1", "app2:81")
    assert found.forward.start.dport == 81
    assert found.verdict == "refused"


def test_a_container_calls_its_host_by_the_gateway() -> None:
    found, _ = between("app1", "host")
    assert found.forward.start.dst == "10.10.0.1"


def test_an_address_that_is_named_is_the_one_that_sends() -> None:
    base = docker_like_snapshot()
    own = next(item for ns in base.namespaces if ns.id == HOST for item in ns.addresses if item.address == "10.10.0.1")
    found, _ = between(own.address, "web", base)
    assert found.forward.start.src == "10.10.0.1"
    by_name, _ = between("host", "web", base)
    assert by_name.forward.start.src == "172.17.0.1"


def test_separate_networks_are_explained_as_designed() -> None:
    found, _ = between("web", "app1")
    assert found.verdict == "dropped"
    assert found.why.startswith("by design: web and app1 are on different networks (bridge, app)")


def test_icc_off_is_explained_as_designed() -> None:
    found, _ = between("app1", "app2", with_network(insert("-i br-app -o br-app -j DROP"), "app", icc=False))
    assert "icc is off" in found.why


def test_an_internal_network_is_explained_as_designed() -> None:
    snapshot = without_default_route(
        with_network(docker_like_snapshot(), "app", internal=True),
        find(HostContext(docker_like_snapshot()), "app1").namespace,
    )
    found, _ = between("app1", "outside", snapshot)
    assert found.verdict == "no-route"
    assert "internal" in found.why


def test_a_fault_is_not_called_design() -> None:
    found, _ = between("web", "outside", insert("-j REJECT --reject-with icmp-port-unreachable"))
    assert (found.verdict, found.why) == ("rejected", "")


def test_an_administrators_rule_is_named_as_such() -> None:
    found, _ = between("web", "outside", insert("-i docker0 -j DROP", "DOCKER-USER"))
    assert found.why == "by the administrator's own rule in DOCKER-USER"


def test_an_answer_that_does_not_get_back_is_the_verdict() -> None:
    found, _ = between("web", "outside", insert("-i eth0 -j DROP", "DOCKER-USER"))
    assert (found.forward.end, found.verdict, found.arrives) == ("left", "answer dropped", False)
    assert found.decided_by is not None
    assert found.decided_by.rule is not None
    assert found.decided_by.rule.chain == "DOCKER-USER"


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("wbe", UsageError, "web"),
        ("zzzzzzzz", UsageError, "ls containers"),
        ("lonely", CannotInspectError, "mode is none"),
        ("web:99999", UsageError, "web"),
    ],
)
def test_a_place_that_is_not_there_is_answered_with_what_is(name: str, error: type[DnetError], words: str) -> None:
    with pytest.raises(error) as caught:
        find(HostContext(docker_like_snapshot()), name)
    assert words in f"{caught.value.message} {caught.value.hint}"


def test_two_containers_of_one_name_are_told_apart_by_id() -> None:
    base = docker_like_snapshot()
    twin = msgspec.structs.replace(base.containers[0], id="f" * 64, engine="podman")
    case = HostContext(msgspec.structs.replace(base, containers=(*base.containers, twin)))
    with pytest.raises(UsageError) as caught:
        find(case, base.containers[0].name)
    assert "podman" in caught.value.hint
    assert find(case, "f" * 12).container == twin


def test_a_stopped_container_cannot_be_traced() -> None:
    base = docker_like_snapshot()
    containers = tuple(
        msgspec.structs.replace(item, running=False, netns=None) if item.name == "web" else item
        for item in base.containers
    )
    with pytest.raises(CannotInspectError, match="not running"):
        find(HostContext(msgspec.structs.replace(base, containers=containers)), "web")


def test_a_container_on_the_hosts_network_is_traced_as_the_host() -> None:
    case = HostContext(docker_like_snapshot())
    assert find(case, "agent").namespace == find(case, "host").namespace


def test_an_address_that_one_container_owns_is_that_place() -> None:
    found, case = between("10.10.0.2", "10.10.0.3")
    assert found.source.namespace == find(case, "app1").namespace
    assert found.verdict == "delivered"


def test_outside_to_outside_is_refused() -> None:
    with pytest.raises(UsageError, match="nothing to trace"):
        between("outside", "outside")


def test_the_text_shows_the_rewritten_source_the_rule_and_the_way_back() -> None:
    found, case = between("web", "outside")
    text = trace_text(found, case.view, OutputStyle())
    assert "now tcp 203.0.113.2:40000 → 198.51.100.77:80" in text
    assert "-s 172.17.0.0/16 ! -o docker0 -j MASQUERADE" in " ".join(text.split())
    assert "The answer  tcp 198.51.100.77:80 → 203.0.113.2:40000" in text
    assert max(map(len, text.splitlines())) <= 80


def test_names_cannot_smuggle_escapes_into_the_text() -> None:
    base = docker_like_snapshot()
    evil = tuple(
        msgspec.structs.replace(item, name="\x1b[31mweb") if item.name == "web" else item for item in base.containers
    )
    found, case = between("\x1b[31mweb", "outside", msgspec.structs.replace(base, containers=evil))
    assert "\x1b" not in trace_text(found, case.view, OutputStyle())


def test_the_json_follows_the_contract() -> None:
    found, case = between("web", "app1")
    data = trace_data(found, case.view)
    assert set(data) >= {"format", "verdict", "decided_by", "hops", "reply", "unknowns"}
    assert data["reply"] is None
    assert data["decided_by"] is not None
    assert data["decided_by"]["kind"] == "rule"
    assert data["decided_by"]["rule"]["chain"] == "DOCKER-ISOLATION-STAGE-2"
    hop = data["hops"][-1]
    assert set(hop) == {"namespace", "interface", "stage", "packet", "verdict", "rule", "note"}
    assert hop["namespace"] == "host"


def test_the_json_names_the_interface_of_a_link_and_of_a_sysctl() -> None:
    base = docker_like_snapshot()
    for snapshot, kind in (
        (with_link(base, HOST, "docker0", up=False), "link"),
        (with_sysctl(base, "net.ipv4.conf.docker0.forwarding", "0"), "sysctl"),
    ):
        found, case = between("web", "outside", snapshot)
        decider = trace_data(found, case.view)["decided_by"]
        assert decider is not None
        assert (decider["kind"], decider["interface"]) == (kind, "docker0")
    found, case = between("web", "app1")
    decider = trace_data(found, case.view)["decided_by"]
    assert decider is not None
    assert "interface" not in decider


@pytest.mark.parametrize(
    ("text", "interface"),
    [
        ("net.ipv4.conf.docker0.rp_filter", "docker0"),
        ("net.ipv4.conf.eth0/100.rp_filter", "eth0.100"),
        ("net.ipv4.conf.all.route_localnet", ""),
        ("net.ipv6.conf.all.forwarding", ""),
        ("net.ipv4.ip_forward", ""),
    ],
)
def test_a_sysctl_may_be_one_interfaces(text: str, interface: str) -> None:
    assert Decider(kind="sysctl", text=text).link == interface


def test_the_json_names_what_could_not_be_decided() -> None:
    found, case = between("web", "outside", insert("-m cpu --cpu 1 -j DROP"))
    data = trace_data(found, case.view)
    assert data["verdict"] == "unknown"
    assert any("cpu" in item["text"] for item in data["unknowns"])
    assert data["hedges"] == []


def test_what_is_taken_for_granted_is_named_in_text_and_json() -> None:
    found, case = between("web", "outside", insert("-m statistic --mode random --probability 0.25 -j DROP"))
    assert (found.verdict, found.arrives) == ("left", True)
    (hedge,) = trace_data(found, case.view)["hedges"]
    assert hedge["text"] == "filter FORWARD rule 1 is taken not to match: it matches for one packet of 4, by chance"
    assert hedge["rule"] is not None
    assert hedge["rule"]["chain"] == "FORWARD"
    assert "Provided: filter FORWARD rule 1" in trace_text(found, case.view, OutputStyle())


def test_a_limit_that_nothing_depends_on_is_not_mentioned() -> None:
    for rule in ("-m limit --limit 1/sec -j LOG", "-m limit --limit 1/sec -j ACCEPT"):
        found, _ = between("web", "outside", insert(rule))
        assert (found.verdict, found.hedges) == ("left", ())


def test_the_matrix_knows_who_reaches_whom() -> None:
    found = matrix(HostContext(docker_like_snapshot()))
    reach = {(cell.source, cell.target): cell.reach for cell in found.cells}
    assert reach["app1", "app2"] == "yes"
    assert reach["web", "app1"] == "no"
    assert reach["web", "outside"] == "yes"
    assert reach["outside", "host:8080"] == "yes"
    assert reach["app1", "app1"] == "-"
    assert "lonely" not in found.sources
    text = matrix_text(found, OutputStyle())
    assert "can't be decided" in text


def test_a_gap_in_the_path_is_unknown_in_trace_and_matrix() -> None:
    base = docker_like_snapshot()
    host = HostContext(base).view.host
    assert host is not None
    link = next(link for link in host.links if link.kind == "veth" and link.peer is not None)
    broken = with_gaps(
        with_link(base, host.id, link.name, peer=None, peer_note="its namespace could not be read"),
        Gap(section="namespaces", scope="net:[1]", reason="permission denied"),
    )
    found, _ = between("outside", "172.17.0.2", broken)
    assert found.arrives is None
