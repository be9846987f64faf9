"""VLANs: devices with tags, and bridges that filter.  Constructed: neither is in the kernel that tests run on."""

from __future__ import annotations

import pytest

from dnet_tui.diagnostics.walk.api import reply
from dnet_tui.inspect.model import Bond, BridgeInfo, FdbEntry, Link, Neighbour, PortVlan, Snapshot, Vlan
from dnet_tui.inspect.model.view import View
from unit.builders.factories_stacks import HOST, above, bridge_port, device, host_of, sent, space, there_and_back, why

ONE, TWO, THREE = "net:[11]", "net:[12]", "net:[13]"


def tagged(ifindex: int, vid: int, lower: tuple[str, int]) -> Link:
    return above(ifindex, f"eth0.{vid}", "vlan", lower, Vlan(vid=vid))


def pair(here: int, there: int) -> Snapshot:
    """A veth whose ends have each a device of a VLAN above them."""
    return host_of(
        space(HOST, device(2, "eth0", "veth", peer=(ONE, 2)), tagged(3, here, (HOST, 2)), addresses={3: "10.9.0.1/24"}),
        space(ONE, device(2, "eth0", "veth", peer=(HOST, 2)), tagged(3, there, (ONE, 2)), addresses={3: "10.9.0.2/24"}),
    )


def test_devices_of_one_vlan_reach_each_other() -> None:
    assert there_and_back(pair(5, 5), HOST, "10.9.0.1", "10.9.0.2") == ("delivered", ONE, "delivered")


def test_devices_of_two_vlans_do_not() -> None:
    found = sent(pair(5, 6), HOST, "10.9.0.1", "10.9.0.2")
    assert found.end == "unreachable"
    assert why(found) == "nothing takes frames of VLAN 5 that arrive at eth0"


def test_an_answer_with_a_tag_is_not_for_a_link_without_that_vlan() -> None:
    _, one = pair(5, 5).namespaces
    plain = space(HOST, device(2, "eth0", "veth", peer=(ONE, 2)), addresses={2: "10.9.0.1/24"})
    # The other end answers for all its addresses on any of its links, and sends by the VLAN's device.
    assert there_and_back(host_of(plain, one), HOST, "10.9.0.1", "10.9.0.2") == ("delivered", ONE, "unreachable")


def uplink(**below: object) -> Snapshot:
    """A host whose way out is a VLAN above a physical device."""
    link = tagged(3, 5, (HOST, 2))
    return host_of(
        space(
            HOST,
            device(2, "eth0", **below),  # type: ignore[arg-type]
            link,
            addresses={3: "203.0.113.2/24"},
            routes=("default via 203.0.113.1 dev 3",),
        )
    )


def test_a_vlan_above_a_physical_device_leads_out() -> None:
    found = sent(uplink(), HOST, "203.0.113.2", "198.51.100.1")
    assert (found.end, found.exits) == ("left", "eth0.5")
    assert reply(View(uplink()), found).end == "delivered"


def test_without_carrier_below_nothing_leaves() -> None:
    found = sent(uplink(operstate="DOWN", carrier=False), HOST, "203.0.113.2", "198.51.100.1")
    assert (found.end, why(found)) == ("unreachable", "eth0 has no carrier")
    outwards = sent(uplink(operstate="DOWN", carrier=False), HOST, "203.0.113.2", "198.51.100.1", outside=True)
    assert outwards.end == "unreachable"


def test_a_vlan_above_a_bond_leads_to_the_active_slave() -> None:
    bond = device(4, "bond0", "bond", detail=Bond(mode="active-backup", active=2))
    slaves = (device(2, "eth0", "veth", peer=(ONE, 2), master=4), device(5, "eth1", "veth", peer=(ONE, 5), master=4))
    host = space(HOST, bond, *slaves, tagged(3, 5, (HOST, 4)), addresses={3: "10.9.0.1/24"})
    far = space(
        ONE,
        device(2, "eth0", "veth", peer=(HOST, 2)),
        device(5, "eth1", "veth", peer=(HOST, 5)),
        tagged(3, 5, (ONE, 2)),
        addresses={3: "10.9.0.2/24"},
    )
    assert there_and_back(host_of(host, far), HOST, "10.9.0.1", "10.9.0.2") == ("delivered", ONE, "delivered")


# -- bridges ------------------------------------------------------------------------------------


def member(vid: int, *, pvid: bool = False, untagged: bool = False, last: int = 0) -> PortVlan:
    return PortVlan(vid=vid, last=last or vid, pvid=pvid, untagged=untagged)


def access(vid: int) -> tuple[PortVlan, ...]:
    return (member(vid, pvid=True, untagged=True),)


