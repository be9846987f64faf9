"""What links of every kind have, from messages built as the kernel builds them (linux/if_link.h, if_tunnel.h)."""

from __future__ import annotations

import socket
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dnet_tui.inspect.kernel.device_settings import DeviceSettings
from dnet_tui.inspect.kernel.netlink import attribute
from dnet_tui.inspect.kernel.rtnetlink.parse_link_details import parse_detail
from dnet_tui.inspect.kernel.rtnetlink.parse_links import parse_link_table, parse_vlans
from dnet_tui.inspect.kernel.sysctl import parse_settings
from dnet_tui.inspect.model import (
    AnyDetail,
    Bond,
    BridgeInfo,
    BridgePort,
    Geneve,
    Ipvlan,
    Link,
    Macvlan,
    Netkit,
    PortVlan,
    Tun,
    Tunnel,
    Vlan,
    Vrf,
    Vxlan,
)
from unit.builders.examples import examples


def u8(kind: int, value: int) -> bytes:
    return attribute(kind, bytes([value]))


def u16(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack("=H", value))


def u32(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack("=I", value))


def be16(kind: int, value: int) -> bytes:
    return attribute(kind, value.to_bytes(2, "big"))


def be32(kind: int, value: int) -> bytes:
    return attribute(kind, value.to_bytes(4, "big"))


def ip(kind: int, address: str) -> bytes:
    return attribute(kind, socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address))


LOCAL, REMOTE, LOCAL6, REMOTE6 = "192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"

DETAILS: dict[str, tuple[str, bytes, AnyDetail | None]] = {
    "vxlan to one remote": (
        "vxlan",
        u32(1, 4097) + ip(2, REMOTE) + ip(4, LOCAL) + be16(15, 4789) + u8(7, 0) + u8(11, 1) + u8(13, 1) + u8(14, 1),
        Vxlan(vni=4097, remote=REMOTE, local=LOCAL, port=4789, learning=False, proxy=True, l2miss=True, l3miss=True),
    ),
    "vxlan over IPv6, for programs": (
        "vxlan",
        u32(1, 0) + ip(16, REMOTE6) + ip(17, LOCAL6) + be16(15, 8472) + u8(25, 1) + u8(30, 1) + attribute(23, b""),
        Vxlan(remote=REMOTE6, local=LOCAL6, port=8472, external=True, vnifilter=True, gbp=True),
    ),
    "geneve": ("geneve", u32(1, 7) + ip(2, REMOTE) + be16(5, 6081), Geneve(vni=7, remote=REMOTE, port=6081)),
    "geneve over IPv6": ("geneve", ip(7, REMOTE6) + attribute(6, b""), Geneve(remote=REMOTE6, external=True)),
    "macvlan": ("macvlan", u32(1, 4), Macvlan(mode="bridge")),
    "macvtap": ("macvtap", u32(1, 1), Macvlan(mode="private")),
    "a macvlan mode of the future": ("macvlan", u32(1, 64), Macvlan(mode="64")),
    "ipvlan": ("ipvlan", u16(1, 0) + u16(2, 0), Ipvlan(mode="l2")),
    "ipvlan l3s vepa": ("ipvlan", u16(1, 2) + u16(2, 2), Ipvlan(mode="l3s", flag="vepa")),
    "vlan": ("vlan", u16(1, 100) + be16(5, 0x8100), Vlan(vid=100)),
    "service vlan": ("vlan", u16(1, 4094) + be16(5, 0x88A8), Vlan(vid=4094, protocol="802.1ad")),
    "tap": (
        "tun",
        u32(1, 1000) + u32(2, 100) + u8(3, 2) + u8(6, 1) + u8(7, 1) + u32(8, 2) + u32(9, 1),
        Tun(type="tap", owner=1000, group=100, persist=True, multi_queue=True, queues=3),
    ),
    "tun that root alone opens": ("tun", u8(3, 1) + u8(6, 0) + u8(7, 0), Tun(type="tun")),
    "bond": (
        "bond",
        u8(1, 1) + u32(2, 7) + u32(3, 100) + u32(11, 8),
        Bond(mode="active-backup", active=7, primary=8, miimon=100),
    ),
    "lacp": ("bond", u8(1, 4), Bond(mode="802.3ad")),
    "ipip": ("ipip", ip(2, LOCAL) + ip(3, REMOTE) + u8(4, 64), Tunnel(local=LOCAL, remote=REMOTE, ttl=64)),
    "sit to anywhere": ("sit", ip(2, "0.0.0.0") + ip(3, "0.0.0.0"), Tunnel()),  # noqa: S104
    "ip6tnl": (
        "ip6tnl",
        ip(2, LOCAL6) + ip(3, REMOTE6) + attribute(19, b""),
        Tunnel(local=LOCAL6, remote=REMOTE6, external=True),
    ),
    "gre with keys": (
        "gre",
        be16(2, 0x2000) + be16(3, 0x2000) + be32(4, 0) + be32(5, 9) + ip(6, LOCAL) + ip(7, REMOTE) + u8(8, 0),
        Tunnel(local=LOCAL, remote=REMOTE, ikey=0, okey=9),
    ),
    "gretap without a key": ("gretap", be16(2, 0) + be32(4, 0) + ip(6, LOCAL) + u8(8, 5), Tunnel(local=LOCAL, ttl=5)),
    "ip6gre": ("ip6gre", ip(6, LOCAL6) + ip(7, REMOTE6), Tunnel(local=LOCAL6, remote=REMOTE6)),
    "vti": ("vti", be32(2, 1) + be32(3, 2) + ip(4, LOCAL), Tunnel(local=LOCAL, ikey=1, okey=2)),
    "vrf": ("vrf", u32(1, 1001), Vrf(table=1001)),
    "netkit": ("netkit", u8(2, 1) + u32(3, 2) + u32(5, 0), Netkit(mode="l2", policy="blackhole", primary=True)),
    "wireguard": ("wireguard", b"", None),
    "dummy": ("dummy", b"", None),
    "a kind nobody knows": ("quantum", u32(1, 1), None),
    "a kind that tells nothing": ("vlan", b"", None),
}


