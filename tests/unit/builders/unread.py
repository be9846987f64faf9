"""Every section of a snapshot made unread, one at a time: what the doctor and traces may say then.

A *case* is a snapshot in which just one section was not read.  Against the
one that was read in full nothing definite may be new or other; and what
doesn't rest on that section stays as it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

import msgspec

from dnet_tui.diagnostics.checks.run_checks import run_checks
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.report.finding import Finding
from dnet_tui.diagnostics.report.report import Report
from dnet_tui.diagnostics.trace.endpoints import find
from dnet_tui.diagnostics.trace.trace import Trace, trace
from dnet_tui.inspect.errors import DnetError
from dnet_tui.inspect.model import NotSeen, Snapshot, Unread, known_items
from dnet_tui.inspect.model.coverage.gaps import HOST_FIELDS, NAMESPACE_FIELDS
from dnet_tui.inspect.model.view import View

EVERYONE = "every namespace"
UNREAD = Unread(reason="made unread")


class Blinded(NamedTuple):
    """A snapshot without one section: ``scope`` is the namespace's id, the container's or the engine's name."""

    kind: str
    scope: str
    field: str
    snapshot: Snapshot

    @property
    def name(self) -> str:
        """What to call the case."""
        return f"{self.kind} {self.scope} {self.field}"


def cases(snapshot: Snapshot) -> Iterator[Blinded]:
    """Each section unread that was read: of every namespace, container and engine, and of the host."""
    namespaces = known_items(snapshot.namespaces)
    for at, ns in enumerate(namespaces):
        for field in _read(ns, NAMESPACE_FIELDS):
            changed = _with(namespaces, at, msgspec.structs.replace(ns, **{field: UNREAD}))
            yield Blinded("namespace", ns.id, field, msgspec.structs.replace(snapshot, namespaces=changed))
    containers = known_items(snapshot.containers)
    for at, container in enumerate(containers):
        for field in _read(container, ("resolver",)):
            changed = _with(containers, at, msgspec.structs.replace(container, **{field: UNREAD}))
            yield Blinded("container", container.name, field, msgspec.structs.replace(snapshot, containers=changed))
    engines = known_items(snapshot.engines)
    for at, engine in enumerate(engines):
        for field in _read(engine, ("log",)):
            changed = _with(engines, at, msgspec.structs.replace(engine, **{field: UNREAD}))
            yield Blinded("engine", engine.name, field, msgspec.structs.replace(snapshot, engines=changed))
    if snapshot.host.resolver is not None:
        host = msgspec.structs.replace(snapshot.host, resolver=UNREAD)
        yield Blinded("host", "", "resolver", msgspec.structs.replace(snapshot, host=host))
    for field in _read(snapshot, HOST_FIELDS):
        yield Blinded("host", "", field, msgspec.structs.replace(snapshot, **{field: UNREAD}))


def _read(holder: msgspec.Struct, fields: tuple[str, ...] | dict[str, str]) -> list[str]:
    return [field for field in fields if getattr(holder, field) is not None and not _is_unread(holder, field)]


def _is_unread(holder: msgspec.Struct, field: str) -> bool:
    return isinstance(getattr(holder, field), Unread)


def _with(items: tuple[object, ...], at: int, item: object) -> tuple[object, ...]:
    return (*items[:at], item, *items[at + 1 :])


# -- what is said ---------------------------------------------------------------------------------


class Said(NamedTuple):
    """What the doctor and the traces between all places say of a snapshot."""

    report: Report
    findings: frozenset[str]
    traces: dict[tuple[str, str], tuple[str, frozenset[str]]]
    """By source and target: the end of the way and of the answer, and the namespaces that they passed."""


def said(snapshot: Snapshot) -> Said:
    """Everything definite that is said of a snapshot."""
    report = run_checks(snapshot)
    return Said(report, frozenset(statement(item) for item in report.findings), dict(_traces(snapshot)))


def statement(finding: Finding) -> str:
    """What a finding states, without whom it affects, what it saw and what it takes for its cause."""
    return f"{finding.severity} {finding.check} {finding.subject.kind} {finding.subject.name}"


def _steps(report: Report) -> set[str]:
    return {str(step) for item in report.findings if item.remedy is not None for step in item.remedy.steps}


def _traces(snapshot: Snapshot) -> Iterator[tuple[tuple[str, str], tuple[str, frozenset[str]]]]:
    case = HostContext(snapshot)
    names = ["host", "outside", *(item.name for item in known_items(snapshot.containers) if item.joined is None)]
    for source, target in product(names, names):
        if source == target:
            continue
        try:
            found = trace(case, find(case, source), find(case, target), port=80)
        except NotSeen:
            yield (source, target), ("unknown", frozenset())
        except DnetError:
            continue
        else:
            yield (source, target), (_end(found), _passed(found))


def _end(found: Trace) -> str:
    ends = [way.end for way in (found.forward, found.answer) if way is not None]
    return "unknown" if "unknown" in ends else " ".join(ends)


def _passed(found: Trace) -> frozenset[str]:
    ways = [way for way in (found.forward, found.answer) if way is not None]
    deciders = [way.decided_by for way in ways if way.decided_by is not None]
    if any(by.kind == "neighbour" for by in deciders):
        return frozenset({EVERYONE})  # that nobody has an address rests on everybody
    passed = [*(hop.namespace for way in ways for hop in way.hops), *(by.namespace for by in deciders)]
    return frozenset({*passed, found.source.namespace, found.target.namespace})


def _who_may_be_meant(blind: Blinded) -> set[str]:
    """The namespace itself; also those on a bridge with it, where it may answer in their place.

    That is so without its addresses, and without what proxy ARP and NDP go by.
    """
    view = View(blind.snapshot)
    found = {blind.scope}
    for bridge in view.bridges() if blind.field in {"addresses", "proxied", "sysctls"} else ():
        host = view.host.id if view.host is not None else ""
        peers = {port.peer.namespace for port in view.ports_of(host, bridge.ifindex) if port.peer is not None}
        found |= peers if blind.scope in peers else set()
    return found


def wrong(full: Said, blind: Blinded) -> Iterator[str]:
    """What may not be said where a section was not read."""
    now = said(blind.snapshot)
    for result in now.report.checks:
        if result.outcome == "crashed":
            yield f"{result.id} crashed: {result.reason}"
    for one in now.findings - full.findings:
        yield f"new: {one}"
    for step in _steps(now.report) - _steps(full.report):
        yield f"a new step of a remedy: {step}"
    for pair, (end, _) in now.traces.items():
        before = full.traces.get(pair, ("nothing to trace",))[0]
        if end not in {before, "unknown"}:
            yield f"{pair}: {before} has become {end}"
    for pair, (end, passed) in full.traces.items():
        rests = blind.kind != "namespace" or bool({*_who_may_be_meant(blind), EVERYONE} & passed)
        if not rests and now.traces.get(pair, ("nothing",))[0] != end:
            yield f"{pair}: {end} does not rest on it, and is {now.traces.get(pair, ('nothing',))[0]}"
    lost = full.findings - now.findings
    if lost and now.report.summary.verdict == "healthy":
        yield f"healthy, though it was: {sorted(lost)}"
