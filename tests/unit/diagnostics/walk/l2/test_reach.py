"""Who hears what a device sends to everybody, on bridges that containers linked as they liked."""

from __future__ import annotations

from typing import Any

from dnet_tui.diagnostics.walk.l2.reach import Crossing, Reach, reach
from dnet_tui.inspect.model import BridgeInfo, BridgePort, Link, LinkRef, Snapshot, known_items
from dnet_tui.inspect.model.view import View
from unit.builders.factories import BR_APP, HOST, VETH_APP1, docker_like_snapshot, with_namespace

BEFORE = {"veth-app1", "veth-app2", "br-app"}


def veth(ifindex: int, peer: int, master: int) -> Link:
    port = BridgePort(state="forwarding")
    there = LinkRef(namespace=HOST, ifindex=peer)
    state: dict[str, Any] = {"up": True, "carrier": True, "operstate": "UP"}
    return Link(
        ifindex=ifindex, name=f"v{ifindex}", kind="veth", mtu=1500, master=master, peer=there, port=port, **state
    )


def bridge(ifindex: int) -> Link:
    return Link(ifindex=ifindex, name=f"b{ifindex}", kind="bridge", up=True, carrier=True, bridge=BridgeInfo())


def with_links(*links: Link) -> Snapshot:
    snapshot = docker_like_snapshot()
    host = next(item for item in known_items(snapshot.namespaces) if item.id == HOST)
    return with_namespace(snapshot, HOST, links=(*known_items(host.links), *links))


def heard_by_a_guest_of_app(snapshot: Snapshot) -> Reach:
    """All that hear the host's own broadcasts on br-app."""
    view = View(snapshot)
    host = view.namespaces[HOST]
    return reach(view, host, next(link for link in host.links if link.ifindex == BR_APP))


def row(bridges: int) -> list[Link]:
    """As many bridges, the first of them linked to br-app, each to the next."""
    links, master = [], BR_APP
    for number in range(bridges):
        near, far, onward = 1000 + 3 * number, 1001 + 3 * number, 1002 + 3 * number
        links += [veth(near, far, master), veth(far, near, onward), bridge(onward)]
        master = onward
    return links


def test_a_row_of_bridges_as_long_as_one_likes_is_followed_to_its_end() -> None:
    found = heard_by_a_guest_of_app(with_links(*row(3000)))
    last = next(item for item in found.hearers if item.link.name == f"b{1002 + 3 * 2999}")
    assert len([step for step in last.crossings if isinstance(step, Crossing)]) == 3001


def test_beyond_a_budget_it_is_said_that_more_was_not_followed() -> None:
    found = heard_by_a_guest_of_app(with_links(*row(5000)))
    assert found.unseen is not None
    assert "4000 bridges" in found.unseen.reason


def test_a_bridge_full_of_pairs_with_both_ends_on_it_is_flooded_once() -> None:
    plain = heard_by_a_guest_of_app(docker_like_snapshot())
    pairs = [veth(1000 + 2 * n + end, 1001 + 2 * n - end, BR_APP) for n in range(500) for end in (0, 1)]
    found = heard_by_a_guest_of_app(with_links(*pairs))
    # What comes back by such a pair is heard by the host as well, as the kernel has it; the containers hear no more.
    assert {item.link.name for item in found.hearers} == {item.link.name for item in plain.hearers} | {"br-app"}
    ways = {item.ns.id: item.crossings for item in found.hearers if item.link.name == "eth0"}
    assert set(ways) == {item.ns.id for item in plain.hearers}
    assert all(len(way) == 1 for way in ways.values()), "the shortest way is told"


def test_what_comes_by_a_port_is_not_sent_back_by_it_unless_another_way_leads_there() -> None:
    snapshot = docker_like_snapshot()
    view = View(snapshot)
    host = view.namespaces[HOST]
    port = next(link for link in host.links if link.ifindex == VETH_APP1)
    assert port.peer is not None
    sender = view.namespaces[port.peer.namespace]
    found = reach(view, sender, view.links[port.peer])
    assert sender.id not in {item.ns.id for item in found.hearers}
    ring = with_links(veth(1000, 1001, BR_APP), veth(1001, 1000, BR_APP))
    view = View(ring)
    assert sender.id in {item.ns.id for item in reach(view, view.namespaces[sender.id], view.links[port.peer]).hearers}
