"""A redirect or DNAT takes packets that are meant for others.

What it finds
    A rule that isn't an engine's, in nat PREROUTING or written over the packet
    itself (nftables' ``ip daddr set``), gives what containers send
    to somebody outside another destination: a program on the host, say, as
    ``-p tcp --dport 80 -j REDIRECT --to-ports 3128`` without ``-i`` does.

Why it matters
    The connection is made, and answered: by somebody else.  Whoever looks only
    whether it succeeds takes that for the internet.  Web traffic of containers
    ends at a proxy that was meant for others, names are answered by another
    server.

How we know
    A packet is made that meets the rule, and walked: it arrives with another
    destination than it was sent to, by that very rule.

Remedy
    Whose rule it is decides.  If it isn't meant for containers: let it ask for
    the interface that it is meant for (``-i eth0``), or for destinations on the
    host itself (``-m addrtype --dst-type LOCAL``).

When it is harmless
    Where it names what it is for, a network's bridge, a container or one
    address outside, it is a decision, and only information; so it is where a
    service mesh takes what its own sidecar's container sends.  What is for the
    host's own addresses is no one else's, and addresses of services that a
    cluster gives out exist only by such rules: they are not reported.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.decisions.asked_rules import AskedRule, asked_rules
from dnet_tui.diagnostics.checks.framework.check import Check
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.framework.evidence import named, of_rule
from dnet_tui.diagnostics.flows.flow import Flow
from dnet_tui.diagnostics.flows.host_flows import OF_PROXY
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.decisions import is_anothers, owner_of, where_to_change
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Severity, Subject
from dnet_tui.diagnostics.walk.packet import Packet, RuleRef
from dnet_tui.inspect.model.firewall import Lookup, Match, Rule, SetLookup, VerdictMap

ID = "hijack"
_ADDRESSES = frozenset({"saddr", "daddr"})
_NARROW = "If it isn't meant for containers, let it ask for the interface that it is meant for"
_LINKS = frozenset({"iif", "physin"})
_MEANT = frozenset({"egress", "host-to-container"})
"""Flows whose destination is who is meant: one of a published port is there to be translated."""


def find(ctx: CheckContext) -> Iterator[Finding]:
    """One finding per rule: those that take what a network asks for, and those that take only what they name."""
    taken: dict[tuple[str, str, str, str, int], tuple[RuleRef, list[Flow]]] = {}
    for flow in ctx.flows:
        rule = _taker(flow)
        if rule is not None:
            taken.setdefault(_key(rule), (rule, []))[1].append(flow)
    steps = {}
    for asked in ctx.case.once(asked_rules) if ctx.asks_rules or taken else ():
        if asked.effect in {"redirect", "rewrite"}:
            steps[_key(asked.ref)] = asked.steps
            sent = asked.proven and asked.sender != "outside"
            if sent and _key(asked.ref) not in taken and not _is_service(asked):
                yield _of_rule(asked)
    for key, (rule, flows) in taken.items():
        yield _of_flows(rule, flows, steps.get(key, ()))


def _key(rule: RuleRef) -> tuple[str, str, str, str, int]:
    return rule.backend, rule.family, rule.table, rule.chain, rule.number


def _taker(flow: Flow) -> RuleRef | None:
    """The rule of another owner that gave a flow to the outside another destination."""
    first, last = flow.forward.start, flow.forward.last
    meant = flow.kind in _MEANT or _is_of_proxy(flow)
    if not flow.expected or not meant or (first.dst, first.dport) == (last.dst, last.dport):
        return None
    if flow.kind == "host-to-container" and flow.member is not None and last.dst == flow.member.address:
        return None
    rule = next((hop.rule for hop in flow.forward.hops if hop.verdict in {"dnat", "redirect"}), None)
    return rule if rule is not None and is_anothers(owner_of(rule)) else None


def _is_of_proxy(flow: Flow) -> bool:
    """Whether it is the connection that a published port's proxy makes to the container itself."""
    return flow.kind == "host-to-published" and flow.source.startswith(OF_PROXY)


