"""Links, addresses, neighbours and FDB, from a real host's rtnetlink dump."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dnet_tui.inspect.kernel.netlink import attribute
from dnet_tui.inspect.kernel.rtnetlink.parse_addresses import (
    parse_addresses,
    parse_fdb,
    parse_neighbours,
    parse_proxied,
)
from dnet_tui.inspect.kernel.rtnetlink.parse_links import parse_link_table
from dnet_tui.inspect.kernel.rtnetlink.parse_routes import parse_routes, parse_rules
from dnet_tui.inspect.model import Address, BridgeInfo, FdbEntry, Link, Neighbour, ProxiedAddress
from unit.builders.examples import examples

RAW = json.loads((Path(__file__).parents[3] / "data" / "inspect_rtnl_host.json").read_text())


def bodies(section: str) -> list[bytes]:
    return [bytes.fromhex(item) for item in RAW[section]]


def _links(raw: Iterable[bytes]) -> tuple[Link, ...]:
    return parse_link_table(raw).links


@pytest.fixture(scope="module")
def links() -> dict[str, Link]:
    return {link.name: link for link in parse_link_table(bodies("links")).links}


def test_every_link_is_there_with_its_kind(links: dict[str, Link]) -> None:
    assert {name: (link.ifindex, link.kind) for name, link in links.items()} == {
        "lo": (1, "loopback"),
        "br0": (2, "bridge"),
        "up1": (3, "veth"),
        "up0": (4, "veth"),
        "mv0": (5, "macvlan"),
        "v0": (20, "veth"),
    }


def test_a_bridge_has_its_attributes_and_alias(links: dict[str, Link]) -> None:
    bridge = links["br0"]
    assert bridge.bridge == BridgeInfo(ageing_time=30000)
    assert bridge.alias.startswith('dnet-tui:{"name":"front"')
    assert bridge.mac == "02:00:00:00:00:01"
    assert bridge.port is None
    assert (bridge.up, bridge.carrier, bridge.operstate, bridge.mtu) == (True, True, "UP", 1500)
    assert (bridge.stats.rx_packets, bridge.stats.rx_bytes) == (1, 76)
    assert (bridge.stats.tx_packets, bridge.stats.tx_bytes) == (1, 110)


def test_a_bridge_port_has_its_flags(links: dict[str, Link]) -> None:
    port = links["v0"].port
    assert port is not None
    assert (port.state, port.isolated, port.hairpin, port.flood) == ("forwarding", True, True, False)
    assert (port.broadcast_flood, port.multicast_flood, port.learning, port.guard) == (True, True, True, False)
    assert links["v0"].master == 2


def test_what_lies_below_is_kept_raw(links: dict[str, Link]) -> None:
    assert (links["v0"].lower, links["v0"].lower_nsid) == (21, 0)
    assert (links["up0"].lower, links["up0"].lower_nsid) == (3, None)
    assert (links["mv0"].lower, links["mv0"].lower_nsid) == (4, None)
    assert (links["br0"].lower, links["br0"].lower_nsid) == (None, None)


def test_a_link_that_is_down_says_so(links: dict[str, Link]) -> None:
    macvlan = links["mv0"]
    assert (macvlan.up, macvlan.carrier, macvlan.operstate) == (False, False, "DOWN")
    assert "UP" not in macvlan.flags


def test_addresses_have_scope_and_flags() -> None:
    found = parse_addresses(bodies("addresses"))
    by_cidr = {item.cidr: item for item in found}
    assert by_cidr["127.0.0.1/8"].scope == "host"
    assert by_cidr["198.51.100.9/24"].flags == ("secondary", "permanent")
    assert by_cidr["2001:db8::2/64"] == Address(
        ifindex=4, family="ip6", address="2001:db8::2", prefixlen=64, flags=("nodad", "permanent")
    )


def test_a_point_to_point_address_is_the_local_end() -> None:
    found = [item.address for item in parse_addresses(bodies("addresses")) if item.ifindex == 3 and item.family == "ip"]
    assert found == ["192.0.2.1"]


def test_neighbours_leave_out_what_nobody_asked_for() -> None:
    assert parse_neighbours(bodies("neighbours")) == (
        Neighbour(ifindex=2, family="ip", address="10.10.0.2", mac="02:00:00:00:00:02", state="PERMANENT"),
        Neighbour(ifindex=2, family="ip", address="10.10.0.3", mac="02:00:00:00:00:03", state="STALE"),
    )
    assert len(bodies("neighbours")) > 2, "the dump held NOARP entries to leave out"


def test_the_fdb_is_the_bridges_alone() -> None:
    assert parse_fdb(bodies("fdb")) == (
        FdbEntry(ifindex=2, mac="02:00:00:00:00:01", master=2, state="permanent"),
        FdbEntry(ifindex=20, mac="02:00:00:00:00:22", master=2, state="static"),
        FdbEntry(ifindex=20, mac="02:00:00:00:00:02", master=2, state="dynamic"),
        FdbEntry(ifindex=20, mac="22:14:ad:fd:9c:ec", master=2, state="permanent"),
    )


@settings(max_examples=examples(150), deadline=None)
@given(st.lists(st.binary(max_size=120), max_size=3))
def test_random_bytes_never_crash_a_parser(noise: list[bytes]) -> None:
    for parser in (_links, parse_addresses, parse_neighbours, parse_fdb, parse_routes, parse_rules):
        parser(noise)


@settings(max_examples=examples(150), deadline=None)
@given(st.data())
def test_a_damaged_message_never_crashes_a_parser(data: st.DataObject) -> None:
    parsers = {
        "links": _links,
        "addresses": parse_addresses,
        "neighbours": parse_neighbours,
        "fdb": parse_fdb,
        "routes": parse_routes,
        "rules": parse_rules,
    }
    section = data.draw(st.sampled_from(sorted(parsers)))
    body = bytearray(data.draw(st.sampled_from(bodies(section))))
    for place in data.draw(st.lists(st.integers(0, len(body) - 1), max_size=8)):
        body[place] = data.draw(st.integers(0, 255))
    parsers[section]([bytes(body[: data.draw(st.integers(0, len(body)))])])


def neighbour(family: int, state: int, flags: int, *attributes: bytes, index: int = 3) -> bytes:
    """An RTM_NEWNEIGH."""
    return struct.pack("=BxxxiHBB", family, index, state, flags, 1) + b"".join(attributes)


MAC = attribute(2, bytes.fromhex("020000000005"))
DST, DST6 = attribute(1, bytes([192, 0, 2, 9])), attribute(1, bytes.fromhex("20010db8000000000000000000000009"))
AF_INET, AF_INET6, AF_BRIDGE = 2, 10, 7


def test_a_neighbours_flags_are_named() -> None:
    managed = attribute(15, struct.pack("=I", 1))
    (router, kept) = parse_neighbours(
        [neighbour(AF_INET6, 0x02, 0x80, DST6, MAC), neighbour(AF_INET, 0x02, 0x10, DST, MAC, managed)]
    )
    assert router.flags == ("router",)
    assert kept.flags == ("extern_learn", "managed")


def test_an_address_that_is_answered_for_is_no_neighbour() -> None:
    proxied = [neighbour(AF_INET, 0x80, 0x08, DST), neighbour(AF_INET6, 0, 0x08, DST6)]
    assert parse_neighbours(proxied) == ()
    assert parse_proxied([*proxied, neighbour(AF_INET, 0x02, 0, DST, MAC), b"short"]) == (
        ProxiedAddress(ifindex=3, family="ip", address="192.0.2.9"),
        ProxiedAddress(ifindex=3, family="ip6", address="2001:db8::9"),
    )


def test_a_vxlan_devices_remotes_are_told_and_its_own_filters_not() -> None:
    master = attribute(9, struct.pack("=I", 2))
    remote = neighbour(
        AF_BRIDGE, 0x80, 0x02, MAC, DST, attribute(6, (4790).to_bytes(2, "big")), attribute(7, struct.pack("=I", 7))
    )
    learnt = neighbour(AF_BRIDGE, 0x02, 0x10 | 0x20 | 0x40, MAC, master, attribute(5, struct.pack("=H", 20)))
    filtered = neighbour(AF_BRIDGE, 0x80, 0x02, MAC)
    assert parse_fdb([remote, learnt, filtered]) == (
        FdbEntry(ifindex=3, mac="02:00:00:00:00:05", state="permanent", remote="192.0.2.9", port=4790, vni=7),
        FdbEntry(
            ifindex=3,
            mac="02:00:00:00:00:05",
            master=2,
            vlan=20,
            state="dynamic",
            flags=("extern_learn", "offload", "sticky"),
        ),
    )


def test_the_other_end_of_a_point_to_point_address_is_told() -> None:
    peers = {item.address: item.peer for item in parse_addresses(bodies("addresses"))}
    assert peers["192.0.2.1"] == "192.0.2.2"
    assert {peer for address, peer in peers.items() if address != "192.0.2.1"} == {""}