@pytest.mark.parametrize("case", DETAILS)
def test_what_only_links_of_a_kind_have(case: str) -> None:
    kind, data, expected = DETAILS[case]
    assert parse_detail(kind, data) == expected


@settings(max_examples=examples(200), deadline=None)
@given(st.sampled_from(sorted({kind for kind, _, _ in DETAILS.values()})), st.binary(max_size=90))
def test_random_attributes_never_crash_a_kind(kind: str, noise: bytes) -> None:
    parse_detail(kind, noise)


def link_body(*attributes: bytes, index: int = 5) -> bytes:
    """An RTM_NEWLINK of a running Ethernet device."""
    header = struct.pack("=BxHiII", 0, 1, index, 0x11043, 0)
    return header + attribute(3, b"dev0\0") + b"".join(attributes)


def only_link(*attributes: bytes) -> Link:
    (link,) = parse_link_table([link_body(*attributes)]).links
    return link


def info(kind: str, data: bytes = b"", slave: str = "", slave_data: bytes = b"") -> bytes:
    told = attribute(1, kind.encode() + b"\0") + attribute(2, data)
    if slave:
        told += attribute(4, slave.encode() + b"\0") + attribute(5, slave_data)
    return attribute(18, told)


def test_a_bridge_tells_stp_vlans_and_snooping() -> None:
    data = u32(1, 200) + u32(4, 6000) + u32(5, 1) + u8(7, 1) + be16(8, 0x88A8) + u16(9, 8) + u8(23, 0) + u8(25, 1)
    data += u8(36, 1) + u8(37, 0) + u8(38, 1) + u16(39, 0)
    assert only_link(info("bridge", data)).bridge == BridgeInfo(
        stp=True,
        vlan_filtering=True,
        nf_call_iptables=True,
        nf_call_arptables=True,
        group_fwd_mask=8,
        ageing_time=6000,
        forward_delay=200,
        vlan_protocol="802.1ad",
        vlan_default_pvid=0,
        mcast_snooping=False,
        mcast_querier=True,
    )


