"""A rule of the administrator's own chain drops traffic that should pass.

What it finds
    A DROP or REJECT in DOCKER-USER (or Podman's CNI-ADMIN) that hits a flow
    which the network's options ask for.  The usual one: ``-i eth0 -j DROP`` to
    keep strangers from published ports, without a rule before it that lets
    answers in.  It then drops every answer to the containers' own connections.

Why it matters
    The chain is passed by *every* forwarded packet, answers included.

How we know
    The packet walk evaluates the chain for the flow and for its answer, and
    names the very rule that decides.

Remedy
    Whose chain it is decides: nothing is changed unless it is asked for
    (``--override-owner``).  Where only answers are hit: accept RELATED,ESTABLISHED first.  Where the
    flow itself is hit: remove the rule if it isn't wanted.

When it is harmless
    A rule that keeps *some* sources from a published port is what the chain
    is for.  A rule that stops new connections is reported as a warning, since
    only its author knows what was meant; for published ports as information.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check, Undecided, by_rules, undecided
from dnet_tui.diagnostics.checks.framework.check_context import BlockedFlows, CheckContext
from dnet_tui.diagnostics.checks.framework.evidence import of_flows, of_rule
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.context.iptables_layout import USER_CHAINS, forward_rule, in_user_chain
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.operations.rule_edit import RuleEdit, removal, table_of
from dnet_tui.diagnostics.report.decisions import overriding, owner_of
from dnet_tui.diagnostics.report.finding import Finding, Severity, Subject
from dnet_tui.diagnostics.walk.packet import Obstacle, RuleRef

ID = "user-chain-drop"
_ALSO = "Remove it from the script that sets up this chain too"
_ACCEPT = "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"


def owns(case: HostContext, obstacle: Obstacle) -> bool:  # noqa: ARG001 - every check's ``owns`` has this form
    """A rule in the administrator's own chain."""
    rule = forward_rule(obstacle)
    return rule is not None and in_user_chain(rule)


def find(ctx: CheckContext) -> Iterator[Finding | Undecided]:
    """One finding per rule."""
    yield from undecided(ctx, ID)
    for blocked, rule in by_rules(ctx, ID):
        yield _finding(blocked, rule)


def _finding(blocked: BlockedFlows, rule: RuleRef) -> Finding:
    answers = _hits_answers(blocked)
    verb = "rejects" if blocked.obstacle.end == "rejected" else "drops"
    what = "the answers to connections that containers open" if answers else "traffic that its network is meant to pass"
    remedy = (
        _accept_answers(rule)
        if answers
        else removal(rule, f"Remove rule {rule.number} of {rule.chain}, if it isn't wanted", _ALSO)
    )
    return Finding(
        check=ID,
        severity=_severity(blocked),
        subject=Subject(kind="rule", name=f"{rule.table} {rule.chain} {rule.number}"),
        summary=f"Rule {rule.number} of {rule.chain} {verb} {what}",
        symptoms=blocked.symptoms,
        evidence=(of_rule(rule, "does not hit this traffic"), of_flows(blocked)),
        remedy=overriding(remedy, owner_of(rule)),
    )


def _hits_answers(blocked: BlockedFlows) -> bool:
    """Whether it kills answers of connections that may be opened: those are never meant to be dropped."""
    return bool(set(map(id, blocked.back)) - set(map(id, blocked.there)))


def _severity(blocked: BlockedFlows) -> Severity:
    if _hits_answers(blocked):
        return "warning"
    return "info" if {flow.kind for flow in blocked.flows} == {"published"} else "warning"


def _accept_answers(rule: RuleRef) -> Remedy | None:
    place = table_of(rule)
    if place is None:
        return None
    chain = next((name for name in rule.path if name in USER_CHAINS), rule.chain)
    change = RuleEdit(place=place, chain=chain, spec=_ACCEPT)
    return Remedy(
        summary=f"Let answers in before the other rules of {chain}",
        steps=(change.insert(1),),
        undo=(change.delete(1),),
        risk="ask",
        note="Add the same rule to the script that sets up this chain",
    )


CHECK = Check(
    id=ID,
    title="The administrator's chain lets wanted traffic pass",
    severity="warning",
    doc=__doc__,
    find=find,
    owns=owns,
)
