"""What conntrack makes of a packet in one namespace.  Pure.

Sources: nf_conntrack_core.c, nf_conntrack_proto_{tcp,icmp,icmpv6}.c: which
first packets open a connection; ``resolve_normal_ct`` for the states.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from dnet_tui.diagnostics.walk.netfilter.tcp_states import fate
from dnet_tui.diagnostics.walk.packet import CtState, Packet, replace
from dnet_tui.inspect.model import ConntrackEntry
from dnet_tui.inspect.model.protocols import PORT_PROTOCOLS

_OPENING_ICMP = {"icmp": frozenset({8, 13, 15, 17}), "icmpv6": frozenset({128})}
_ICMP_ERRORS = {"icmp": frozenset({3, 4, 5, 11, 12}), "icmpv6": frozenset({1, 2, 3, 4})}


class Connection(NamedTuple):
    """A connection as its first packet made it: before and after the NAT of one namespace.

    ``reply``: the packet that belongs to it travels the other way.
    ``seen_reply``: one has travelled that way already.
    """

    before: Packet
    after: Packet
    reply: bool = True
    seen_reply: bool = True
    is_ours: bool = True
    """Whether a walk has made it, rather than that it was tracked already."""
    state: str = ""
    """TCP's, of one that was tracked already."""


def is_icmp_error(packet: Packet) -> bool:
    """Whether it reports on another packet."""
    return packet.icmp_type in _ICMP_ERRORS.get(packet.proto, ())


def first_state(packet: Packet) -> CtState:
    """The state of a packet that belongs to no known connection."""
    if packet.proto in _OPENING_ICMP:
        return "NEW" if packet.icmp_type in _OPENING_ICMP[packet.proto] else "INVALID"
    flags = set(packet.tcp_flags)
    if packet.proto == "tcp" and flags:
        # tcp_conntracks[ORIGINAL][*][NONE]: a bare ACK is picked up (nf_conntrack_tcp_loose), these are not.
        return "INVALID" if "RST" in flags or flags >= {"SYN", "ACK"} else "NEW"
    return "NEW"


def belongs(packet: Packet, connection: Connection) -> bool:
    """Whether a packet is the answer to a connection: its tuple is the inverse of what the first packet became."""
    after = connection.after
    if is_icmp_error(packet):
        return packet.dst == after.src
    if (packet.src, packet.dst, packet.proto) != (after.dst, after.src, after.proto):
        return False
    return packet.sport == after.dport and packet.dport == after.sport


def is_answer_to(packet: Packet, first: Packet) -> bool:
    """Whether a packet has the tuple of the answer to ``first``, as far as its ports are known."""
    ports = ((packet.sport, first.dport), (packet.dport, first.sport))
    same = (packet.src, packet.dst) == (first.dst, first.src)
    return same and (not first.sport or all(one is None or one == two for one, two in ports))


def clashes(entries: Iterable[ConntrackEntry], ours: Iterable[Connection], packet: Packet) -> bool:
    """Whether the answers of a new connection would have the tuple of another one's first packet, in the same zone.

    ``entries`` are those with the answer's tuple in one direction or the other.
    NAT then gives it another port, or conntrack drops it (nf_nat_used_tuple_new, nf_ct_resolve_clash).
    """
    if packet.proto not in PORT_PROTOCOLS:
        return False
    answer = (packet.dst, packet.src, packet.dport, packet.sport)
    firsts = (item.before for item in ours)
    if any((one.src, one.dst, one.sport, one.dport, one.zone) == (*answer, packet.reply_zone) for one in firsts):
        return True
    ways = ((item.original, item.original.zone or item.zone) for item in entries)
    return any((way.src, way.dst, way.sport, way.dport, zone) == (*answer, packet.reply_zone) for way, zone in ways)


def is_taken(entries: Iterable[ConntrackEntry], packet: Packet) -> bool:
    """Whether answers to a new connection, as it is now, would be taken for those of another one in the same zone.

    NAT then looks for another source port (nf_nat_used_tuple).
    """
    return any(True for _ in holders(entries, packet))


def holders(entries: Iterable[ConntrackEntry], packet: Packet) -> Iterator[ConntrackEntry]:
    """The connections that have the answers of a new one, as it is now; in a zone that isn't known any may.

    ``entries`` are those with the answer's tuple in one direction or the other; one that began as this one does
    is that which it takes the place of.
    """
    answer = (packet.dst, packet.src, packet.dport, packet.sport)
    began = (*(packet.original or ()), packet.orig_sport)
    for item in entries:
        first = item.original
        if (first.src, first.dst, first.dport, first.sport) == began:
            continue
        way, zone = item.reply, item.reply.zone or item.zone
        if (way.src, way.dst, way.sport, way.dport) == answer and packet.reply_zone in {None, zone}:
            yield item


def source_ports(entries: Iterable[ConntrackEntry], before: Packet, source: str) -> frozenset[int]:
    """The ports that other connections from the very source port were given with an address by source NAT.

    A new one gets the same, whatever it leads to, unless that is taken (find_appropriate_src).
    """
    return frozenset(
        item.reply.dport
        for item in entries
        if "src-nat" in item.status
        and item.reply.dport is not None
        and (item.family, item.proto) == (before.family, before.proto)
        and (item.original.src, item.original.sport) == (before.src, before.sport)
        and item.reply.dst == source
        and (item.original.zone or item.zone) == before.zone
    )


