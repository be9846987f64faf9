from __future__ import annotations

import msgspec
import pytest

from dnet_tui.diagnostics.report.finding import Finding, Subject
from dnet_tui.inspect.model import Container, Engine, LinkRef, Network, Snapshot
from dnet_tui.inspect.model.coverage.gaps import Gap
from dnet_tui.tui.app.present.map import map_detail, map_tree
from dnet_tui.tui.app.present.map.kernel_defaults import departing
from dnet_tui.tui.app.present.styled_text import CROSS, plain
from unit.builders.factories import (
    APP1,
    BR_APP,
    HOST,
    LONELY,
    VETH_WEB,
    WEB,
    docker_like_snapshot,
    with_gaps,
    with_link,
    with_namespace,
)
from unit.builders.report_factories import CAUSE, EFFECT, report


def lines(snapshot: Snapshot, *findings: Finding, folded: frozenset[str] = frozenset()) -> list[str]:
    seen = map_tree.rows(snapshot, report(*findings) if findings else None, folded)
    return ["  ".join(plain(cell) for cell in row.cells) for row in seen]


def detail(snapshot: Snapshot, row: str, *findings: Finding) -> str:
    seen = map_detail.detail(snapshot, report(*findings) if findings else None, row)
    return "\n".join(plain(para.line) for para in seen)


def test_the_tree_leads_from_host_to_bridge_to_port_to_container() -> None:
    assert lines(docker_like_snapshot())[:9] == [
        "lab host  6.1.0",
        "├ docker0 bridge  172.17.0.1/16",
        "│ └ veth5f0a1b2",
        "│   └ web eth0  172.17.0.2/16",
        "├ br-app app  10.10.0.1/24",
        "│ ├ veth77c3d4e",
        "│ │ └ app1 eth0  10.10.0.2/24",
        "│ │   └ sidecar shares app1",
        "│ └ veth99e5f60",
    ]


def test_everything_has_one_place_and_one_id() -> None:
    snapshot = docker_like_snapshot()
    ids = [row.id for row in map_tree.rows(snapshot, None)]
    assert len(ids) == len(set(ids))
    for container in snapshot.containers:
        assert sum(ident.startswith(f"ctr:{container.id}:") for ident in ids) == 1
    for link in snapshot.namespaces[0].links:
        assert f"link:{HOST}:{link.ifindex}" in ids


def test_containers_without_a_bridge_say_what_they_have_instead() -> None:
    text = "\n".join(lines(docker_like_snapshot()))
    assert "agent uses the host's" in text
    assert "lonely lo only" in text


def test_a_stopped_container_is_shown_as_stopped() -> None:
    snapshot = docker_like_snapshot()
    gone = Container(id="dead" * 16, name="old", engine="docker", mode="bridge", running=False, status="exited")
    text = "\n".join(lines(msgspec.structs.replace(snapshot, containers=(*snapshot.containers, gone))))
    assert "old exited bridge" in text


def test_a_veth_whose_peer_is_not_known_says_why() -> None:
    snapshot = with_link(docker_like_snapshot(), HOST, "veth5f0a1b2", peer=None, peer_note="both ends disagree")
    text = "\n".join(lines(snapshot))
    assert "veth5f0a1b2 peer unknown" in text
    assert "veth5f0a1b2 both ends disagree" in text
    assert "both ends disagree" in detail(snapshot, f"link:{HOST}:{VETH_WEB}")


def test_a_veth_without_a_bridge_is_listed_with_its_container() -> None:
    found = lines(with_link(docker_like_snapshot(), HOST, "veth5f0a1b2", master=None))
    place = next(index for index, text in enumerate(found) if "veth5f0a1b2 no bridge" in text)
    assert "web eth0" in found[place + 1]


def test_links_that_are_down_and_bridges_that_are_missing_are_said_in_words() -> None:
    snapshot = with_link(docker_like_snapshot(), HOST, "br-app", up=False)
    gone = Network(id="n", name="gone", engine="docker", bridge="br-gone")
    found = lines(msgspec.structs.replace(snapshot, networks=(*snapshot.networks, gone)))
    assert "├ br-app app down  10.10.0.1/24" in found
    assert any("gone bridge br-gone is missing" in text for text in found)
    assert not any("docker0 bridge down" in text for text in found)


