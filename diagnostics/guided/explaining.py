"""Which of the doctor's findings explains why a traced flow stops, and whether its remedy cures it.  Pure."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import msgspec

from dnet_tui.diagnostics.checks.host.app_listen import ID as NOBODY_LISTENS
from dnet_tui.diagnostics.checks.run_checks import examination
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.guided.kept_apart import networks_of
from dnet_tui.diagnostics.operations.base import Operation
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.operations.simulate import after
from dnet_tui.diagnostics.report.finding import Finding
from dnet_tui.diagnostics.report.report import Report
from dnet_tui.diagnostics.trace.first_packet import TraceProtocol
from dnet_tui.diagnostics.trace.trace import Trace
from dnet_tui.diagnostics.trace.trace import trace as run_trace
from dnet_tui.diagnostics.trace.unanswerable import NOBODY_ANSWERS
from dnet_tui.diagnostics.walk.packet import Decider, Obstacle, RuleRef, Truth, Walk
from dnet_tui.inspect.errors import DnetError
from dnet_tui.inspect.model import NotSeen

_TRIED = 12
"""The most remedies that are tried out for one flow."""


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """``finding`` is what explains the stop, ``remedy`` its remedy where that cures this flow or can't be tried."""

    finding: Finding
    remedy: Remedy | None = None


def explanation(case: HostContext, trace: Trace, report: Report) -> Explanation | None:
    """The finding that explains why a flow stops; None where none is known to.

    First those that speak of the rule which decides, then those of the check
    that explains such an obstacle wherever it is met, last one whose remedy
    makes this very flow pass.
    """
    known: list[Finding] = []
    for finding in (*_of_rules(trace, report), *_of_the_listener(case, trace, report), *_of_owner(case, trace, report)):
        if finding not in known:
            known.append(finding)
    for finding in known:
        if finding.remedy is not None and may_cure(case, trace, finding.remedy) is not False:
            return Explanation(finding=finding, remedy=finding.remedy)
    if known:
        return Explanation(finding=known[0])
    grave = [item for item in report.findings if item.severity != "info" and item.remedy is not None]
    for finding in grave[:_TRIED]:
        if finding.remedy is not None and may_cure(case, trace, finding.remedy) is True:
            return Explanation(finding=finding, remedy=finding.remedy)
    return None


def may_cure(case: HostContext, trace: Trace, remedy: Remedy) -> Truth:
    """Whether a flow passes after a remedy; None where nothing is known of what it changes, or of the outcome."""
    if not remedy.steps or any(type(step).effect is Operation.effect for step in remedy.steps):
        return None
    with suppress(DnetError, ValueError, NotSeen):
        changed = HostContext(after(case.snapshot, remedy.steps))
        start = trace.forward.start
        proto: TraceProtocol = "tcp" if start.proto == "tcp" else "udp" if start.proto == "udp" else "icmp"
        again = run_trace(changed, trace.source, trace.target, proto=proto, port=start.dport or 0)
        return False if again.forward.end == "refused" else again.arrives
    return False


def led_by(trace: Trace) -> RuleRef | None:
    """The rule that led a packet to somebody for whom it wasn't meant, or may not have been."""
    if trace.intended is True:
        return None
    return next((hop.rule for hop in trace.forward.hops if hop.verdict in {"dnat", "redirect"} and hop.rule), None)


def stopping(trace: Trace) -> Walk:
    """The walk that fails: the packet's, a proxy's own, the answer's, or a later packet's."""
    return trace.failing


def names_rule(finding: Finding, rule: RuleRef) -> bool:
    """Whether a finding's evidence is this rule."""
    place = f"{rule.table} {rule.chain}" + (f" rule {rule.number}" if rule.number else "")
    return any(item.what == place and item.value.startswith(rule.text) for item in finding.evidence)


def _of_rules(trace: Trace, report: Report) -> Iterator[Finding]:
    by = trace.decided_by
    for rule in (by.rule if by is not None else None, led_by(trace)):
        if rule is not None:
            yield from (item for item in report.findings if names_rule(item, rule))


def _of_the_listener(case: HostContext, trace: Trace, report: Report) -> Iterator[Finding]:
    """Of a port of a container's that somebody publishes, and on which nobody listens."""
    walk = stopping(trace)
    if walk.end != "refused":
        return
    names = {item.name for item in case.view.containers_in(walk.last_namespace)}
    port = f"Port {walk.last.dport}/{walk.last.proto} of "
    for item in report.findings:
        if item.check == NOBODY_LISTENS and item.subject.name in names and item.summary.startswith(port):
            yield item


def _of_owner(case: HostContext, trace: Trace, report: Report) -> Iterator[Finding]:
    """Those of the check that explains such an obstacle, where they concern one of the two places."""
    obstacle = next(iter(stopping(trace).obstacles), None)
    if obstacle is None or obstacle.end == "unknown" or obstacle.stage == NOBODY_ANSWERS:
        return
    check = _owner(case, obstacle)
    yield from (item for item in report.findings if item.check == check and _concerns(case, trace, item))


def _owner(case: HostContext, obstacle: Obstacle) -> str:
    with suppress(NotSeen):
        return examination(case.snapshot, asks_rules=False).owner(obstacle)
    return ""


def _concerns(case: HostContext, trace: Trace, finding: Finding) -> bool:
    """Whether a finding hits one of the two places, or anybody."""
    by = trace.decided_by
    if by is not None and (_is_subject(finding, by) or by.rule is not None):
        return by.rule is None or names_rule(finding, by.rule)
    places = (trace.source, trace.target)
    names = {place.container.name for place in places if place.container is not None}
    nets = {net.name for place in places if place.namespace for net in networks_of(case, place)}
    if any(item.name in (names if item.kind == "container" else nets) for item in finding.affects):
        return True
    ends = {end for flow in finding.flows for end in (flow.source, flow.target)} & names
    if finding.affects or finding.flows:
        return bool(ends)
    return finding.subject.kind == "host" or finding.subject.name in names | nets


def _is_subject(finding: Finding, by: Decider) -> bool:
    seen = any(by.text in {item.what, item.value} for item in finding.evidence)
    return seen or by.text == finding.subject.name
