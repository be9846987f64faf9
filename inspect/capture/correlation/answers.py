"""Which packet another one answers.  Pure.

An echo reply by its id and number, a TCP segment by what it acknowledges, a
DNS answer by its id, an ICMP error by the packet it quotes.  Any other UDP
packet answers the only one that awaits an answer; where several do, nobody
can say which.
"""

from __future__ import annotations

from dnet_tui.inspect.capture.correlation.flow_table import CapturedFlow, FlowTable
from dnet_tui.inspect.capture.correlation.packet_identity import ICMP, ICMP6, TCP, UDP, PacketIdentity
from dnet_tui.inspect.capture.correlation.packet_row import PacketRow
from dnet_tui.inspect.capture.correlation.tcp_words import ACK, FIN, RST, SYN, after

_PATIENCE_NS = 10_000_000_000
"""Who was not answered for so long is not awaited any more."""

_WELL_KNOWN = 1024
"""From a port below it to one above, a packet that seems to be the first is an answer whose question was missed."""

_DNS = frozenset({53, 5353, 5355})
_ECHO = {(ICMP, 8), (ICMP6, 128)}
_REPLY = {(ICMP, 0), (ICMP6, 129)}


def find_question(row: PacketRow, flow: CapturedFlow, flows: FlowTable) -> None:
    """Find what a new row answers, or note that it awaits an answer."""
    identity = row.identity
    ends = identity.ends
    if ends is None or identity.later:
        return
    if flow.reverse is None:
        back = flows.get(ends.reverse())
        if back is not None and back is not flow:
            flow.reverse, back.reverse = back, flow
    if identity.about is not None:
        _error(row, identity.about, flows)
    elif ends.proto == TCP:
        _tcp(row, flow, flows)
    elif ends.proto == UDP:
        _udp(row, flow, flows)
    elif (ends.proto, identity.kind) in _ECHO:
        flows.await_answer(flow, row)
    elif (ends.proto, identity.kind) in _REPLY and flow.reverse is not None:
        _take(row, flow.reverse, lambda asked: asked.identity.seq == identity.seq)


def _take(row: PacketRow, asker: CapturedFlow, fits: object) -> None:
    """Answer the one of the awaiting rows that fits."""
    for asked in asker.awaiting:
        if fits(asked):  # type: ignore[operator]
            _answers(row, asked, asker)
            asker.awaiting.remove(asked)
            return


def _answers(row: PacketRow, asked: PacketRow, asker: CapturedFlow) -> None:
    row.question, row.answer_to = asked, asked.number
    asker.answered += 1


def _error(row: PacketRow, about: PacketIdentity, flows: FlowTable) -> None:
    asker = flows.get(about.ends) if about.ends is not None else None
    if asker is None:
        return
    for asked in reversed(asker.awaiting):
        mine = asked.identity
        if mine.ident == about.ident and (mine.seq == about.seq or about.ends.proto == UDP):  # type: ignore[union-attr]
            _answers(row, asked, asker)
            asker.answered -= 1
            return


def _tcp(row: PacketRow, flow: CapturedFlow, flows: FlowTable) -> None:
    identity = row.identity
    flags = identity.flags
    back = flow.reverse
    if back is not None and flags & ACK:
        newest: PacketRow | None = None
        while back.awaiting and not after(_end(back.awaiting[0]), identity.ack):
            newest = back.awaiting.popleft()
            back.answered += 1
        if newest is not None and "retransmission" not in newest.words:  # which of the two it answers: who knows
            row.question, row.answer_to = newest, newest.number
    elif back is not None and flags & RST and back.awaiting:
        _answers(row, back.awaiting.popleft(), back)
    if (identity.size or flags & (SYN | FIN)) and not flags & RST:
        flows.await_answer(flow, row)


def _end(row: PacketRow) -> int:
    identity = row.identity
    return (identity.seq + identity.size + bool(identity.flags & SYN) + bool(identity.flags & FIN)) % (1 << 32)


def _udp(row: PacketRow, flow: CapturedFlow, flows: FlowTable) -> None:
    back, ends = flow.reverse, row.identity.ends
    if back is not None:
        while back.awaiting and row.packet.time_ns - back.awaiting[0].packet.time_ns > _PATIENCE_NS:
            back.awaiting.popleft()
        if ends is not None and ends.sport in _DNS:
            mine = _dns_id(row)
            _take(row, back, lambda asked: _dns_id(asked) == mine)
        elif len(back.awaiting) == 1:
            _take(row, back, lambda _: True)
        if row.answer_to or back.number < flow.number:
            return  # who began asks
    if ends is not None and (ends.sport >= _WELL_KNOWN or ends.dport < _WELL_KNOWN):
        flows.await_answer(flow, row)


def _dns_id(row: PacketRow) -> bytes:
    """The message's id: the first two bytes of what UDP carries."""
    data, size = row.packet.data, row.identity.size
    end = len(data)
    ip = 0 if row.packet.linktype != 1 else 14
    if data[ip : ip + 1] and data[ip] >> 4 == 4:
        end = min(end, ip + int.from_bytes(data[ip + 2 : ip + 4], "big"))
    start = end - size
    return data[start : start + 2] if start > 0 else b""
