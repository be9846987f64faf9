"""Macvlans and macvtaps: whom each mode reaches.  Constructed; the random hosts try the same on the kernel."""

from __future__ import annotations

import msgspec
import pytest

from dnet_tui.diagnostics.walk.api import reply, walk
from dnet_tui.diagnostics.walk.packet import Packet
from dnet_tui.inspect.model import BridgePort, Link, LinkRef, Macvlan, Namespace, Neighbour, Snapshot, TrafficFilter
from dnet_tui.inspect.model.view import View
from unit.builders.factories_stacks import HOST, above, bridge_port, device, host_of, sent, space, there_and_back, why

ONE, TWO, FAR = "net:[11]", "net:[12]", "net:[13]"


def child(ident: str, number: int, mode: str, lower: tuple[str, int] = (HOST, 2)) -> Namespace:
    link = above(2, "eth0", "macvlan", lower, Macvlan(mode=mode), mac=f"02:00:00:00:aa:{number:02x}")
    return space(ident, link, addresses={2: f"10.9.0.{number}/24"}, routes=("default via 10.9.0.1 dev 2",))


def wired(one: str, two: str, *, hairpin: bool = False) -> Snapshot:
    """Two macvlans above the host's eth0, which is a veth to a bridge in another namespace: the far end of a wire."""
    port = BridgePort(state="forwarding", hairpin=hairpin)
    bridge = device(2, "br0", "bridge")
    return host_of(
        space(HOST, device(2, "eth0", "veth", peer=(FAR, 3)), addresses={2: "10.9.0.2/24"}),
        child(ONE, 11, one),
        child(TWO, 12, two),
        space(FAR, bridge, bridge_port(3, "v0", 2, (HOST, 2), port=port), addresses={2: "10.9.0.1/24"}),
    )


def test_siblings_in_bridge_mode_reach_each_other() -> None:
    assert there_and_back(wired("bridge", "bridge"), ONE, "10.9.0.11", "10.9.0.12") == ("delivered", TWO, "delivered")


@pytest.mark.parametrize(
    ("one", "two"), [("private", "private"), ("vepa", "vepa"), ("bridge", "private"), ("private", "bridge")]
)
def test_in_other_modes_they_do_not(one: str, two: str) -> None:
    assert sent(wired(one, two), ONE, "10.9.0.11", "10.9.0.12").end == "unreachable"


def test_a_switch_that_sends_back_connects_vepas() -> None:
    snapshot = wired("vepa", "vepa", hairpin=True)
    assert there_and_back(snapshot, ONE, "10.9.0.11", "10.9.0.12") == ("delivered", TWO, "delivered")


@pytest.mark.parametrize(("one", "two"), [("private", "private"), ("vepa", "private"), ("private", "vepa")])
def test_what_comes_back_of_a_private_one_is_dropped(one: str, two: str) -> None:
    assert sent(wired(one, two, hairpin=True), ONE, "10.9.0.11", "10.9.0.12").end == "unreachable"


def test_a_child_does_not_reach_the_link_below_it_nor_that_one_the_child() -> None:
    snapshot = wired("bridge", "bridge")
    assert sent(snapshot, ONE, "10.9.0.11", "10.9.0.2").end == "unreachable"
    assert sent(snapshot, HOST, "10.9.0.2", "10.9.0.11").end == "unreachable"


def test_both_reach_the_far_end_of_the_wire() -> None:
    snapshot = wired("private", "vepa")
    assert there_and_back(snapshot, ONE, "10.9.0.11", "10.9.0.1") == ("delivered", FAR, "delivered")
    assert there_and_back(snapshot, HOST, "10.9.0.2", "10.9.0.1") == ("delivered", FAR, "delivered")
    assert there_and_back(snapshot, FAR, "10.9.0.1", "10.9.0.12") == ("delivered", TWO, "delivered")


def test_a_child_that_is_down_takes_nothing() -> None:
    snapshot = wired("bridge", "bridge")
    host, one, two, far = snapshot.namespaces
    down = msgspec.structs.replace(
        two, links=tuple(msgspec.structs.replace(link, up=link.kind != "macvlan") for link in two.links)
    )
    found = sent(msgspec.structs.replace(snapshot, namespaces=(host, one, down, far)), FAR, "10.9.0.1", "10.9.0.12")
    assert (found.end, why(found)) == ("unreachable", "eth0 is down")


