"""None of the name servers that containers ask can be reached.

What it finds
    Running containers that are meant to reach the outside, and of whose name
    servers not one gets the question, or gets its answer back.  For Docker's
    own resolver at 127.0.0.11 these are the servers behind it
    (``ExtServers``), each asked from the network namespace that the engine
    says: ``host(…)`` from the host's.  Also, as information, a server that
    can be asked over UDP but not over TCP.

Why it matters
    No name of the outside resolves, which looks as if the internet were
    gone; by address everything works.  Over TCP, answers are asked for again
    that are too large for UDP.

How we know
    The container's resolv.conf, as the engine wrote it, and the packet walk to
    each server and back.  Docker before 26 doesn't write down whom its own
    resolver asks; then nothing is said.

Remedy
    Let the questions through, or give the containers another server: ``dns``
    in Docker's daemon.json, ``--dns`` for one container.

When it is harmless
    Where containers shall not resolve any names.  A container on internal
    networks only gets no answers from outside by design and isn't reported.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check, Undecided, definite, undecided
from dnet_tui.diagnostics.checks.framework.check_context import BlockedFlows, CheckContext
from dnet_tui.diagnostics.checks.framework.evidence import of_decider, of_flows, of_resolver, of_rule
from dnet_tui.diagnostics.checks.subjects.bridge_attachments import on_host
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.flows.dns_flows import DNS, Question, ResolverClient, ask, questions, unanswered
from dnet_tui.diagnostics.flows.flow import Flow
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.operations.rule_edit import RuleEdit, table_of
from dnet_tui.diagnostics.report.decisions import owner_of
from dnet_tui.diagnostics.report.finding import Finding, Subject
from dnet_tui.diagnostics.walk.packet import Decider, Obstacle, Packet, RuleRef

ID = "dns-upstream"
_OTHER_SERVER = (
    'Or name a server that can be reached: `"dns": ["…"]` in /etc/docker/daemon.json, or `--dns` for one container'
)

_WORDS = {
    "no-route": "stopped for want of a route",
    "unreachable": "stopped: the next hop can't be reached",
    "looped": "going round in a loop",
}


def owns(_: HostContext, obstacle: Obstacle) -> bool:
    """What stops a question to a name server, or its answer, and is no other check's."""
    return obstacle.packet.dport == DNS or (obstacle.packet.reply and obstacle.packet.sport == DNS)


def find(ctx: CheckContext) -> Iterator[Finding | Undecided]:
    """One finding per deciding element, per server that isn't there, and per server that TCP doesn't reach."""
    yield from undecided(ctx, ID)
    for blocked in definite(ctx, ID):
        yield _stopped(ctx.case, blocked)
    for those in _absent(ctx.case):
        yield _nobody(ctx.case, those)
    yield from _only_udp(ctx.case)


def _stopped(case: HostContext, blocked: BlockedFlows) -> Finding:
    by = blocked.obstacle.by
    asking = _askers_of(case, blocked.flows)
    names = "; ".join(asker.names for asker in asking[:3]) or blocked.flows[0].source
    servers = ", ".join(dict.fromkeys(flow.forward.start.dst for flow in blocked.flows))
    end = blocked.obstacle.end
    return Finding(
        check=ID,
        severity="error",
        subject=Subject(kind="rule" if by.rule is not None else by.kind, name=_place(by)),
        summary=f"{names} can't resolve names: queries to {servers} are {_WORDS.get(end, end)}",
        symptoms=blocked.symptoms,
        evidence=(
            of_decider(by, f"lets port {DNS} through"),
            *(of_resolver(asker.member.container.name, asker.resolver) for asker in asking[:2]),
            of_flows(blocked),
        ),
        remedy=_let_through(case, blocked, servers),
    )


def _askers_of(case: HostContext, flows: tuple[Flow, ...]) -> list[ResolverClient]:
    found = [item.asker for item in questions(case) if any(item.flow is flow for flow in flows)]
    return list({id(asker): asker for asker in found}.values())


def _place(by: Decider) -> str:
    return f"{by.rule.table} {by.rule.chain} {by.rule.number or 'policy'}" if by.rule is not None else by.text


