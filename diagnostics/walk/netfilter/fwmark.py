"""What a rule does to the packet's mark, to its connection's, and to its header.  Pure.

Source: the kernel's xt_mark.c, xt_connmark.c, nft_meta.c and nft_ct.c.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from dnet_tui.diagnostics.walk.packet import Packet, replace
from dnet_tui.inspect.model.firewall import SetField, SetMark, SetZone

_ALL = 0xFFFFFFFF


def marked(packet: Packet, action: SetMark, *, certain: bool) -> Packet:
    """The packet with a mark set; if that isn't certain, the mark is known only where nothing changes."""
    if (action.where == "ct" or action.op in {"save", "restore"}) and packet.ctstate in {"INVALID", "UNTRACKED"}:
        return packet  # there is no connection (connmark_tg)
    to_ct = action.op == "save" or (action.op in {"set", "unknown"} and action.where == "ct")
    old = packet.ctmark if to_ct else packet.mark
    new = _new(packet, action, old)
    value = new if certain or new == old else None
    return msgspec.structs.replace(packet, ctmark=value) if to_ct else msgspec.structs.replace(packet, mark=value)


def _new(packet: Packet, action: SetMark, old: int | None) -> int | None:
    if action.op == "set" and action.mask == _ALL:
        return action.value
    if action.op == "unknown" or old is None:
        return None
    if action.op == "set":
        return (old & ~action.mask & _ALL) ^ action.value
    source = packet.mark if action.op == "save" else packet.ctmark
    copied = action.mask if action.source_mask is None else action.source_mask
    # connmark_tg_shift: the old bits are cleared under one mask, and those of the other flip what is left.
    return None if source is None else (old & ~action.mask & _ALL) ^ (source & copied)


def changed(packet: Packet, action: SetField, *, certain: bool) -> Packet:
    """The packet with a field of its header set (xt_HL.c, xt_DSCP.c, xt_CLASSIFY.c, xt_TCPMSS.c)."""
    old: int | None = getattr(packet, action.field)
    if action.field == "mss" and (packet.proto != "tcp" or "SYN" not in packet.tcp_flags):
        return packet
    new: int | None = None
    if action.op == "set":
        whole = action.mask & _WIDTHS[action.field] == _WIDTHS[action.field]
        new = action.value if whole else None if old is None else (old & ~action.mask) ^ action.value
    elif action.op == "add" and old is not None:
        new = min(max(old + action.value, 0), _WIDTHS[action.field])
    elif action.op == "at-most" and old is not None:
        new = min(old, action.value)
    return replace(packet, **{action.field: new if certain or new == old else None})


def zoned(packet: Packet, action: SetZone, *, certain: bool, retracks: bool) -> Packet:
    """The packet in a conntrack zone, or one direction of it (xt_CT.c, nft_ct.c): the first rule that says so decides.

    Without a number the packet's mark is the zone's.  Until conntrack has it,
    the packet has a template: a new connection to every rule, of no addresses.
    iptables leaves alone what is untracked; nftables' rule ``retracks`` it.
    """
    if packet.ctstate != "INVALID" and not (retracks and packet.ctstate == "UNTRACKED"):
        return packet
    none = "0.0.0.0" if packet.family == "ip" else "::"  # noqa: S104 - no address
    zone = packet.mark if action.zone is None and packet.mark is not None else action.zone
    if not certain or zone is None or zone > _LAST_ZONE:
        return replace(packet, zone=None, reply_zone=None)
    return replace(
        packet,
        ctstate="NEW",
        ctmark=0,
        original=(none, none, 0),
        orig_sport=0,
        answered=(none, none, 0, 0),
        ctproto="0",
        zone=0 if action.direction == "reply" else zone,
        reply_zone=0 if action.direction == "original" else zone,
    )


_LAST_ZONE = 0xFFFF
_WIDTHS = {"ttl": 0xFF, "tos": 0xFF, "priority": _ALL, "mss": 0xFFFF}
_BLENDED = ("mark", "ctmark", "tos", "ttl", "priority", "mss", "zone", "reply_zone", "labels")
UNKNOWN: dict[str, None] = dict.fromkeys(_BLENDED)
"""What nobody can tell of a packet after a rule whose action isn't modelled."""
_KEPT = ("mark", "tos", "ttl", "priority", "mss", "remembered", "taken_by", "established")


def with_changes(packet: Packet, after: Packet) -> Packet:
    """A packet with what rules have changed of it, where only that is taken over."""
    return replace(packet, **{field: getattr(after, field) for field in _KEPT})


def blended(packets: Sequence[Packet]) -> tuple[Packet, bool]:
    """A packet that may be any of these: what differs isn't known.  False: they differ in more than that."""
    first, *others = packets
    for other in others:
        differing = {field: None for field in _BLENDED if getattr(first, field) != getattr(other, field)}
        remembered = first.remembered
        if remembered != other.remembered:
            both = dict.fromkeys((*remembered, *other.remembered))
            same = set(remembered) & set(other.remembered)
            remembered = tuple(item if item in same else f"?{item[1:]}" for item in both)
        first = replace(first, remembered=remembered, **differing)
    alike = {**UNKNOWN, "remembered": ()}
    return first, all(replace(other, **alike) == replace(first, **alike) for other in others)
