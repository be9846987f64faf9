"""What rules have put of a packet into sets and lists, for the rules that ask for it afterwards.  Pure.

An entry is ``NAMESPACE LIST ADDRESS...``, with a sign before it: ``+`` for
what was put in, ``-`` for what was taken out, ``?`` where either is possible.
"""

from __future__ import annotations

import ipaddress

from dnet_tui.diagnostics.walk.packet import Packet, Truth, replace
from dnet_tui.inspect.model.firewall import Remember


def remember(packet: Packet, namespace: str, action: Remember, *, certain: bool) -> Packet:
    """The packet with what a rule has remembered of it."""
    if action.kind == "label":
        if packet.labels is None or packet.ctstate in {"INVALID", "UNTRACKED"}:
            return packet
        labels = None if not certain else tuple(dict.fromkeys((*packet.labels, action.name)))
        return replace(packet, labels=labels)
    sign = "?" if not certain else "-" if action.remove else "+"
    if action.kind == "recent":
        entry = _entry(packet, namespace, f"recent {action.name} {action.key[0]}")
    else:
        entry = _entry(packet, namespace, f"{action.kind} {action.name}", keyed=_key(packet, action.key))
    return replace(packet, remembered=(*packet.remembered, sign + entry))


def _entry(packet: Packet, namespace: str, where: str, keyed: str = "") -> str:
    return f"{namespace} {where} {keyed or _address(packet, where.rpartition(' ')[2])}"


def _address(packet: Packet, side: str) -> str:
    return str(ipaddress.ip_address(packet.dst if side == "dst" else packet.src))


def _key(packet: Packet, fields: tuple[str, ...]) -> str:
    """The packet's values as far as sets look at them: where they are the same, so is the element."""
    values = (packet.src, packet.dst, packet.proto, packet.sport, packet.dport, packet.iif, packet.oif, packet.mark)
    return f"{','.join(fields)} {','.join(map(str, values))}"


def times_remembered(packet: Packet, namespace: str, name: str, side: str, *, exact: bool) -> int | None:
    """How often rules have put a packet's address on a list of recent ones; None where that can't be told.

    ``exact``: the list holds single addresses, so that others put on it don't matter.
    """
    mine, place = _address(packet, side), f"{namespace} recent {name} "
    count = 0
    for item in packet.remembered:
        if not item[1:].startswith(place):
            continue
        if item.rpartition(" ")[2] == mine and item[0] == "+":
            count += 1
        elif item.rpartition(" ")[2] == mine or not exact:
            return None
    return count


def is_remembered(packet: Packet, namespace: str, kind: str, name: str, key: tuple[str, ...]) -> tuple[bool, Truth]:
    """Whether a rule has changed a set, and whether the packet's element is then in it."""
    place = f"{namespace} {kind} {name} "
    changes = [item for item in packet.remembered if item[1:].startswith(place)]
    if not changes:
        return False, None
    last = changes[-1]
    if last[1:] != _entry(packet, namespace, f"{kind} {name}", keyed=_key(packet, key)):
        return True, None
    return True, {"+": True, "-": False}.get(last[0])
