"""What the app shows of an interface that lies on another, or is a tunnel."""

from __future__ import annotations

from dnet_tui.inspect.model import Bond, Link, Macvlan, Vlan, Vxlan, WireGuardDevice, WireGuardPeer
from dnet_tui.inspect.model.view import View
from dnet_tui.tui.app.present.map.link_stack import stack
from unit.builders.factories_stacks import HOST, above, device, host_of, space

WEB = "net:[11]"


def shown(*links: Link, of: str, web: Link | None = None, **more: object) -> str:
    host = space(HOST, *links, **more)  # type: ignore[arg-type]
    view = View(host_of(host, space(WEB, *((web,) if web is not None else ()))))
    ns = view.namespaces[WEB if web is not None and web.name == of else HOST]
    link = next(item for item in ns.links if item.name == of)
    return "\n".join(str(paragraph) for paragraph in stack(view, ns, link))


def test_a_macvlan_names_the_link_below_and_that_one_what_is_above() -> None:
    upper = above(5, "mv0", "macvlan", (HOST, 2), Macvlan(mode="private"))
    below = shown(device(2, "eth0"), of="mv0", web=upper)
    assert all(word in below for word in ("lies on", "eth0", "host", "mode private"))
    under = shown(device(2, "eth0"), of="eth0", web=upper)
    assert all(word in under for word in ("mv0", "macvlan", WEB))


def test_a_plain_link_says_nothing_of_it() -> None:
    assert shown(device(2, "eth0"), of="eth0") == ""


def test_a_vlan_and_a_bond_say_what_they_are() -> None:
    vlan = above(5, "eth0.7", "vlan", (HOST, 2), Vlan(vid=7))
    assert "VLAN 7" in shown(device(2, "eth0"), vlan, of="eth0.7")
    bond = device(4, "bond0", "bond", detail=Bond(mode="active-backup", active=2))
    assert "active eth0" in shown(device(2, "eth0", master=4), bond, of="bond0")


def test_tunnels_say_where_they_lead() -> None:
    vxlan = device(5, "vx0", "vxlan", detail=Vxlan(vni=7, remote="192.0.2.9", port=4789), underlay=WEB)
    text = shown(vxlan, of="vx0")
    assert all(word in text for word in ("vxlan 7 to 192.0.2.9", "underlay", WEB))
    peer = WireGuardPeer(key="B=", endpoint="192.0.2.9", port=51820, allowed=("10.0.0.0/8",))
    peers = (WireGuardDevice(ifindex=5, key="A=", peers=(peer,)),)
    text = shown(device(5, "wg0", "wireguard"), of="wg0", wireguard=peers)
    assert all(word in text for word in ("B=", "192.0.2.9:51820", "10.0.0.0/8"))
