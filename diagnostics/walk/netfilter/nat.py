"""NAT: rewriting a packet, and undoing it for the answer.  Pure.

Sources: iptables-extensions(8) for the statements; nf_nat_core.c
(``get_unique_tuple``), nf_nat_masquerade.c, nf_nat_redirect.c and xt_NETMAP.c
for what is chosen; nf_nat_core.c for the order in which a reply is
translated back (destination before routing, source after it).
"""

from __future__ import annotations

import ipaddress
import re

import msgspec

from dnet_tui.diagnostics.walk.match.values import contains
from dnet_tui.diagnostics.walk.packet import Packet, replace
from dnet_tui.inspect.model import Address, Namespace
from dnet_tui.inspect.model.firewall import Hook, Nat
from dnet_tui.inspect.text.number_ranges import PORTS, parse_range

_UNIQUE_LOCAL = ipaddress.IPv6Network("fc00::/7")
_PORTS = re.compile(r"\d{1,5}(?:-\d{1,5})?", re.ASCII)
_ADDRESSES = re.compile(r"[0-9a-fA-F.:]+(?:-[0-9a-fA-F.:]+)?", re.ASCII)
_FEW = 16
"""Up to so many addresses that the kernel may choose from are looked at one by one."""


class Rewritten(msgspec.Struct, frozen=True, kw_only=True):
    """The packet after a NAT statement; or why it is lost (``dropped``), or why nobody can tell (``unknown``)."""

    packet: Packet
    dropped: str = ""
    unknown: str = ""
    hedge: str = ""
    """What was taken for granted: one of many that the kernel may choose."""


def apply_nat(ns: Namespace, nat: Nat, packet: Packet, hook: Hook, *, device: str, next_hop: str = "") -> Rewritten:
    """Rewrite a packet as a NAT statement says.

    ``device`` is the interface of the hook, ``next_hop`` where the route
    leads: MASQUERADE chooses its address by them.
    """
    if nat.kind in {"dnat", "redirect"}:
        return _destination(ns, nat, packet, hook, device)
    if nat.kind == "netmap":
        return _netmap(nat, packet, hook)
    if nat.kind == "masquerade":
        address = masquerade_address(ns, device, next_hop or packet.dst, packet.dst)
        if not address:
            return Rewritten(packet=packet, dropped=f"{device} has no address to masquerade with")
        return _source(packet, address, nat)
    if stays(nat, packet):
        return Rewritten(packet=packet)
    first, _, last = nat.addresses.strip("[]").partition("-")
    done = _source(packet, first or packet.src, nat)
    many = f"the first of the addresses {nat.addresses} is assumed" if last and last != first else ""
    return msgspec.structs.replace(done, hedge=many)


def _destination(ns: Namespace, nat: Nat, packet: Packet, hook: Hook, device: str) -> Rewritten:
    first, _, last = nat.addresses.strip("[]").partition("-")
    if nat.kind == "redirect":
        first = redirect_address(ns, device, hook, packet.family)
        if not first:
            return Rewritten(packet=packet, dropped=f"{device} has no address to redirect to")
    many = [f"addresses {nat.addresses}"] if last and last != first and nat.kind != "redirect" else []
    at_random = bool({"random", "random-fully"} & set(nat.flags)) and not nat.ports.isdecimal()
    port = packet.dport if not nat.ports else None if at_random else shifted_port(nat, packet.dport or 0)
    if port is None and nat.ports:
        # The first that is free, since Linux 6.8 (nf_nat_l4proto_unique_tuple); any of them before.
        port = int(nat.ports.partition("-")[0])
        many.append(f"ports {nat.ports}")
    hedge = f"the first of the {' and the '.join(many)} is assumed" if many else ""
    return Rewritten(packet=_with_destination(packet, first or packet.dst, port), hedge=hedge)


def _with_destination(packet: Packet, address: str, port: int | None) -> Packet:
    port = port if packet.proto not in {"icmp", "icmpv6"} else packet.dport
    if (address, port) == (packet.dst, packet.dport):
        return packet  # IPS_DST_NAT is only set when the tuple changes (nf_nat_setup_info)
    return replace(packet, dst=address, dport=port, dnatted=True)


