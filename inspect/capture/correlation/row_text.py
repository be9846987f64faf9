"""Parts of a row as text: its ends, its numbers counted from the connection's beginning.  Pure."""

from __future__ import annotations

import socket

from dnet_tui.inspect.capture.correlation.packet_row import PacketRow


def relative(info: str, row: PacketRow) -> str:
    """A segment's text with its numbers counted from where its connection began, as far as that was seen."""
    flow, identity = row.flow, row.identity
    if flow is None or identity.flags & 0x02 or flow.first_seq < 0:
        return info
    info = info.replace(f"seq {identity.seq},", f"seq {(identity.seq - flow.first_seq) % (1 << 32)},", 1)
    back = flow.reverse
    if back is None or back.first_seq < 0:
        return info
    return info.replace(f"ack {identity.ack},", f"ack {(identity.ack - back.first_seq) % (1 << 32)},", 1)


def row_remarks(row: PacketRow) -> list[str]:
    """What there is to say of the row itself."""
    said = (
        (row.alike, "one of several just alike"),
        (row.apart, "may be a packet of another row"),
        (row.hurried, "not followed further, for want of memory"),
    )
    return [*row.words, *(text for holds, text in said if holds)]


def address_text(address: bytes) -> str:
    """A packed address as text."""
    return socket.inet_ntop(socket.AF_INET6 if len(address) == 16 else socket.AF_INET, address)


def end_text(address: bytes, port: int) -> str:
    """An address with its port, if it has one."""
    text = address_text(address)
    if not port:
        return text
    return f"[{text}]:{port}" if ":" in text else f"{text}:{port}"