def _is_service(asked: AskedRule) -> bool:
    """Whether the destination is an address that only a manager's own rules make: nobody else has it."""
    if asked.owner.kind != "manager":
        return False
    return any(
        isinstance(expr, SetLookup | Lookup)
        or (isinstance(expr, VerdictMap) and "daddr" in expr.fields)
        or (isinstance(expr, Match) and expr.field == "daddr" and not expr.negate)
        for step in asked.steps
        for expr in step.exprs
    )


def _of_rule(asked: AskedRule) -> Finding:
    packet = asked.packet
    sent = packet.tuple_text() if packet is not None else ""
    severity: Severity = "info" if _is_chosen(asked.steps) else "warning"
    return _finding(
        asked.ref,
        severity,
        f"what {asked.sender} sends to {_target(packet)}" if packet is not None else f"what {asked.sender} sends",
        (of_rule(asked.ref), Evidence(source="packet walk", what=f"from {asked.sender}, taken here", value=sent)),
    )


def _of_flows(rule: RuleRef, flows: list[Flow], steps: tuple[Rule, ...]) -> Finding:
    names = ", ".join(flow.label for flow in flows[:4]) + (f" and {len(flows) - 4} more" if len(flows) > 4 else "")
    went = flows[0].forward.last
    evidence = Evidence(
        source="packet walk",
        what="taken here",
        value=f"{names}: arrives as {went.tuple_text()}",
        expected="leaves the host as it was sent",
        flows=tuple(named(flow) for flow in flows),
    )
    promised = any(_is_of_proxy(flow) for flow in flows)
    chosen = (bool(steps) and _is_chosen(steps)) or _is_sidecars(flows, rule)
    severity: Severity = "info" if chosen and not promised else "warning"
    sent = tuple(dict.fromkeys(flow.kind for flow in flows))
    who = "containers send" if sent == ("egress",) else "is sent"
    return _finding(rule, severity, f"what {who} ({names})", (of_rule(rule), evidence), sent)


def _is_sidecars(flows: list[Flow], rule: RuleRef) -> bool:
    """Whether a manager's rule in the containers' own namespaces takes it: a mesh is there for that."""
    own = {flow.member.namespace for flow in flows if flow.member is not None}
    owner = owner_of(rule)
    return own == {rule.namespace} and owner is not None and owner.kind == "manager"


def _target(packet: Packet) -> str:
    return f"{packet.proto} port {packet.dport}" if packet.dport else packet.proto


def _finding(
    rule: RuleRef,
    severity: Severity,
    what: str,
    evidence: tuple[Evidence, ...],
    symptoms: tuple[str, ...] = ("egress",),
) -> Finding:
    owner = owner_of(rule)
    whose = owner.whose if owner is not None else "nobody"
    note = where_to_change(rule) or _NARROW
    return Finding(
        check=ID,
        severity=severity,
        subject=Subject(kind="rule", name=f"{rule.table} {rule.chain} {rule.number}"),
        summary=f"Rule {rule.number} of {rule.chain} takes {what} for somebody else",
        symptoms=symptoms,
        evidence=evidence,
        remedy=Remedy(summary=f"Yours to decide: {whose} made this rule", risk="manual", note=note),
        owner=owner,
    )


def _is_chosen(steps: tuple[Rule, ...]) -> bool:
    """Whether the rule, or what leads to it, names whom it is for: an interface, an address, a set."""
    return any(
        isinstance(expr, SetLookup)
        or (isinstance(expr, Lookup | VerdictMap) and bool(_ADDRESSES & set(expr.fields)))
        or (isinstance(expr, Match) and not expr.negate and expr.field in _ADDRESSES | _LINKS)
        for step in steps
        for expr in step.exprs
    )


CHECK = Check(
    id=ID,
    title="Nothing takes what containers send to others",
    severity="warning",
    doc=__doc__,
    find=find,
    hidden_by=("firewall",),
)