def _source(packet: Packet, address: str, nat: Nat) -> Rewritten:
    port: int | None = packet.sport
    at_random = bool({"random", "random-fully"} & set(nat.flags))
    echo = packet.proto in {"icmp", "icmpv6"}
    if not echo:
        known = packet.sport is not None or bool(nat.ports)  # an outer packet's own port may be any
        chosen = shifted_port(nat, packet.sport or 0) if known else None
        port = None if chosen is None or at_random else chosen
    if (address, port) == (packet.src, packet.sport) and not (echo and at_random):
        return Rewritten(packet=packet)  # of an echo the identifier is chosen anew (nf_nat_l4proto_unique_tuple)
    return Rewritten(
        packet=replace(packet, src=address, sport=port, sports=None if at_random else packet.sports, snatted=True)
    )


def chosen_nat(nat: Nat, data: str) -> Nat | None:
    """A NAT statement with what its map has for a packet: ``10.0.0.2``, ``10.0.0.2 . 80``, or a port; else None."""
    if nat.choice is None:
        return nat
    first, _, rest = data.partition(" . ")
    if nat.choice.part == "ports":
        found = {"ports": first} if _PORTS.fullmatch(first) and not rest else None
    elif _ADDRESSES.fullmatch(first) and (not rest or (_PORTS.fullmatch(rest) and not nat.ports)):
        found = {"addresses": first} | ({"ports": rest} if rest else {})
    else:
        found = None
    return msgspec.structs.replace(nat, choice=None, **found) if found is not None else None


def target_text(nat: Nat | None) -> str:
    """Where a statement leads, in words."""
    if nat is None:
        return "none"
    address = f"[{nat.addresses}]" if ":" in nat.addresses and nat.ports else nat.addresses
    return ":".join(part for part in (address, nat.ports) if part) or nat.kind


def stays(nat: Nat, packet: Packet) -> bool:
    """Whether a source is among those that it may get already: the original is tried first (get_unique_tuple)."""
    first, _, last = nat.addresses.partition("-")
    if nat.kind != "snat" or not last or nat.ports or "random-fully" in nat.flags:
        return False
    numbers = [ipaddress.ip_address(item) for item in (first, packet.src, last)]
    return len({item.version for item in numbers}) == 1 and int(numbers[0]) <= int(numbers[1]) <= int(numbers[2])


def each_address(nat: Nat, packet: Packet) -> tuple[Nat, ...]:
    """A statement that chooses one of a few addresses for a packet, as one statement for each; otherwise itself."""
    if stays(nat, packet):
        return (nat,)
    first, _, last = nat.addresses.strip("[]").partition("-")
    if not last or nat.kind not in {"snat", "dnat"}:
        return _each_port(nat)
    low, high = ipaddress.ip_address(first), ipaddress.ip_address(last)
    if low.version != high.version or not 0 <= int(high) - int(low) < _FEW:
        return (nat,)
    return tuple(
        msgspec.structs.replace(nat, addresses=str(type(low)(number))) for number in range(int(low), int(high) + 1)
    )


def _each_port(nat: Nat) -> tuple[Nat, ...]:
    """The same for a few ports of a destination, of which the kernel takes any that is free."""
    span = parse_range(nat.ports, PORTS, separators="-:") if nat.ports else None
    few = span is not None and 0 < span.high - span.low < _FEW
    if span is None or not few or nat.base is not None or nat.kind not in {"dnat", "redirect"}:
        return (nat,)
    return tuple(msgspec.structs.replace(nat, ports=str(port)) for port in range(span.low, span.high + 1))


def shifted_port(nat: Nat, current: int) -> int | None:
    """The port after NAT, with the shift of ``1000-2000/3000``: 3000 becomes 1000, and round again past the end."""
    span = parse_range(nat.ports, PORTS, separators="-:") if nat.base is not None else None
    if span is None or nat.base is None:
        return chosen_port(nat.ports, current)
    return span.low + ((current - nat.base) & PORTS) % (span.high - span.low + 1)


def chosen_port(ports: str, current: int) -> int | None:
    """The port after NAT to ``ports`` (``""``, ``80`` or ``80-90``): a port in the range stays; None when open."""
    if not ports:
        return current
    span = parse_range(ports, PORTS, separators="-:")
    if span is None:
        return None
    if current in span:
        return current
    return span.low if span.low == span.high else None