def filtering(
    one: tuple[PortVlan, ...],
    two: tuple[PortVlan, ...],
    own: tuple[PortVlan, ...] = (),
    *,
    fdb: tuple[FdbEntry, ...] = (),
    known: bool = False,
) -> Snapshot:
    """Two containers on a bridge that filters, and one that has the VLAN 20 by a tag of its own."""
    bridge = device(2, "br0", "bridge", bridge=BridgeInfo(vlan_filtering=True), vlans=own)
    ports = (
        bridge_port(3, "v1", 2, (ONE, 2), vlans=one),
        bridge_port(4, "v2", 2, (TWO, 2), vlans=two),
        bridge_port(5, "v3", 2, (THREE, 2), vlans=(member(20),)),
    )
    remembered = Neighbour(ifindex=2, family="ip", address="10.9.0.12", mac="02:00:00:00:04:42", state="PERMANENT")
    return host_of(
        space(HOST, bridge, *ports, addresses={2: "10.9.0.1/24"}, fdb=fdb),
        space(
            ONE,
            device(2, "eth0", "veth", peer=(HOST, 3), mac="02:00:00:00:04:41"),
            addresses={2: "10.9.0.11/24"},
            neighbours=(remembered,) if known else (),
        ),
        space(TWO, device(2, "eth0", "veth", peer=(HOST, 4), mac="02:00:00:00:04:42"), addresses={2: "10.9.0.12/24"}),
        space(
            THREE,
            device(2, "eth0", "veth", peer=(HOST, 5)),
            tagged(3, 20, (THREE, 2)),
            addresses={3: "10.9.0.13/24"},
        ),
    )


def between(snapshot: Snapshot, dst: str = "10.9.0.12") -> tuple[str, str, str]:
    return there_and_back(snapshot, ONE, "10.9.0.11", dst)


def test_access_ports_of_one_vlan_reach_each_other() -> None:
    assert between(filtering(access(10), access(10))) == ("delivered", TWO, "delivered")


def test_access_ports_of_two_vlans_do_not() -> None:
    found = sent(filtering(access(10), access(20)), ONE, "10.9.0.11", "10.9.0.12")
    assert (found.end, why(found)) == ("unreachable", "bridge port v2 of br0 is not a member of VLAN 10")


def test_an_access_port_reaches_a_trunk_s_tagged_device() -> None:
    assert between(filtering(access(20), access(10)), "10.9.0.13") == ("delivered", THREE, "delivered")
    assert between(filtering(access(10), access(10)), "10.9.0.13")[0] == "unreachable"


def test_ranges_of_vlans_count() -> None:
    trunk = (member(10, last=30, untagged=True), member(15, pvid=True, untagged=True))
    assert between(filtering(access(15), trunk)) == ("delivered", TWO, "delivered")


def test_a_port_without_a_pvid_lets_no_untagged_frame_in() -> None:
    found = sent(filtering((member(10, untagged=True),), access(10)), ONE, "10.9.0.11", "10.9.0.12")
    assert found.end == "dropped"
    assert why(found) == "frames without a VLAN tag are not allowed on bridge port v1 of br0"


def test_a_tag_that_a_port_does_not_carry_is_not_let_in() -> None:
    found = sent(filtering(access(30), access(30)), THREE, "10.9.0.13", "10.9.0.11")
    assert found.end == "unreachable"
    assert between(filtering(access(10), (member(10, pvid=True),)))[0] == "unreachable"  # it leaves with a tag


@pytest.mark.parametrize(("own", "end"), [(access(10), "delivered"), (access(20), "unreachable"), ((), "unreachable")])
def test_the_host_is_reached_in_the_bridge_s_own_vlans(own: tuple[PortVlan, ...], end: str) -> None:
    assert sent(filtering(access(10), access(10), own), ONE, "10.9.0.11", "10.9.0.1").end == end


def test_each_vlan_has_forwarding_entries_of_its_own() -> None:
    def entry(vlan: int, port: int) -> FdbEntry:
        return FdbEntry(ifindex=port, mac="02:00:00:00:04:42", master=2, vlan=vlan, state="static")

    elsewhere = filtering(access(10), access(10), fdb=(entry(20, 3),), known=True)
    assert between(elsewhere)[0] == "delivered"
    assert between(filtering(access(10), access(10), fdb=(entry(10, 5),), known=True))[0] == "unreachable"
    assert between(filtering(access(10), access(10), fdb=(entry(10, 4),), known=True))[0] == "delivered"


def test_a_bridge_that_does_not_filter_passes_tags_on() -> None:
    bridge = device(2, "br0", "bridge")
    ports = (bridge_port(3, "v1", 2, (ONE, 2)), bridge_port(4, "v2", 2, (TWO, 2)))
    spaces = [
        space(
            ident,
            device(2, "eth0", "veth", peer=(HOST, number)),
            tagged(3, 7, (ident, 2)),
            addresses={3: f"10.9.0.1{number}/24"},
        )
        for ident, number in ((ONE, 3), (TWO, 4))
    ]
    own = above(6, "br0.7", "vlan", (HOST, 2), Vlan(vid=7))
    snapshot = host_of(space(HOST, bridge, own, *ports, addresses={6: "10.9.0.1/24"}), *spaces)
    assert there_and_back(snapshot, ONE, "10.9.0.13", "10.9.0.14") == ("delivered", TWO, "delivered")
    assert there_and_back(snapshot, ONE, "10.9.0.13", "10.9.0.1") == ("delivered", HOST, "delivered")
    assert there_and_back(snapshot, HOST, "10.9.0.1", "10.9.0.14") == ("delivered", TWO, "delivered")