def untold_translation(connection: Connection | None, packet: Packet) -> str:
    """What isn't modelled: an ICMP error about an answer of a translated connection is translated too."""
    if connection is None or connection.reply or connection.is_ours or not is_icmp_error(packet):
        return ""
    before, after = connection.before.tuple_text(), connection.after.tuple_text()
    return f"how the ICMP error about {before} is translated" if before != after else ""


def continues(packet: Packet, connection: Connection) -> bool:
    """Whether a packet goes the way of a connection's first one: its tuple is that packet's."""
    before = connection.before
    one = (packet.src, packet.dst, packet.proto, packet.sport, packet.dport)
    return one == (before.src, before.dst, before.proto, before.sport, before.dport)


def is_out_of_state(connection: Connection | None, packet: Packet) -> bool:
    """Whether conntrack takes a packet of TCP for an invalid one: it passes without a connection, untranslated.

    It has never seen the answer to the first (``tcp_conntracks[ORIGINAL][ACK][SYN_SENT]``),
    or an opening packet doesn't fit the state of a connection that was there before.
    """
    if connection is None or packet.proto != "tcp":
        return False
    if not connection.is_ours and fate(packet, connection.state, reply=connection.reply) == "invalid":
        return True
    return not connection.reply and not connection.seen_reply and packet.later


def existing(entries: Iterable[ConntrackEntry], packet: Packet) -> tuple[ConntrackEntry, Connection] | None:
    """The first of those with the very tuple of a packet, in one direction or the other, that is in its zone.

    Entries of other zones are another table's, and ICMP's identifiers aren't known here.
    """
    if packet.proto not in PORT_PROTOCOLS or None in {packet.zone, packet.reply_zone}:
        return None
    seen = (packet.src, packet.dst, packet.sport, packet.dport)
    for entry in entries:
        ways = [(way.src, way.dst, way.sport, way.dport) for way in (entry.original, entry.reply)]
        if seen in ways and _is_in(entry, packet, reply=seen != ways[0]):
            return entry, _connection(entry, packet, reply=seen != ways[0])
    return None


def _is_in(entry: ConntrackEntry, packet: Packet, *, reply: bool) -> bool:
    """Whether a direction of a connection is in the packet's zone (nf_ct_key_equal)."""
    way, zone = (entry.reply, packet.reply_zone) if reply else (entry.original, packet.zone)
    return (way.zone or entry.zone) == zone


def shares_zone(connection: Connection, packet: Packet) -> bool | None:
    """Whether a packet is looked for in the zone that its direction of a connection is in; None: nobody can tell."""
    after = connection.after
    pair = (after.reply_zone, packet.reply_zone) if connection.reply else (after.zone, packet.zone)
    return None if None in pair else pair[0] == pair[1]


def in_zones_of(connection: Connection | None, packet: Packet) -> Packet:
    """The packet as its connection keeps it: in the zones that the connection was made in.

    A rule's zones say where a packet's connection is looked for (nf_ct_key_equal);
    one that exists already, and is found in one direction's zone, keeps its other one.
    """
    if connection is None:
        return packet
    return replace(packet, zone=connection.after.zone, reply_zone=connection.after.reply_zone)


def _connection(entry: ConntrackEntry, packet: Packet, *, reply: bool) -> Connection:
    first, answer = entry.original, entry.reply
    before = Packet(
        family=packet.family, src=first.src, dst=first.dst, proto=packet.proto, sport=first.sport, dport=first.dport
    )
    after = replace(
        before,
        src=answer.dst,
        dst=answer.src,
        sport=answer.dport,
        dport=answer.sport,
        ctmark=entry.mark,
        labels=None,
        inherited=True,
        expected="expected" in entry.status,
        zone=first.zone or entry.zone,
        reply_zone=answer.zone or entry.zone,
        dnatted="dst-nat" in entry.status,
        snatted="src-nat" in entry.status,
    )
    return Connection(
        before, after, reply=reply, seen_reply="seen-reply" in entry.status, is_ours=False, state=entry.state
    )


def as_seen_by(connection: Connection | None, packet: Packet) -> Packet:
    """The packet with what conntrack of this namespace knows of it, once it has passed conntrack."""
    if connection is None:
        return replace(
            packet,
            ctstate=first_state(packet),
            ctmark=0,
            dnatted=False,
            snatted=False,
            reply=False,
            original=(packet.src, packet.dst, packet.dport),
            orig_sport=packet.sport,
            answered=None,
            ctproto=packet.proto,
            labels=(),
            inherited=False,
            expected=False,
        )
    before, after, reply, seen_reply, *_ = connection
    state: CtState = "ESTABLISHED" if reply or seen_reply else "NEW"
    return replace(
        packet,
        ctstate="RELATED" if is_icmp_error(packet) else state,
        ctmark=after.ctmark,
        labels=after.labels,
        inherited=after.inherited,
        expected=after.expected,
        dnatted=after.dnatted,
        snatted=after.snatted,
        reply=reply,
        original=(before.src, before.dst, before.dport),
        orig_sport=before.sport,
        answered=(after.dst, after.src, after.dport, after.sport),
        ctproto=before.proto,
    )


def without_connection(packet: Packet) -> Packet:
    """The packet before it has passed conntrack: there is no connection to look at, which counts as invalid."""
    return replace(
        packet,
        ctstate="INVALID",
        ctmark=None,
        dnatted=False,
        snatted=False,
        reply=False,
        original=None,
        orig_sport=None,
        answered=None,
        ctproto="",
    )