def physical(one: str = "bridge", two: str = "bridge") -> Snapshot:
    """The same above a physical device, beyond which nothing is seen."""
    return host_of(
        space(HOST, device(2, "eth0"), addresses={2: "10.9.0.2/24"}, routes=("default via 10.9.0.1 dev 2",)),
        child(ONE, 11, one),
        child(TWO, 12, two),
    )


def test_above_a_physical_device_the_world_is_out_of_sight() -> None:
    found = sent(physical(), ONE, "10.9.0.11", "198.51.100.1")
    assert (found.end, found.exits, found.sent_by) == ("left", "eth0", LinkRef(namespace=ONE, ifindex=2))
    back = reply(View(physical()), found)
    assert (back.end, back.last_namespace) == ("delivered", ONE)


def test_the_host_s_own_address_is_on_this_side_of_the_wire() -> None:
    found = sent(physical(), ONE, "10.9.0.11", "10.9.0.2")
    assert found.end == "unreachable"
    assert why(found) == "10.9.0.2 is at eth0 itself, below eth0: a macvlan doesn't reach it"
    known = Neighbour(ifindex=2, family="ip", address="10.9.0.2", mac="02:00:00:00:04:02", state="PERMANENT")
    host, one, two = physical().namespaces
    snapshot = host_of(host, msgspec.structs.replace(one, neighbours=(known,)), two)
    assert sent(snapshot, ONE, "10.9.0.11", "10.9.0.2").end == "unreachable"


def test_vepas_need_a_switch_that_sends_back_and_private_ones_are_apart() -> None:
    found = sent(physical("vepa", "vepa"), ONE, "10.9.0.11", "10.9.0.12")
    assert found.end == "unknown"
    assert "802.1Qbg" in why(found)
    assert sent(physical("private", "bridge"), ONE, "10.9.0.11", "10.9.0.12").end == "unreachable"


def arriving(snapshot: Snapshot, dst: str) -> tuple[str, str]:
    packet = Packet(src="198.51.100.1", dst=dst, proto="tcp", sport=40000, dport=80, tcp_flags=("SYN",))
    found = walk(View(snapshot), packet, origin=HOST, arriving=LinkRef(namespace=HOST, ifindex=2))
    return found.end, found.last_namespace


def test_what_arrives_goes_to_whom_it_is_for() -> None:
    assert arriving(physical("private", "vepa"), "10.9.0.12") == ("delivered", TWO)
    assert arriving(physical(), "10.9.0.2") == ("delivered", HOST)


def test_a_passthru_takes_all_that_arrives() -> None:
    assert arriving(host_of(physical().namespaces[0], child(ONE, 11, "passthru")), "10.9.0.2")[0] != "delivered"


def test_macvlans_above_a_bridge_are_reached_from_its_ports_and_not_from_its_host() -> None:
    bridge = device(2, "br0", "bridge")
    box = device(2, "eth0", "veth", peer=(HOST, 3))
    snapshot = host_of(
        space(HOST, bridge, bridge_port(3, "v0", 2, (FAR, 2)), addresses={2: "10.9.0.2/24"}),
        child(ONE, 11, "bridge"),
        space(FAR, box, addresses={2: "10.9.0.13/24"}),
    )
    assert there_and_back(snapshot, FAR, "10.9.0.13", "10.9.0.11") == ("delivered", ONE, "delivered")
    assert there_and_back(snapshot, ONE, "10.9.0.11", "10.9.0.13") == ("delivered", FAR, "delivered")
    assert sent(snapshot, HOST, "10.9.0.2", "10.9.0.11").end == "unreachable"
    assert sent(snapshot, ONE, "10.9.0.11", "10.9.0.2").end == "unreachable"


@pytest.mark.parametrize(("above_it", "below_it", "said"), [(False, True, "eth0"), (True, False, "br0")])
def test_nobody_answers_for_what_is_down_before_any_rule_is_asked(above_it: bool, below_it: bool, said: str) -> None:
    found = sent(above_a_bridge(up=above_it, bridge_up=below_it), FAR, "10.9.0.13", "10.9.0.11")
    assert (found.end, found.obstacles[0].stage, why(found)) == (
        "unreachable",
        "neighbour" if below_it else "bridge",
        f"{said} is down",
    )