def test_every_flag_of_a_port_is_its_own() -> None:
    flags = {
        4: "hairpin",
        5: "guard",
        6: "root_block",
        7: "fast_leave",
        10: "proxy_arp",
        12: "proxy_arp_wifi",
        28: "multicast_to_unicast",
        29: "vlan_tunnel",
        32: "neigh_suppress",
        33: "isolated",
        39: "locked",
    }
    for number, name in flags.items():
        port = only_link(info("veth", slave="bridge", slave_data=u8(1, 3) + u8(number, 1))).port
        assert port == BridgePort(state="forwarding", **{name: True}), name
    for number, name in {8: "learning", 9: "flood", 27: "multicast_flood", 30: "broadcast_flood"}.items():
        port = only_link(info("veth", slave="bridge", slave_data=u8(1, 4) + u8(number, 0))).port
        assert port == BridgePort(state="blocking", **{name: False}), name
    backed = only_link(info("veth", slave="bridge", slave_data=u8(1, 0) + u32(34, 9))).port
    assert backed == BridgePort(state="disabled", backup_port=9)


def test_a_slave_of_a_bond_is_no_bridge_port() -> None:
    assert only_link(info("veth", slave="bond", slave_data=u8(1, 3))).port is None


def test_the_burnt_in_address_is_told() -> None:
    link = only_link(attribute(1, bytes(6)), attribute(54, bytes.fromhex("525400000001")))
    assert link.permanent_mac == "52:54:00:00:00:01"


BRIDGE_VLAN = 2


def vlan(flags: int, vid: int) -> bytes:
    return attribute(BRIDGE_VLAN, struct.pack("=HH", flags, vid))


def test_vlans_come_with_pvid_and_ranges() -> None:
    spec = attribute(
        26, vlan(0x2 | 0x4, 1) + vlan(0x8, 10) + vlan(0x10, 19) + vlan(0x4, 30) + attribute(9, b"\1\0\0\0")
    )
    assert parse_vlans([link_body(spec, index=7), link_body(index=8), b"short"]) == {
        7: (
            PortVlan(vid=1, last=1, pvid=True, untagged=True),
            PortVlan(vid=10, last=19),
            PortVlan(vid=30, last=30, untagged=True),
        )
    }


def numbers(count: int, values: dict[int, int]) -> bytes:
    return struct.pack(f"={count}i", *(values.get(place, 0) for place in range(count)))


def test_a_devices_settings_are_at_their_places() -> None:
    inet = attribute(2, attribute(1, numbers(33, {0: 1, 7: 2, 25: 1, 18: -1})))
    inet6 = attribute(10, u32(1, 0) + attribute(2, numbers(59, {3: 2, 26: 1})))
    table = parse_link_table([link_body(attribute(26, inet + inet6))])
    values: dict[str, str] = {}
    parse_settings("dev0", table.settings["dev0"], values)
    told = {key.removeprefix("net.").replace(".conf.dev0.", " "): value for key, value in values.items()}
    assert {key for key, value in told.items() if value != "0"} == {
        "ipv4 forwarding",
        "ipv4 rp_filter",
        "ipv4 route_localnet",
        "ipv4 arp_ignore",
        "ipv6 accept_ra",
        "ipv6 disable_ipv6",
    }
    assert (told["ipv4 rp_filter"], told["ipv4 arp_ignore"], told["ipv6 accept_ra"]) == ("2", "-1", "2")


def test_settings_that_a_kernel_has_not_got_are_left_out() -> None:
    values: dict[str, str] = {}
    parse_settings("eth0.5", DeviceSettings(ip=numbers(8, {7: 1})), values)
    assert values["net.ipv4.conf.eth0/5.rp_filter"] == "1"
    assert "net.ipv4.conf.eth0/5.route_localnet" not in values
    assert not any(".ipv6." in key for key in values)