def _let_through(case: HostContext, blocked: BlockedFlows, servers: str) -> Remedy:
    """Accept the questions where the host's own programs ask; elsewhere only a person knows what is meant."""
    rule = blocked.obstacle.by.rule
    place = table_of(rule) if rule is not None else None
    family = blocked.obstacle.packet.family
    out = blocked.obstacle.stage == "output" and rule is not None and rule.table == "filter"
    if place is None or rule is None or not out or not on_host(case, blocked.obstacle):
        return Remedy(summary=f"Allow queries to {servers} through", risk="manual", note=_OTHER_SERVER)
    length = 32 if family == "ip" else 128
    changes = [
        RuleEdit(place, rule.base, f"-d {server}/{length} -p {proto} -m {proto} --dport {DNS} -j ACCEPT")
        for server in servers.split(", ")
        for proto in ("udp", "tcp")
    ]
    return Remedy(
        summary=f"Accept the host's queries to {servers}",
        steps=tuple(change.insert(1) for change in changes),
        undo=tuple(change.delete(1) for change in reversed(changes)),
        risk="ask",
        note=f"To keep it, tell the program that writes these rules. {_OTHER_SERVER}",
    )


def _absent(case: HostContext) -> list[tuple[Question, ...]]:
    """Those none of whose servers answers, because no process listens at one of them."""
    return [
        those
        for those in unanswered(case)
        if all(item.answered is False for item in those)
        and any(item.flow is not None and item.flow.forward.end == "refused" for item in those)
    ]


def _nobody(case: HostContext, those: tuple[Question, ...]) -> Finding:
    refusing = [item for item in those if item.flow is not None and item.flow.forward.end == "refused"]
    question = refusing[0]
    by = question.flow.forward.decided_by if question.flow is not None else None
    led = _led_by(question)
    if led is not None and question.flow is not None:
        return _led(question, led, question.flow.forward.last)
    where = "the host" if question.server.from_host or _is_hosts(case, question.server.address) else "there"
    return Finding(
        check=ID,
        severity="error",
        subject=Subject(kind="host" if where == "the host" else "network", name=question.server.address),
        summary=(
            f"{question.asker.names} can't resolve names: "
            f"{f'on {where} ' if where == 'the host' else ''}no process listens at {question.server.address}:53"
        ),
        symptoms=("names",),
        evidence=(
            of_resolver(question.asker.member.container.name, question.asker.resolver),
            *((of_decider(by, "a name server"),) if by is not None else ()),
        ),
        remedy=Remedy(
            summary=f"Start the name server at {question.server.address}, or name another one",
            risk="manual",
            note=_OTHER_SERVER,
        ),
    )


def _led_by(question: Question) -> RuleRef | None:
    """The rule that gave a question another destination."""
    hops = question.flow.forward.hops if question.flow is not None else ()
    return next((hop.rule for hop in hops if hop.verdict in {"dnat", "redirect"} and hop.rule is not None), None)


def _led(question: Question, rule: RuleRef, last: Packet) -> Finding:
    owner = owner_of(rule)
    whose = owner.whose if owner is not None else "nobody"
    return Finding(
        check=ID,
        severity="error",
        subject=Subject(kind="rule", name=f"{rule.table} {rule.chain} {rule.number}"),
        summary=f"{question.asker.names} can't resolve names: queries to {question.server.address} are led to "
        f"{last.dst} port {last.dport}, where no process listens",
        symptoms=("names",),
        evidence=(of_rule(rule), of_resolver(question.asker.member.container.name, question.asker.resolver)),
        remedy=Remedy(
            summary=f"Start what should listen there; or yours to decide: {whose} made this rule",
            risk="manual",
            note=_OTHER_SERVER,
        ),
    )


def _is_hosts(case: HostContext, address: str) -> bool:
    host = case.view.host
    return host is not None and any(item.address == address for item in host.addresses)


def _only_udp(case: HostContext) -> Iterator[Finding]:
    """Servers that get questions over UDP while a rule stops those over TCP."""
    seen: set[tuple[str, str]] = set()
    for question in questions(case):
        key = question.server.address, "" if question.server.from_host else question.asker.network.id
        if question.answered is not True or key in seen:
            continue
        seen.add(key)
        flow = ask(case, question.asker, question.server, "tcp")
        stops = [item for _, item in flow.obstacles] if flow is not None else []
        if flow is None or flow.arrives is not False or not stops or stops[0].by.rule is None:
            continue
        yield Finding(
            check=ID,
            severity="info",
            subject=Subject(kind="rule", name=f"{_place(stops[0].by)}: TCP"),
            summary=f"Large answers of {question.server.address} don't reach {question.asker.names}: TCP is stopped",
            symptoms=("names",),
            evidence=(
                of_decider(stops[0].by, f"lets TCP port {DNS} through"),
                of_resolver(question.asker.member.container.name, question.asker.resolver),
            ),
        )


CHECK = Check(
    id=ID,
    title="Containers reach their name servers",
    severity="error",
    doc=__doc__,
    find=find,
    owns=owns,
)
