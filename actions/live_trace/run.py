"""A live trace: one real packet, and what the kernel says of it in every namespace of its way.

Plan, journal, add the tables, send, watch, take the tables out again: the
journal knows of them before they are there, so that ``dnet-tui undo`` removes
them also after a ``kill -9``.  The packet is sent from a thread inside its
namespace, which is proved to be the one that was meant before it is entered.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from secrets import token_hex

import msgspec

from dnet_tui.actions.execution.apply import apply_plan
from dnet_tui.actions.execution.execute import Executor, HostExecutor
from dnet_tui.actions.execution.undo import undo_entry
from dnet_tui.actions.journal.journal import read
from dnet_tui.actions.live_trace.legacy_counts import Counts, has_legacy, moved, read_counts
from dnet_tui.actions.live_trace.packet import LivePacket
from dnet_tui.actions.plans.operations import AddTraceTable
from dnet_tui.actions.plans.plan import Plan, PlanStep
from dnet_tui.actions.probes.raw_send import raw_socket, send_raw
from dnet_tui.diagnostics.trace.live_trace import Observed, place_names, watched
from dnet_tui.diagnostics.trace.trace import Trace
from dnet_tui.diagnostics.trace.trace_events import Sightings, TracePoint, own_table
from dnet_tui.diagnostics.trace.walk_vs_kernel import LegacyCounts
from dnet_tui.inspect.errors import ActionFailedError, CannotInspectError, UsageError
from dnet_tui.inspect.kernel.netns import NamespaceGoneError, handle_of, run_in
from dnet_tui.inspect.model import Namespace
from dnet_tui.inspect.model.view import View
from dnet_tui.inspect.text.sanitize import clean
from dnet_tui.inspect.watch.nft_trace_watch import events, watching

DEFAULT_TIMEOUT = 5.0
"""Seconds the packet and its answer are waited for."""

_SETTLED = 0.3
"""Seconds without an event after which nothing more is expected, once the packet or its answer has ended."""

_OPEN = 1.5
"""The same before."""

_ASKING = 3.4
"""The same while the next hop may not have answered: it is asked three times, a second apart (RFC 826, RFC 4861;
``mcast_solicit`` and ``retrans_time_ms`` in arp(7)), and only then is the sender told."""

_WHAT = {"tcp": "a SYN (no connection is opened)", "udp": "a datagram of 12 bytes", "icmp": "an echo request"}


class LivePlan(msgspec.Struct, frozen=True, kw_only=True):
    """A live trace that is ready to go: the packet, the change it needs, and the namespaces it watches.

    ``awaited``: the walk says that an answer gets back.
    """

    packet: LivePacket
    awaited: bool
    origin: Namespace
    namespaces: tuple[Namespace, ...]
    plan: Plan


def plan_live(view: View, trace: Trace, timeout: float = DEFAULT_TIMEOUT) -> LivePlan:
    """Return what a live trace would do.

    Raises:
        UsageError: The packet would have to come from outside.
    """
    origin = view.namespaces.get(trace.forward.origin)
    if origin is None:
        msg = f"a packet from {clean(trace.source.label)} can't be sent from this host: that place isn't on it"
        hint = "leave out --live; or send it from there while `dnet-tui capture` watches the uplink here"
        raise UsageError(msg, hint)
    packet = LivePacket.of(trace.forward.start)
    name = f"dnet_tui_{token_hex(4)}"
    namespaces = tuple(view.namespaces[item] for item in watched(view, trace))
    answers = [walk.last for walk in (trace.answer,) if walk is not None]
    answers += [hop.packet for walk in (trace.answer,) if walk is not None for hop in walk.hops]
    text = own_table(name, packet.marks([item for item in answers if item.proto == "udp"]))
    labels = place_names(view, trace)
    steps = tuple(
        PlanStep(
            action=AddTraceTable(
                name=name, ruleset=text, inside=handle_of(ns), label=labels[ns.id], own=ns.kind == "host"
            )
        )
        for ns in namespaces
    )
    sent = f"{_WHAT[packet.proto]}: {trace.forward.start.tuple_text()}"
    notes = [
        f"sends {sent}, from inside {clean(trace.source.label)}",
        f"the tables only watch this one packet and its answer, for {timeout:g} s at most, and are then deleted",
    ]
    if any(has_legacy(ns) for ns in namespaces):
        notes.append(
            "the kernel doesn't trace rules of iptables-legacy for nftables: their counters are compared instead; "
            "where a logger for it is loaded, the kernel's log gets lines that begin with TRACE:"
        )
    title = f"live trace {clean(trace.source.label)} → {clean(trace.target.label)} ({name})"
    return LivePlan(
        packet=packet,
        awaited=trace.answer is not None and trace.answer.arrives is not False,
        origin=origin,
        namespaces=namespaces,
        plan=Plan(title=title, steps=steps, risk="ask", notes=tuple(notes)),
    )


def carry_out(
    live: LivePlan,
    names: Mapping[str, str],
    folder: Path,
    *,
    timeout: float = DEFAULT_TIMEOUT,
    executor: Executor | None = None,
) -> Observed:
    """Send the packet, and return what the kernel saw.  ``names`` are the places' by their namespace's id.

    Raises:
        CannotInspectError: It can't be watched or sent here.
        ActionFailedError: A table could not be taken out again (the message says how it can be).
    """
    hands = executor or HostExecutor()
    with ExitStack() as stack:
        try:
            readers = {ns.id: stack.enter_context(run_in(handle_of(ns), watching)) for ns in live.namespaces}
        except (NamespaceGoneError, OSError) as error:
            msg = f"the kernel's trace can't be watched: {error}"
            raise CannotInspectError(msg, "run dnet-tui as root, on a kernel with nftables") from error
        stack.callback(_take_back, hands, folder, live.plan.title)
        try:
            apply_plan(live.plan, hands, folder)
        except ActionFailedError as error:
            raise CannotInspectError(error.message, error.hint) from error
        return _observe(live, names, readers, timeout)


def _take_back(executor: Executor, folder: Path, title: str) -> None:
    """Undo the entry with this title (it holds the table's name), whatever part of it was made."""
    for entry in read(folder)[0]:
        if entry.title == title and entry.status != "undone" and entry.standing:
            undo_entry(executor, folder, entry.id)


def _observe(
    live: LivePlan, names: Mapping[str, str], readers: Mapping[str, socket.socket], timeout: float
) -> Observed:
    legacy = [ns for ns in live.namespaces if has_legacy(ns)]
    try:
        before = {ns.id: run_in(handle_of(ns), partial(read_counts, ns)) for ns in legacy}
        with ExitStack() as stack:
            code, source = run_in(handle_of(live.origin), partial(_send, live.packet, stack))
            sights, lost = _watch(live, names, readers, timeout, refused=bool(code))
        after = {ns.id: run_in(handle_of(ns), partial(read_counts, ns)) for ns in legacy}
    except (NamespaceGoneError, OSError) as error:
        raise CannotInspectError(f"the packet can't be sent: {error}", "try again; run dnet-tui as root") from error
    if lost or not (sights or code):
        msg = (
            "the kernel reported more packets than could be read"
            if lost
            else "the kernel reported nothing about the packet"
        )
        raise CannotInspectError(msg, "try again when the host is less busy")
    return Observed(
        sights=tuple(sights), errno=code, source=source, counts=_counts(names, before, after), watched=dict(names)
    )


def _counts(names: Mapping[str, str], before: Mapping[str, Counts], after: Mapping[str, Counts]) -> LegacyCounts:
    return {(names[ns], *key): value for ns in before for key, value in moved(before[ns], after[ns]).items()}


def _send(packet: LivePacket, stack: ExitStack) -> tuple[int, str]:
    """Send the packet; returns the errno, and the source address that the kernel would have chosen ("": none)."""
    family = socket.AF_INET6 if packet.family == "ip6" else socket.AF_INET
    source = ""
    with socket.socket(family, socket.SOCK_DGRAM) as chooser:
        try:
            chooser.connect((packet.dst, packet.dport or 9))  # looks the route up and sends nothing
            source = str(chooser.getsockname()[0])
        except OSError:
            source = ""
    if packet.proto == "udp":
        # Somebody must be there for the answer, or the kernel would refuse it to whoever sent it.
        holder = stack.enter_context(socket.socket(family, socket.SOCK_DGRAM))
        holder.bind((packet.src, packet.sport))
    with raw_socket(family) as sock:
        return send_raw(sock, packet.data(), packet.src, packet.dst), source


def _watch(
    live: LivePlan, names: Mapping[str, str], readers: Mapping[str, socket.socket], timeout: float, *, refused: bool
) -> tuple[list[TracePoint], bool]:
    """The sights in the order in which they were read, and whether some were lost."""
    table = next(step.action.name for step in live.plan.steps if isinstance(step.action, AddTraceTable))
    makers = {sock.fileno(): (sock, Sightings(names[ns], table, live.packet.recognise)) for ns, sock in readers.items()}
    poller = select.poll()
    for descriptor in makers:
        poller.register(descriptor, select.POLLIN)
    found: list[TracePoint] = []
    origin = names[live.origin.id]
    quiet, lost = _SETTLED if refused else _OPEN, False
    end = time.monotonic() + timeout
    while (left := end - time.monotonic()) > 0:
        ready = poller.poll(min(left, quiet) * 1000)
        if not ready:
            break
        for descriptor, _ in ready:
            sock, maker = makers[descriptor]
            new, missed = events(sock)
            lost = lost or missed
            taken = [seen[1] for event in new if (seen := maker.take(event)) is not None]
            found += taken
        quiet = _patience(found, origin, awaited=live.awaited, timeout=timeout)
    return found, lost


def _patience(found: Sequence[TracePoint], origin: str, *, awaited: bool, timeout: float) -> float:
    """How long it may be quiet before nothing more is expected.

    A drop ends it, and so does the answer back where the packet came from;
    whoever got it may take its time to answer.
    """
    for sight in found:
        home = (sight.direction, sight.place, sight.point, sight.stage) == ("back", origin, "tail", "input")
        if home or (sight.backend != "" and sight.verdict == "drop"):
            return _SETTLED
    if awaited and any((sight.point, sight.stage) == ("tail", "input") for sight in found):
        return timeout
    return _ASKING if found and (found[-1].point, found[-1].stage) == ("tail", "postrouting") else _OPEN
