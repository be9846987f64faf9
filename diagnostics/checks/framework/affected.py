"""Whom a finding hits: containers, networks and published ports, as data.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dnet_tui.diagnostics.checks.framework.check_context import BlockedFlows, CheckContext
from dnet_tui.diagnostics.flows.flow import Flow
from dnet_tui.diagnostics.report.finding import Affected, Finding
from dnet_tui.inspect.model import known_items


def affected(ctx: CheckContext, finding: Finding, *, alone: bool) -> tuple[Affected, ...]:
    """Those of the flows that a finding's element stops, and those that its own words name; each once.

    ``alone``: it is its check's only finding, so that all that the check owns is its doing.
    """
    blocked = [item for item in ctx.blocked_by(finding.check) if alone or _is_of(finding, item)]
    blocked += [item for item in ctx.meant if _is_of(finding, item)]
    flows = [flow for item in blocked for flow in item.flows]
    return tuple(dict.fromkeys((*_named(ctx, finding), *_of_flows(flows))))


def _is_of(finding: Finding, blocked: BlockedFlows) -> bool:
    """Whether a finding's evidence shows the element that stops these flows."""
    by = blocked.obstacle.by
    text = by.rule.text if by.rule is not None else by.text
    if not text:
        return False
    shown = any(text == item.what or item.value.startswith(text) for item in finding.evidence)
    return shown or finding.subject.name == text


def _of_flows(flows: Iterable[Flow]) -> Iterator[Affected]:
    every = tuple(flows)
    for flow in every:
        holder = flow.container or (flow.member.container if flow.member is not None else None)
        if holder is not None:
            yield Affected(kind="container", name=holder.name)
    for flow in every:
        if flow.network.name:
            yield Affected(kind="network", name=flow.network.name)
    for flow in every:
        if flow.port is not None:
            yield Affected(kind="port", name=f"{flow.port.host_port}/{flow.port.proto}")


def _named(ctx: CheckContext, finding: Finding) -> Iterator[Affected]:
    """The containers that subject and summary name, and the network whose name or bridge the subject is."""
    words = _words(finding.subject.name) | _words(finding.summary)
    for container in known_items(ctx.case.snapshot.containers):
        if container.name in words:
            yield Affected(kind="container", name=container.name)
    subject = _words(finding.subject.name)
    for network in ctx.case.networks:
        named = finding.subject.kind == "network" and network.name in subject
        if named or (network.bridge in subject and finding.subject.kind in {"bridge", "network", "link"}):
            yield Affected(kind="network", name=network.name)


def _words(text: str) -> set[str]:
    return set(text.replace(",", " ").replace("(", " ").replace(")", " ").replace(":", " ").split())
