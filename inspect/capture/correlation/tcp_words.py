"""A word for what happened in a TCP connection, and where its numbers begin.  Pure."""

from __future__ import annotations

from dnet_tui.inspect.capture.correlation.flow_table import CapturedFlow
from dnet_tui.inspect.capture.correlation.packet_identity import TCP
from dnet_tui.inspect.capture.correlation.packet_row import PacketRow

FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10
_HALF = 1 << 31
_RANGE = 1 << 32


def after(left: int, right: int) -> bool:
    """Whether sequence number ``left`` comes after ``right`` (RFC 9293 §3.4)."""
    return 0 < (left - right) % _RANGE < _HALF


def note_tcp(row: PacketRow, flow: CapturedFlow) -> None:
    """Say of a new row what it is in its connection: a retransmission, a reset."""
    identity = row.identity
    ends = identity.ends
    if ends is None or ends.proto != TCP or identity.later:
        return
    flags = identity.flags
    flow.syn_only = flags & (SYN | ACK) == SYN and (flow.syn_only or flow.packets == 1)
    if flags & RST:
        row.words.append("reset")
        return
    size = identity.size + bool(flags & SYN) + bool(flags & FIN)
    end = (identity.seq + size) % _RANGE
    if flags & SYN and (flow.first_seq != identity.seq):
        flow.first_seq, flow.next_seq = identity.seq, end
        return
    if flow.first_seq < 0:
        flow.first_seq = identity.seq
        flow.next_seq = end
        return
    if size and not after(end, flow.next_seq):
        keepalive = size == 1 and identity.size <= 1 and end == flow.next_seq and not flags & (SYN | FIN)
        row.words.append("keep-alive" if keepalive else "retransmission")
    elif after(end, flow.next_seq):
        flow.next_seq = end