def _netmap(nat: Nat, packet: Packet, hook: Hook) -> Rewritten:
    """Replace the network part, keep the host part (xt_NETMAP.c)."""
    try:
        net = ipaddress.ip_network(nat.addresses.partition("-")[0], strict=False)
    except ValueError:
        return Rewritten(packet=packet, unknown=f"{nat.addresses} can't be understood")
    if "-" in nat.addresses:
        return Rewritten(packet=packet, unknown="a prefix translation written as a range is not modelled")
    incoming = hook in {"prerouting", "output"}
    old = int(ipaddress.ip_address(packet.dst if incoming else packet.src))
    new = str(type(net.network_address)(int(net.network_address) | (old & int(net.hostmask))))
    if incoming:
        return Rewritten(packet=_with_destination(packet, new, packet.dport))
    return _source(packet, new, Nat(kind="snat"))


def masquerade_address(ns: Namespace, device: str, next_hop: str, destination: str) -> str:
    """The source that MASQUERADE takes: the device's nearest to the next hop, else another device's.

    ``inet_select_addr`` for IPv4; IPv6 chooses by the destination (RFC 6724).
    """
    index = _index(ns, device)
    if ":" in destination:
        return _select_ipv6(ns, index, destination)
    fitting = [a for a in ns.addresses if a.family == "ip" and a.scope == "global" and "secondary" not in a.flags]
    own = [item for item in fitting if item.ifindex == index]
    near = [item for item in own if _covers(item, next_hop)]
    return next((item.address for item in (*near, *own, *fitting)), "")


def _select_ipv6(ns: Namespace, index: int | None, destination: str) -> str:
    """``ipv6_dev_get_saddr``, as far as global addresses differ: the same, the device's, a like one, the nearest."""
    target = ipaddress.IPv6Address(destination)
    candidates = [
        item
        for item in ns.addresses
        if item.family == "ip6" and item.scope == "global" and not {"tentative", "dadfailed"} & set(item.flags)
    ]

    def rank(item: Address) -> tuple[bool, bool, bool, bool, int]:
        own = ipaddress.IPv6Address(item.address)
        common = 128 - (int(own) ^ int(target)).bit_length()
        return (
            own == target,
            "deprecated" not in item.flags,
            item.ifindex == index,
            (own in _UNIQUE_LOCAL) == (target in _UNIQUE_LOCAL),
            common,
        )

    return max(candidates, key=rank).address if candidates else ""


def redirect_address(ns: Namespace, device: str, hook: Hook, family: str) -> str:
    """Where REDIRECT leads: the loopback for what is made here, else the receiving device's first address."""
    if hook == "output":
        return "127.0.0.1" if family == "ip" else "::1"
    index = _index(ns, device)
    return next((a.address for a in ns.addresses if a.ifindex == index and a.family == family), "")


def _index(ns: Namespace, device: str) -> int | None:
    return next((link.ifindex for link in ns.links if link.name == device), None) if device else None


def _covers(item: Address, address: str) -> bool:
    return contains(item.cidr, address) is True


def undo_nat(hook: Hook, packet: Packet, before: Packet, after: Packet) -> Packet:
    """Translate an answer back: ``before`` and ``after`` are the connection's first packet around its NAT.

    An ICMP error has no ports of its own, and gets the source that the
    answer would have had, whoever made it (nf_nat_icmp_reply_translation).
    """
    if packet.proto != after.proto or (packet.icmp_type and not _is_echo(packet)):
        if hook in {"prerouting", "output"} and packet.dst == after.src:
            return replace(packet, dst=before.src)
        if hook in {"postrouting", "input"} and before.dst != after.dst:
            return replace(packet, src=before.dst)
        return packet
    if hook in {"prerouting", "output"} and (packet.dst, packet.dport) == (after.src, after.sport):
        return replace(packet, dst=before.src, dport=before.sport)
    if hook in {"postrouting", "input"} and (packet.src, packet.sport) == (after.dst, after.dport):
        return replace(packet, src=before.dst, sport=before.dport)
    return packet


def repeat_nat(hook: Hook, packet: Packet, before: Packet, after: Packet) -> Packet:
    """Translate a packet of an existing connection as its first one was, whatever the rules say by now."""
    if hook in {"prerouting", "output"} and (packet.dst, packet.dport) == (before.dst, before.dport):
        return replace(packet, dst=after.dst, dport=after.dport)
    if hook in {"postrouting", "input"} and (packet.src, packet.sport) == (before.src, before.sport):
        return replace(packet, src=after.src, sport=after.sport)
    return packet


def _is_echo(packet: Packet) -> bool:
    return packet.icmp_type in {"icmp": {0, 8}, "icmpv6": {128, 129}}.get(packet.proto, ())
