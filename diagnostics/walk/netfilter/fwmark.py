"""What a rule does to the packet's mark, and to its connection's.  Pure.

Source: the kernel's xt_mark.c, xt_connmark.c, nft_meta.c and nft_ct.c.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from dnet_tui.diagnostics.walk.packet import Packet
from dnet_tui.inspect.model.firewall import SetMark

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
    return None if source is None else (old & ~action.mask) | (source & action.mask)


def blended(packets: Sequence[Packet]) -> tuple[Packet, bool]:
    """A packet that may be any of these: marks that differ aren't known.  False: some are tracked and some aren't."""
    first, *others = packets
    for other in others:
        first = msgspec.structs.replace(
            first,
            mark=first.mark if first.mark == other.mark else None,
            ctmark=first.ctmark if first.ctmark == other.ctmark else None,
        )
    return first, all(other.ctstate == first.ctstate for other in others)
