"""Packets that connection tracking doesn't see, or looks for in another zone, and the rule by which.  Pure."""

from __future__ import annotations

from dnet_tui.diagnostics.checks.decisions.deciding_rules import Effect, deciding_rules
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.flows.flow import Flow
from dnet_tui.diagnostics.walk.l3.namespace_context import match_context
from dnet_tui.diagnostics.walk.match.expressions import matches
from dnet_tui.diagnostics.walk.netfilter.chain_ends import reference_to
from dnet_tui.diagnostics.walk.packet import Packet, RuleRef, Walk
from dnet_tui.inspect.model import Namespace, require
from dnet_tui.inspect.model.firewall import Match

_UNTRACKED = "UNTRACKED"


def is_untracked(flow: Flow) -> bool:
    """Whether a flow that should be translated isn't, because it (or its answer) is exempt from tracking."""
    if not flow.expected:
        return False
    if flow.kind == "egress":
        there = flow.masquerade is True and flow.forward.last.ctstate == _UNTRACKED
        back = flow.answer is not None and flow.answer.arrives is not True and _exempt(flow.answer.last)
        return there or back
    if flow.kind == "published":
        taken = flow.forward.last.ctstate == _UNTRACKED and not flow.forward.last.dnatted
        return taken or (flow.answer is not None and flow.answer.arrives is not True and _exempt(flow.answer.last))
    return False


def _exempt(packet: Packet) -> bool:
    return packet.ctstate == _UNTRACKED


def exempting_rule(case: HostContext, flow: Flow) -> RuleRef | None:
    """The first rule of the host that exempts the untracked one of a flow's two packets; None where none is sure."""
    gone = flow.forward if _exempt(flow.forward.last) else flow.answer
    return rule_that_exempts(case, gone) if gone is not None else None


def rule_that_exempts(case: HostContext, gone: Walk) -> RuleRef | None:
    """The first rule of the host that exempts a packet that went this way untracked; None where none is sure."""
    host = case.view.host
    if host is None or not _exempt(gone.last):
        return None
    return _first_that_hits(case, host, gone, "notrack")


def zones_of_answer(flow: Flow) -> tuple[int, int] | None:
    """The zone of a translated connection's answers, and the one in which its answer is looked for; None: the same."""
    gone, answer = flow.forward, flow.answer
    if answer is None or not answer.obstacles or not (gone.last.snatted or gone.last.dnatted):
        return None
    kept, asked = gone.last.reply_zone, answer.last.zone
    return (kept, asked) if kept is not None and asked is not None and kept != asked else None


def rule_that_parts(case: HostContext, flow: Flow) -> RuleRef | None:
    """The first rule of the host that puts one of a flow's two packets into a zone; None where none is sure."""
    host = case.view.host
    walks = [
        gone for gone in (flow.forward, flow.answer) if gone is not None and (gone.last.zone or gone.last.reply_zone)
    ]
    found = (_first_that_hits(case, host, gone, "zone") for gone in walks if host is not None)
    return next((rule for rule in found if rule is not None), None)


def _first_that_hits(case: HostContext, host: Namespace, gone: Walk, effect: Effect) -> RuleRef | None:
    passed = [hop.packet for hop in gone.hops if hop.namespace == host.id]
    context = match_context(case.view, host)
    for found in deciding_rules(require(host.firewall), effect):
        if found.base.hook != "prerouting" or found.table.family not in {gone.start.family, "inet"}:
            continue
        conditions = [item for item in found.conditions if isinstance(item, Match)]
        if len(conditions) == len(found.conditions) and any(
            all(matches(item, packet, context) for item in conditions) for packet in passed
        ):
            return reference_to(host.id, found.table, found.chain, found.rule, found.base.name)
    return None