def test_an_answer_passes_the_queue_of_the_link_below() -> None:
    lost = TrafficFilter(ifindex=2, place="root", kind="pfifo", qdisc="drops everything")
    found = sent(above_a_bridge(queue=lost), FAR, "10.9.0.13", "10.9.0.11")
    assert (found.end, why(found)) == ("unreachable", "qdisc pfifo of br0 drops everything")
    known = Neighbour(ifindex=2, family="ip", address="10.9.0.11", mac="02:00:00:00:aa:0b", state="PERMANENT")
    host, mac, far = above_a_bridge(queue=lost).namespaces
    found = sent(host_of(host, mac, msgspec.structs.replace(far, neighbours=(known,))), FAR, "10.9.0.13", "10.9.0.11")
    assert found.end == "delivered"


def above_a_bridge(*, up: bool = True, bridge_up: bool = True, queue: TrafficFilter | None = None) -> Snapshot:
    """A container at a bridge, and a macvlan above it."""
    bridge, box = device(2, "br0", "bridge", up=bridge_up), device(2, "eth0", "veth", peer=(HOST, 3))
    mac = child(ONE, 11, "bridge")
    mac = msgspec.structs.replace(mac, links=tuple(msgspec.structs.replace(link, up=up) for link in mac.links))
    filters = (queue,) if queue is not None else ()
    port = bridge_port(3, "v0", 2, (FAR, 2))
    host = space(HOST, bridge, port, addresses={2: "10.9.0.2/24"}, traffic_control=filters)
    return host_of(host, mac, space(FAR, box, addresses={2: "10.9.0.13/24"}))


def test_the_hooks_of_the_link_below_are_met_on_the_way() -> None:
    def stopped(link: Link) -> Link:
        return msgspec.structs.replace(link, xdp="driver id 7") if link.name == "eth0" else link

    snapshot = wired("bridge", "bridge")
    host, *rest = snapshot.namespaces
    blocked = host_of(msgspec.structs.replace(host, links=tuple(stopped(link) for link in host.links)), *rest)
    found = sent(blocked, ONE, "10.9.0.11", "10.9.0.12")
    assert (found.end, why(found)) == ("unknown", "XDP program (driver id 7) on eth0")


def test_behind_a_macvtap_is_a_program() -> None:
    tap = above(3, "macvtap0", "macvtap", (HOST, 2), Macvlan(mode="bridge"), mac="02:00:00:00:aa:99")
    snapshot = wired("bridge", "bridge")
    host, one, two, far = snapshot.namespaces
    with_machine = host_of(msgspec.structs.replace(host, links=(*host.links, tap)), one, two, far, tun_programs=())
    found = sent(with_machine, ONE, "10.9.0.11", "10.9.0.99")
    assert (found.end, why(found)) == ("unknown", "10.9.0.99 may be that of the program that holds macvtap0")
    assert sent(snapshot, ONE, "10.9.0.11", "10.9.0.99").end == "unreachable"
    known = Neighbour(ifindex=2, family="ip", address="10.9.0.99", mac="02:00:00:00:aa:99", state="REACHABLE")
    told = msgspec.structs.replace(one, neighbours=(known,))
    reached = sent(host_of(with_machine.namespaces[0], told, two, far), ONE, "10.9.0.11", "10.9.0.99")
    assert (reached.end, reached.left_note) == ("left", "to a program")


@pytest.mark.parametrize(("two", "end"), [("private", "unreachable"), ("bridge", "delivered")])
def test_a_remembered_address_leads_to_siblings_in_bridge_mode_alone(two: str, end: str) -> None:
    known = Neighbour(ifindex=2, family="ip", address="10.9.0.12", mac="02:00:00:00:aa:0c", state="PERMANENT")
    host, one, other, far = wired("bridge", two).namespaces
    told = msgspec.structs.replace(one, neighbours=(known,))
    assert sent(host_of(host, told, other, far), ONE, "10.9.0.11", "10.9.0.12").end == end
