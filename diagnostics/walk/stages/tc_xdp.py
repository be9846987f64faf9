"""XDP programs and traffic control, which see a packet before or after netfilter.  Three-valued, pure.

What a BPF program does nobody can tell from outside; of the other filters
only those that certainly drop, or certainly pass, what they see are decided.

Sources: net/core/dev.c (``__netif_receive_skb_core``: XDP, then
``sch_handle_ingress``, then ``nf_ingress``; ``__dev_queue_xmit``:
``nf_hook_egress``, then ``sch_handle_egress``, then the root qdisc), ``tc_run``
there for what an action's answer means; net/sched/cls_api.c.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from dnet_tui.diagnostics.walk.packet import Decider, Packet
from dnet_tui.diagnostics.walk.state import WalkState
from dnet_tui.inspect.model import Link, Namespace, NotSeen, TrafficFilter

TC, XDP, QDISC = "tc", "xdp", "qdisc"
"""What a decider of here has as its value."""

_ALL = 0x0003
_PROTOCOLS = {"ip": 0x0800, "ip6": 0x86DD}
_ARP = 0x0806
_PROGRAMS = frozenset({"bpf", "tcx"})

Effect = Literal["pass", "drop", "next", "unknown"]


class Loss(NamedTuple):
    """What drops a packet at a device, or may; ``value`` is one of the decider's values of here."""

    end: Literal["dropped", "unknown"]
    text: str
    value: str


def pass_filters(state: WalkState, ns: Namespace, link: Link, place: Literal["ingress", "egress"]) -> None:
    """What a link's own programs, filters and queues do with a packet that it receives or sends."""
    for loss in losses(state, ns, link, place, state.packet):
        state.hop(ns, link.name, place, loss.end, note=loss.text)
        state.obstacle(loss.end, place, loss_by(ns, link, loss))


def loss_by(ns: Namespace, link: Link, loss: Loss) -> Decider:
    """The decider that a loss is."""
    return Decider(kind="link", text=loss.text, namespace=ns.id, value=loss.value, interface=link.name)


def losses(
    state: WalkState, ns: Namespace, link: Link, place: Literal["ingress", "egress"], packet: Packet
) -> Iterator[Loss]:
    """What drops a packet at a link, in the order in which it is passed."""
    if place == "ingress" and link.xdp:
        yield Loss("unknown", f"XDP program ({link.xdp}) on {link.name}", XDP)
    try:
        filters = state.index(ns).filters
    except NotSeen as missing:
        state.unknown(place, missing)
        return
    if not filters:
        return
    for at in ("ingress",) if place == "ingress" else ("egress", "root"):
        here = filters.get((link.ifindex, at), ())
        found = decide((item for item in here if not item.qdisc), packet)
        if found is not None:
            end, by = found
            where = "at the root qdisc" if at == "root" else at
            yield Loss(end, f"tc filter on {link.name} {where}: {filter_text(by)}", TC)
        for queue in (item for item in here if item.qdisc):
            yield Loss(
                "unknown" if queue.unmodelled else "dropped", f"qdisc {queue.kind} of {link.name} {queue.qdisc}", QDISC
            )


def decide(
    filters: Iterable[TrafficFilter], packet: Packet
) -> tuple[Literal["dropped", "unknown"], TrafficFilter] | None:
    """What the filters of one place do with a packet, and which does it; None when it certainly goes on."""
    doubtful: TrafficFilter | None = None
    may_pass = False
    for item in filters:
        if item.chain or item.protocol not in _asked(packet):
            continue  # other chains are reached by an action that is not followed
        effect = effect_of(item)
        certain = item.kind == "matchall" and not item.unmodelled
        if not certain:
            if effect in {"drop", "unknown"}:
                doubtful = doubtful or item
            may_pass = may_pass or effect == "pass"
            continue
        if effect == "drop" and doubtful is None and not may_pass:
            return "dropped", item
        if effect in {"drop", "unknown"}:
            return "unknown", doubtful or item
        if effect == "pass":
            break
    return ("unknown", doubtful) if doubtful is not None else None


def effect_of(item: TrafficFilter) -> Effect:
    """What a filter does with what it matches (``tcf_exts_exec``, ``tc_run``)."""
    if item.kind in _PROGRAMS or item.unmodelled:
        return "unknown"
    for action in item.actions:
        match action:
            case "gact drop":
                return "drop"
            case "gact pass":
                return "pass"
            case "gact continue":
                return "next"
            case "gact pipe":
                continue
            case _:
                return "unknown"
    return "pass"  # it only classifies


def _asked(packet: Packet) -> frozenset[int]:
    return frozenset({_ALL, _ARP if packet.arp_op else _PROTOCOLS[packet.family]})


def filter_text(item: TrafficFilter) -> str:
    """The filter in words, as ``tc filter show`` has them."""
    words = [item.kind, item.program] if item.program else [item.kind]
    if item.priority:
        words.insert(0, f"pref {item.priority}")
    return " ".join([*words, *(f"action {action.removeprefix('gact ')}" for action in item.actions)])
