"""rtnetlink's answers about traffic control → the model's filters.  Pure.

Sources: linux/rtnetlink.h (``struct tcmsg``), linux/pkt_cls.h,
linux/tc_act/tc_gact.h, linux/pkt_sched.h; for which qdiscs drop all,
net/sched/sch_{blackhole,fifo,tbf,netem}.c.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from dnet_tui.inspect.kernel.netlink import attributes, elements
from dnet_tui.inspect.kernel.netlink_values import u32
from dnet_tui.inspect.model.traffic_control import TrafficFilter
from dnet_tui.inspect.text.encoding import text

_TCMSG = struct.Struct("=BxxxiIII")
"""family, ifindex, handle, parent, info."""
_ROOT, _CLSACT = 0xFFFFFFFF, 0xFFFFFFF1
_MIN_INGRESS, _MIN_EGRESS, _INGRESS = 0xFFFFFFF2, 0xFFFFFFF3, 0xFFFF0000
_ACTIONS_OF = {
    "bpf": 1, "cgroup": 1, "matchall": 2, "flower": 3, "basic": 3, "fw": 4, "route": 6, "u32": 7, "flow": 9,
}  # fmt: skip
"""Which attribute of a classifier holds its actions (TCA_*_ACT)."""
_POLICE_OF = {"basic": 4, "fw": 2, "route": 5, "u32": 6, "flow": 10, "bpf": 2, "cgroup": 2}
"""The old way to limit a rate (TCA_*_POLICE)."""
_FLAGS_OF = {"matchall": 3, "u32": 11, "flower": 22, "bpf": 9}
_SKIP_SW = 1 << 1
"""TCA_CLS_FLAGS_SKIP_SW: for the hardware alone."""
_GACT_WORDS = {-1: "continue", 0: "pass", 1: "reclassify", 2: "drop", 3: "pipe", 4: "stolen", 5: "queued", 8: "trap"}
_MOST = 64
"""Filters kept of one place; programs that make more are told of by the first ones all the same."""


class FilterLocation(NamedTuple):
    """Where filters can be: a link, the parent that a dump asks for, and what that is."""

    ifindex: int
    parent: int
    place: Literal["ingress", "egress", "root"]


def parse_places(bodies: Iterable[bytes]) -> tuple[FilterLocation, ...]:
    """Where there may be filters, from a dump of qdiscs (RTM_GETQDISC).

    A root qdisc that the kernel put there by itself has no handle, and so no
    filters.
    """
    return tuple(place for body in bodies if len(body) >= _TCMSG.size for place in _places(body))


def _places(body: bytes) -> Iterator[FilterLocation]:
    _family, ifindex, handle, parent, _info = _TCMSG.unpack_from(body)
    if parent == _ROOT:
        if handle:
            yield FilterLocation(ifindex, handle, "root")
    elif parent == _CLSACT:
        if text(attributes(body, _TCMSG.size).get(1, b"")) == "clsact":  # TCA_KIND
            yield FilterLocation(ifindex, _MIN_INGRESS, "ingress")
            yield FilterLocation(ifindex, _MIN_EGRESS, "egress")
        else:
            yield FilterLocation(ifindex, _INGRESS, "ingress")


_SHORTEST, _LONG = 28, 1514
"""Bytes of the shortest packet there is (an ARP packet, or UDP's headers), and of a long frame of Ethernet."""
_NEVER = 0xFFFFFFFF
"""A probability of 1, in netem's 32 bits."""


def parse_dropping_qdiscs(bodies: Iterable[bytes]) -> tuple[TrafficFilter, ...]:
    """The qdiscs that drop what they are given, from the same dump.

    One that isn't its link's root gets only what a class of the root leads to
    it, and one with a small queue drops only what is longer: those are
    ``unmodelled``.
    """
    return tuple(item for body in bodies if len(body) >= _TCMSG.size for item in _dropping(body))


def _dropping(body: bytes) -> Iterator[TrafficFilter]:
    _family, ifindex, _handle, parent, _info = _TCMSG.unpack_from(body)
    attrs = attributes(body, _TCMSG.size)
    kind, options = text(attrs.get(1, b"")), attrs.get(2, b"")
    room = _room(kind, options)
    if parent != _CLSACT and room is not None and room < _LONG:
        words = "drops everything" if room < _SHORTEST else f"drops packets of more than {room} bytes"
        yield TrafficFilter(
            ifindex=ifindex,
            place="root",
            kind=kind,
            qdisc=words,
            unmodelled=parent != _ROOT or room >= _SHORTEST,
        )


def _room(kind: str, options: bytes) -> int | None:
    """The longest packet that a qdisc takes, 0 for none at all; None where there is no limit, or none is known."""
    if kind == "blackhole":
        return 0
    if kind in {"pfifo", "pfifo_head_drop"} and len(options) >= 4:  # struct tc_fifo_qopt; its limit counts packets
        return 0 if u32(options[:4]) == 0 else None
    if kind == "bfifo" and len(options) >= 4:
        return u32(options[:4])
    if kind == "netem" and len(options) >= 12:  # struct tc_netem_qopt: latency, limit, loss
        _latency, limit, loss = struct.unpack_from("=III", options)
        return 0 if limit == 0 or loss == _NEVER else None
    if kind == "tbf":
        return _bucket(attributes(options).get(1, b""))  # TCA_TBF_PARMS
    return None


def _bucket(parameters: bytes) -> int | None:
    """What fits into the bucket of a tbf (tbf_change): tokens for ``buffer`` ticks of 64 ns at its rate."""
    if len(parameters) < 36:
        return None
    overhead, rate = struct.unpack_from("=H", parameters, 2)[0], struct.unpack_from("=I", parameters, 8)[0]
    limit, buffer = struct.unpack_from("=II", parameters, 24)
    return 0 if limit == 0 else max(0, rate * (buffer << 6) // 10**9 - overhead)


def request(place: FilterLocation) -> bytes:
    """The body of the question for a place's filters (RTM_GETTFILTER)."""
    return _TCMSG.pack(0, place.ifindex, 0, place.parent, 0)


def parse_filters(place: FilterLocation, bodies: Iterable[bytes]) -> tuple[TrafficFilter, ...]:
    """The filters of one place, in the order the kernel asks them.

    A classifier's own entries without content (the head of its list, a hash
    table) are left out.  Of very many the last one that is kept stands for
    the rest, as one that isn't modelled.
    """
    found = [item for body in bodies if len(body) >= _TCMSG.size for item in _filter(place, body)]
    if len(found) <= _MOST:
        return tuple(found)
    rest = TrafficFilter(
        ifindex=place.ifindex, place=place.place, kind=f"{len(found) - _MOST + 1} more filters", unmodelled=True
    )
    return (*found[: _MOST - 1], rest)


def _filter(place: FilterLocation, body: bytes) -> Iterator[TrafficFilter]:
    _family, _ifindex, handle, _parent, info = _TCMSG.unpack_from(body)
    attrs = attributes(body, _TCMSG.size)
    kind = text(attrs.get(1, b""))
    options = attributes(attrs.get(2, b""))  # TCA_OPTIONS
    if not handle or not options or (kind == "u32" and 4 in options):  # TCA_U32_DIVISOR: a hash table
        return
    known = kind in _ACTIONS_OF
    raw = options.get(_ACTIONS_OF[kind], b"") if known else b""
    actions = tuple(_actions(raw))
    flags = u32(options.get(_FLAGS_OF.get(kind, 0)))
    yield TrafficFilter(
        ifindex=place.ifindex,
        place=place.place,
        kind=kind,
        protocol=int.from_bytes((info & 0xFFFF).to_bytes(2, "little"), "big"),
        priority=info >> 16,
        chain=u32(attrs.get(11)),  # TCA_CHAIN
        program=_program(options) if kind == "bpf" else "",
        actions=tuple(action for action, _ in actions),
        unmodelled=not known
        or any(odd for _, odd in actions)
        or bool(flags & _SKIP_SW)
        or _POLICE_OF.get(kind) in options
        or (bool(raw) and not actions),
    )


def _program(options: dict[int, bytes]) -> str:
    name, number = text(options.get(7, b"")), u32(options.get(11))  # TCA_BPF_NAME, TCA_BPF_ID
    return " ".join(part for part in (name, f"id {number}" if number else "") if part)


def _actions(raw: bytes) -> Iterator[tuple[str, bool]]:
    """Each action in words, and whether something about it isn't modelled (TCA_ACT_KIND, TCA_ACT_OPTIONS)."""
    for _order, body in elements(raw):
        attrs = attributes(body)
        kind = text(attrs.get(1, b""))
        options = attributes(attrs.get(2, b""))
        parameters = options.get(2, b"")  # TCA_GACT_PARMS
        if kind != "gact" or len(parameters) < 12:
            yield kind or "?", True
            continue
        (control,) = struct.unpack_from("=i", parameters, 8)  # struct tc_gact begins with index, capab, action
        # TCA_GACT_PROB: only now and then.
        yield f"gact {_GACT_WORDS.get(control, hex(control & 0xFFFFFFFF))}", 3 in options
