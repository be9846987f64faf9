"""The purpose of a plain-Linux network, kept in its bridge's alias."""

from __future__ import annotations

import pytest

from dnet_tui.inspect.engines.bridge_only_networks import plain_networks
from dnet_tui.inspect.errors import UsageError
from dnet_tui.inspect.model import Address, Link, Namespace, Subnet
from dnet_tui.inspect.model.network_label import MAX_BYTES, Intention, decode, encode, is_ours


def test_an_intention_is_compact_json_behind_the_prefix() -> None:
    assert (
        encode(Intention(name="front"))
        == 'dnet-tui:{"name":"front","masquerade":true,"isolated":true,"internal":false,"icc":true}'
    )


@pytest.mark.parametrize(
    "intention",
    [Intention(name="a", masquerade=False, isolated=False, internal=True, icc=False), Intention(name='q"\\ü')],
)
def test_what_is_written_is_read_back(intention: Intention) -> None:
    assert decode(encode(intention)) == intention


@pytest.mark.parametrize(
    "alias",
    [
        "",
        "uplink to rack 7",
        '{"name":"front"}',
        "dnet-tui:",
        "dnet-tui:{",
        "dnet-tui:[]",
        'dnet-tui:{"name":""}',
        'dnet-tui:{"name":7}',
        'dnet-tui:{"name":"x","icc":"yes"}',
        "dnet-tui:{}",
    ],
)
def test_another_alias_says_nothing(alias: str) -> None:
    assert decode(alias) is None


def test_an_alias_from_a_newer_version_is_still_understood() -> None:
    assert decode('dnet-tui:{"name":"x","colour":"red"}') == Intention(name="x")


def test_a_name_that_the_kernel_would_not_take_is_refused() -> None:
    room = MAX_BYTES - len(encode(Intention(name="")))
    assert len(encode(Intention(name="x" * room))) == MAX_BYTES
    with pytest.raises(UsageError, match="too long by 1 bytes"):
        encode(Intention(name="x" * (room + 1)))
    with pytest.raises(UsageError):
        encode(Intention(name="ü" * room))


def host(*links: Link) -> Namespace:
    addresses = (
        Address(ifindex=2, family="ip", address="10.10.0.1", prefixlen=24),
        Address(ifindex=2, family="ip6", address="2001:db8::1", prefixlen=64),
        Address(ifindex=2, family="ip6", address="fe80::1", prefixlen=64, scope="link"),
        Address(ifindex=3, family="ip", address="192.0.2.1", prefixlen=24),
    )
    return Namespace(id="net:[1]", inode=1, kind="host", links=links, addresses=addresses)


def test_a_bridge_with_an_intention_is_a_network() -> None:
    alias = encode(Intention(name="front", icc=False))
    (network,), gaps = plain_networks(host(Link(ifindex=2, name="br0", kind="bridge", alias=alias, mtu=1400)))
    assert (network.id, network.name, network.engine, network.bridge) == ("linux:br0", "front", "linux", "br0")
    assert network.subnets == (
        Subnet(cidr="10.10.0.0/24", gateway="10.10.0.1"),
        Subnet(cidr="2001:db8::/64", gateway="2001:db8::1"),
    )
    assert (network.icc, network.masquerade, network.isolated, network.internal) == (False, True, True, False)
    assert (network.ipv6, network.mtu) == (True, 1400)
    assert gaps == ()


def test_an_internal_network_is_not_meant_to_be_masqueraded() -> None:
    alias = encode(Intention(name="vault", internal=True))
    (network,), _ = plain_networks(host(Link(ifindex=2, name="br0", kind="bridge", alias=alias)))
    assert (network.internal, network.masquerade) == (True, False)


def test_a_bridge_nobody_explains_is_no_network_and_no_gap() -> None:
    assert plain_networks(host(Link(ifindex=2, name="virbr0", kind="bridge", alias="libvirt's"))) == ((), ())


def test_only_bridges_can_be_networks() -> None:
    alias = encode(Intention(name="front"))
    assert plain_networks(host(Link(ifindex=2, name="eth0", kind="veth", alias=alias))) == ((), ())


def test_an_alias_of_ours_that_is_damaged_is_a_gap() -> None:
    assert is_ours("dnet-tui:{damaged")
    networks, (gap,) = plain_networks(host(Link(ifindex=2, name="br0", kind="bridge", alias="dnet-tui:{damaged")))
    assert networks == ()
    assert (gap.section, gap.scope) == ("networks", "br0")
