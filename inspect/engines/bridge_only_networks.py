"""Networks that no engine made: bridges that carry dnet-tui's own intention in their alias.  Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from dnet_tui.inspect.model import Link, Namespace, Network, Subnet
from dnet_tui.inspect.model.coverage.gaps import Gap
from dnet_tui.inspect.model.coverage.sections import known_items
from dnet_tui.inspect.model.engine_kinds.others import LINUX
from dnet_tui.inspect.model.network_label import Intention, decode, is_ours


def plain_networks(host: Namespace) -> tuple[tuple[Network, ...], tuple[Gap, ...]]:
    """The plain-Linux networks of the host, and a gap for each alias of ours that can't be understood.

    A bridge without such an alias gets no network: nobody said what it is for.
    """
    networks: list[Network] = []
    gaps: list[Gap] = []
    for link in known_items(host.links):
        if link.kind != "bridge" or not is_ours(link.alias):
            continue
        intention = decode(link.alias)
        if intention is None:
            gaps.append(
                Gap(
                    section="networks",
                    scope=link.name,
                    reason="the note that dnet-tui keeps in its alias can't be understood: its purpose is unknown",
                    hint=f"look at it: ip -d link show dev {link.name}",
                )
            )
            continue
        networks.append(_network(link, intention, host))
    return tuple(networks), tuple(gaps)


def _network(link: Link, intention: Intention, host: Namespace) -> Network:
    subnets = tuple(_subnets(link, host))
    return Network(
        id=f"{LINUX.kind}:{link.name}",
        name=intention.name,
        engine=LINUX.kind,
        driver="bridge",
        bridge=link.name,
        subnets=subnets,
        internal=intention.internal,
        icc=intention.icc,
        masquerade=intention.masquerade and not intention.internal,
        isolated=intention.isolated,
        ipv6=any(":" in subnet.cidr for subnet in subnets),
        mtu=link.mtu or None,
    )


def _subnets(link: Link, host: Namespace) -> Iterator[Subnet]:
    """The bridge's own addresses are the gateways; link-local ones are no network's range."""
    for item in known_items(host.addresses):
        if item.ifindex == link.ifindex and item.scope == "global":
            yield Subnet(cidr=str(ipaddress.ip_interface(item.cidr).network), gateway=item.address)