def test_findings_mark_what_they_are_about_and_nothing_else() -> None:
    found = lines(docker_like_snapshot(), CAUSE, EFFECT)
    assert found[0] == f"lab host {CROSS}  6.1.0"
    assert f"├ br-app app {CROSS}  10.10.0.1/24" in found
    assert "├ docker0 bridge  172.17.0.1/16" in found


def test_an_interface_sysctl_is_the_interfaces_and_not_the_hosts() -> None:
    finding = msgspec.structs.replace(CAUSE, subject=Subject(kind="sysctl", name="net.ipv4.conf.docker0.forwarding"))
    found = lines(docker_like_snapshot(), finding)
    assert found[0] == "lab host  6.1.0"
    assert found[1] == f"├ docker0 bridge {CROSS}  172.17.0.1/16"


def test_a_finding_about_two_networks_marks_both() -> None:
    finding = msgspec.structs.replace(EFFECT, subject=Subject(kind="network", name="app, bridge"))
    found = lines(docker_like_snapshot(), finding)
    assert CROSS in found[1]
    assert CROSS in found[4]


def test_gaps_are_a_place_of_their_own_and_two_of_a_kind_are_one_row() -> None:
    gaps = [Gap(section="sockets", scope=WEB, reason=reason) for reason in ("no permission", "too many")]
    snapshot = with_gaps(docker_like_snapshot(), *gaps)
    assert lines(snapshot)[-1].endswith("? sockets web")
    told = detail(snapshot, f"gap:sockets:{WEB}")
    assert "no permission" in told
    assert "too many" in told


def test_folding_hides_what_hangs_under_and_counts_it() -> None:
    found = lines(docker_like_snapshot(), folded=frozenset({f"link:{HOST}:{BR_APP}"}))
    assert "├ br-app app +5  10.10.0.1/24" in found
    assert not any("app1" in text for text in found)


def test_a_containers_detail_has_both_ends_of_its_veth_and_what_the_engine_says() -> None:
    snapshot = docker_like_snapshot()
    web = snapshot.containers[0]
    told = detail(snapshot, f"ctr:{web.id}:5")
    for expected in (
        "peer        veth5f0a1b2 index 6 in host",
        "on bridge   docker0 (network bridge)",
        "publishes   0.0.0.0:8080 → 80/tcp",
        "default via 172.17.0.1 dev eth0",
        "tcp 0.0.0.0:80 httpd (1201)",
        "docker says",
    ):
        assert expected in told


def test_a_bridges_detail_has_its_ports_its_network_and_its_own_sysctls() -> None:
    told = detail(docker_like_snapshot(), f"link:{HOST}:{BR_APP}")
    assert "veth77c3d4e ↔ app1 eth0 forwarding" in told
    assert "subnet      10.10.0.0/24 gateway 10.10.0.1" in told
    assert "ipv4 forwarding = 1" in told
    assert "docker0" not in told


def test_a_dot_in_a_devices_name_is_a_slash_in_its_sysctls() -> None:
    host = docker_like_snapshot().namespaces[0]
    links = tuple(msgspec.structs.replace(i, name="br.7") if i.ifindex == BR_APP else i for i in host.links)
    sysctls = {"net.ipv4.conf.br/7.rp_filter": "2"}
    snapshot = with_namespace(docker_like_snapshot(), HOST, links=links, sysctls=sysctls)
    assert "ipv4 rp_filter = 2" in detail(snapshot, f"link:{HOST}:{BR_APP}")


def test_a_joined_container_says_whose_namespace_it_shares() -> None:
    snapshot = docker_like_snapshot()
    sidecar = next(item for item in snapshot.containers if item.name == "sidecar")
    told = detail(snapshot, f"ctr:{sidecar.id}:7")
    assert "shares      the namespace of app1" in told
    assert APP1 in told


