"""What becomes of a packet that a rule hands to a program: by a queue, or by a transparent proxy's socket.  Pure.

Sources: the kernel's nfnetlink_queue.c (without a listener the packet is
dropped, or with ``bypass`` accepted), xt_TPROXY.c and nft_tproxy.c.
"""

from __future__ import annotations

from dnet_tui.diagnostics.walk.match.context import MatchContext
from dnet_tui.diagnostics.walk.netfilter.chain_ends import BREAK, ChainEnd
from dnet_tui.diagnostics.walk.packet import Packet, RuleRef, replace
from dnet_tui.inspect.model.firewall import TransparentProxy, Verdict

_MOST_QUEUES = 0xFFFF


def queued(verdict: Verdict, ref: RuleRef, context: MatchContext) -> ChainEnd:
    """A program decides; without one the packet is dropped, or where the rule says so accepted (nf_queue)."""
    low, _, high = verdict.queues.replace("-", ":").partition(":")
    known = low.isdecimal() and (high or low).isdecimal() and int(high or low) <= _MOST_QUEUES
    if not known or {context.is_read(number) for number in range(int(low), int(high or low) + 1)} != {False}:
        return ChainEnd(kind="unknown", ref=ref)
    return ChainEnd(kind="accept" if verdict.bypass else "drop", ref=ref)


def proxied(
    action: TransparentProxy, packet: Packet, ref: RuleRef, context: MatchContext, *, certain: bool
) -> tuple[Packet, ChainEnd | None]:
    """Give the packet to a local socket; where there is none iptables drops it, and nftables ends the rule."""
    there = _has_socket(action, packet, context)
    if there is False:
        return packet, ChainEnd(kind="drop", ref=ref) if action.final else BREAK
    if there is None or not certain:
        return packet, ChainEnd(kind="unknown", ref=ref)
    address, port = _target(action, packet, context)
    mark = None if packet.mark is None else (packet.mark & ~action.mask) ^ action.value
    own = packet.established
    if own is not None and own.ends != (packet.src, packet.dst, packet.sport, packet.dport):
        own = None  # its connection has another tuple by now: a listener is looked for, which knows nothing of it
    given = replace(packet, mark=mark, taken_by=f"{address} {port}", established=own)
    return given, ChainEnd(kind="accept", ref=ref) if action.final else None


def _target(action: TransparentProxy, packet: Packet, context: MatchContext) -> tuple[str, int | None]:
    address = action.address or context.first_address(packet)
    return address, packet.dport if not action.port else int(action.port) if action.port.isdecimal() else None


def _has_socket(action: TransparentProxy, packet: Packet, context: MatchContext) -> bool | None:
    address, port = _target(action, packet, context)
    if packet.proto not in {"tcp", "udp"}:
        return False
    return context.proxy(packet, address, port) if address and port is not None else None
