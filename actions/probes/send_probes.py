"""Sends the doctor's probes: all at once, each from inside its namespace, none where it must not go.

A probe that does not do what the model says is tried once more against a
fresh look at the host: containers end and rules change while one looks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from functools import partial

import msgspec

from dnet_tui.actions.probes.probe import Probe as Result
from dnet_tui.actions.probes.probe import ProbeOutcome, dns_query, ping, tcp_connect
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.run_checks import examination
from dnet_tui.diagnostics.flows.probes import PlannedProbe, ProbeAnswer, Probed, Sent, judge
from dnet_tui.diagnostics.probing.probe_plan import MOST, allowed, plan, predict
from dnet_tui.diagnostics.probing.probe_targets import EMBEDDED_DNS
from dnet_tui.diagnostics.report.finding import FlowName
from dnet_tui.inspect.kernel.netns import NsHandle, handle_of
from dnet_tui.inspect.kernel.sockets.conntrack import read_conntrack
from dnet_tui.inspect.kernel.sockets.conntrack_parse import ConntrackFilter
from dnet_tui.inspect.model import Snapshot, known_items
from dnet_tui.inspect.model.view import View

LIMIT = 1.0
"""Seconds each probe waits for its answer."""

PATIENCE = 4.0
"""Seconds after which a round of probes is over, whatever is still under way; there are at most two rounds."""

_ENTRIES, _LOOKING, _LOOKS = 20, 0.3, 3
"""Bounds of a look into connection tracking: entries of one source port, seconds, and how often."""

_ANSWERS: dict[ProbeOutcome, ProbeAnswer] = {
    ProbeOutcome.OK: "answered",
    ProbeOutcome.REFUSED: "refused",
    ProbeOutcome.TIMEOUT: "timeout",
    ProbeOutcome.UNREACHABLE: "unreachable",
}

Sender = Callable[[PlannedProbe, NsHandle], Result]
Results = list[tuple[PlannedProbe, Sent]]


class Probing(msgspec.Struct, frozen=True, kw_only=True):
    """What the probes said, and the newest snapshot that was compared with them."""

    snapshot: Snapshot
    probes: tuple[Probed, ...]


def probe_host(
    snapshot: Snapshot,
    look: Callable[[], Snapshot],
    *,
    limit: int = MOST,
    focus: str = "",
    flows: Sequence[FlowName] = (),
    sender: Sender | None = None,
) -> Probing:
    """Confirm a snapshot of this host by at most ``limit`` real packets, and as many second tries.

    ``look`` takes a new snapshot; it is called only when a packet contradicts
    this one.  A contradiction is one that both have.  ``flows``: only what tries one of these.
    """
    send = sender or _send
    ctx = examination(snapshot)
    results = _round(ctx, plan(ctx, limit, focus, flows), send)
    judged = judge(results, _host(snapshot))
    doubtful = [item.probe for item in judged if item.judgement == "contradicts"]
    if not doubtful:
        return Probing(snapshot=snapshot, probes=judged)
    later = look()
    ctx = examination(later)
    again = [(probe, predict(ctx, probe)) for probe in doubtful]
    second = {probe.key: (probe, sent) for probe, sent in _round(ctx, [new for _, new in again if new], send)}
    for old, new in again:
        if new is None:
            gone = Sent(answer="not-sent", note="one end of it is gone by now")
            second[old.key] = (old, gone)
    final = [second.get(probe.key, (probe, sent)) for probe, sent in results]
    return Probing(snapshot=later, probes=judge(final, _host(later)))


def _host(snapshot: Snapshot) -> str:
    host = View(snapshot).host
    return host.id if host is not None else ""


def _round(ctx: CheckContext, probes: list[PlannedProbe] | tuple[PlannedProbe, ...], send: Sender) -> Results:
    """Send probes side by side and wait for all of them, each in a thread of its own."""
    if not probes:
        return []
    may = allowed(ctx.case)
    pool = ThreadPoolExecutor(max_workers=len(probes), thread_name_prefix="probe")
    try:
        waits = [pool.submit(partial(_one, ctx, probe, may, send)) for probe in probes]
        wait(waits, timeout=PATIENCE)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    late = Sent(answer="not-sent", note="it took too long")
    return [(probe, job.result() if job.done() else late) for probe, job in zip(probes, waits, strict=True)]


def _one(ctx: CheckContext, probe: PlannedProbe, may: frozenset[str], send: Sender) -> Sent:
    """Send one probe, unless it must not or can't be."""
    ns = ctx.case.view.namespaces.get(probe.namespace)
    if ns is None:
        return Sent(answer="not-sent", note="its namespace is gone")
    if probe.risk:
        return Sent(answer="not-sent", note=probe.risk)
    if probe.address not in may and probe.address != EMBEDDED_DNS:
        return Sent(answer="not-sent", note=f"{probe.address} is neither a container, the host nor its gateway")
    result = send(probe, handle_of(ns))
    if not result.sent:
        return Sent(answer="not-sent", note=result.note)
    note = result.note if result.outcome is ProbeOutcome.UNREACHABLE else ""
    answer = _ANSWERS[result.outcome]
    by = _translated_to(probe, result.sport) if answer == "answered" and result.sport else ""
    owner = next((item for item in owners_of(ctx.case.snapshot, by.rpartition(":")[0]) if by), "")
    return Sent(answer=answer, seconds=result.seconds, note=note, by=by, receiver=owner)


def owners_of(snapshot: Snapshot, address: str) -> tuple[str, ...]:
    """The ids of the namespaces that have an address, the host's last where several do."""
    known = known_items(snapshot.namespaces)
    found = [ns for ns in known if any(item.address == address for item in known_items(ns.addresses))]
    return tuple(ns.id for ns in sorted(found, key=lambda ns: ns.kind == "host"))


def _translated_to(probe: PlannedProbe, sport: int) -> str:
    """Who answered a connection, by what the host's connection tracking noted of it; empty where it noted nothing.

    The entry outlives the connection by some time (nf_conntrack_tcp_timeout_time_wait).
    """
    wanted = ConntrackFilter(ports=(sport,), protos=("tcp",))
    for _ in range(_LOOKS):  # a table that changes meanwhile is not always told in full
        with suppress(OSError, ValueError):
            for entry in read_conntrack(wanted, limit=_ENTRIES, seconds=_LOOKING).entries:
                there, back = entry.original, entry.reply
                if (there.sport, there.dst, there.dport) == (sport, probe.address, probe.port):
                    return f"{back.src}:{back.sport}"
    return ""


def _send(probe: PlannedProbe, inside: NsHandle) -> Result:
    if probe.method == "tcp":
        return tcp_connect(probe.address, probe.port, limit=LIMIT, inside=inside, hops=probe.hops)
    if probe.method == "dns":
        return dns_query(probe.address, probe.port, probe.query, limit=LIMIT, inside=inside, hops=probe.hops)
    return ping(probe.address, limit=LIMIT, inside=inside, hops=probe.hops)