def test_what_is_gone_has_no_detail_and_no_crash() -> None:
    snapshot = docker_like_snapshot()
    for row in ("", f"link:{HOST}:999", "ctr:nobody:", "net:none such", f"ns:{LONELY}x", "gap:links:"):
        assert detail(snapshot, row) == ""


@pytest.mark.parametrize(("rootless", "said"), [(True, "not asked"), (False, "does not answer")])
def test_an_engine_that_nobody_asks_is_not_said_to_be_silent(*, rootless: bool, said: str) -> None:
    engine = Engine(name="podman", reachable=False, rootless=rootless)
    text = detail(msgspec.structs.replace(docker_like_snapshot(), engines=(engine,)), "host")
    assert said in text
    assert ("not asked" in text) is rootless


def test_a_wide_tree_says_ports_nat_and_the_default_route() -> None:
    seen = map_tree.rows(docker_like_snapshot(), None, frozenset(), ())
    texts = ["  ".join(plain(cell) for cell in row.cells) for row in seen]
    assert any("web eth0" in text and "8080→80" in text for text in texts)
    assert any("docker0" in text and "NAT" in text for text in texts)
    assert any("uplink" in text and "via 203.0.113.1" in text for text in texts)


def test_traffic_is_a_sparkline_of_the_last_looks_with_the_newest_rate() -> None:
    snapshot = docker_like_snapshot()
    uplink = next(link for link in snapshot.namespaces[0].links if link.name == "eth0")
    ref = LinkRef(namespace=HOST, ifindex=uplink.ifindex)
    seen = map_tree.rows(snapshot, None, frozenset(), ({ref: 0.0}, {ref: 500.0}, {ref: 1000.0}))
    row = next(row for row in seen if row.id == f"link:{HOST}:{uplink.ifindex}")
    assert "▁▅█" in plain(row.cells[-1]).replace("▄", "▅")
    assert "1000 B/s" in plain(row.cells[-1]) or "1 kB/s" in plain(row.cells[-1]) or "1.0 kB/s" in plain(row.cells[-1])
    quiet = map_tree.rows(snapshot, None, frozenset(), ({ref: 0.0},))
    assert any("▁" in plain(row.cells[-1]) for row in quiet)


def test_a_folded_row_has_the_mark_of_what_is_folded_away() -> None:
    fault = msgspec.structs.replace(CAUSE, subject=Subject(kind="container", name="web"))
    assert any(
        f"{CROSS}" in line and "docker0" in line
        for line in lines(docker_like_snapshot(), fault, folded=frozenset({f"link:{HOST}:{docker_like_bridge()}"}))
    )
    assert not any(f"{CROSS}" in line and "docker0" in line for line in lines(docker_like_snapshot(), fault))


def docker_like_bridge() -> int:
    host = docker_like_snapshot().namespaces[0]
    return next(link.ifindex for link in host.links if link.name == "docker0")


def test_only_kernel_parameters_that_differ_are_told() -> None:
    values = {
        "net.ipv4.ip_forward": "1",
        "net.ipv4.ip_default_ttl": "64",
        "net.ipv4.conf.all.rp_filter": "2",
        "net.ipv4.conf.all.forwarding": "1",
        "net.ipv4.conf.docker0.send_redirects": "1",
        "net.ipv4.conf.docker0.route_localnet": "1",
        "net.ipv6.conf.docker0.forwarding": "1",
        "net.netfilter.nf_conntrack_count": "77",
    }
    assert dict(departing(values)) == {
        "net.ipv4.ip_forward": "1",
        "net.ipv4.conf.all.rp_filter": "2",
        "net.ipv4.conf.docker0.route_localnet": "1",
        "net.ipv6.conf.docker0.forwarding": "1",
    }


def test_a_containers_detail_begins_with_what_matters() -> None:
    fault = msgspec.structs.replace(CAUSE, subject=Subject(kind="container", name="web"))
    text = detail(docker_like_snapshot(), web_row(), fault)
    order = [
        text.index(word) for word in ("state", "addresses", "Findings", "publishes", "Routes", "Interface", "image")
    ]
    assert order == sorted(order)


def web_row() -> str:
    return next(row.id for row in map_tree.rows(docker_like_snapshot(), None) if row.id.startswith("ctr:web"))
