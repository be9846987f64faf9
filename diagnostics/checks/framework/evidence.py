"""Evidence in words: what was observed, and where.  Pure."""

from __future__ import annotations

from dnet_tui.diagnostics.checks.framework.check_context import BlockedFlows
from dnet_tui.diagnostics.flows.dns_flows import EMBEDDED
from dnet_tui.diagnostics.flows.flow import Flow
from dnet_tui.diagnostics.operations.rule import PROGRAMS
from dnet_tui.diagnostics.report.decisions import owner_of
from dnet_tui.diagnostics.report.finding import Evidence, FlowName
from dnet_tui.diagnostics.walk.packet import Decider, RuleRef
from dnet_tui.inspect.model import Resolver

_SHOWN = 4


def of_sysctl(key: str, value: str, expected: str) -> Evidence:
    """A kernel parameter with its value."""
    return Evidence(source="sysctl", what=key, value=value, expected=expected)


def of_rule(ref: RuleRef, expected: str = "") -> Evidence:
    """A rule, or a chain's policy, with its text and counters."""
    where = f"{ref.table} {ref.chain}" + (f" rule {ref.number}" if ref.number else "")
    hits = f"  [{ref.packets} packets, {ref.bytes} bytes]" if ref.packets is not None else ""
    program = PROGRAMS.get((ref.backend, ref.family))
    source = f"{program}-save -c" if program is not None else "nft list ruleset"
    return Evidence(source=source, what=where, value=f"{ref.text}{hits}", expected=expected, owner=owner_of(ref))


def of_decider(by: Decider, expected: str = "") -> Evidence:
    """Whatever stopped a packet."""
    if by.rule is not None:
        return of_rule(by.rule, expected)
    if by.kind == "sysctl":
        return of_sysctl(by.text, by.value, expected)
    return Evidence(source="packet walk", what=by.kind, value=by.text, expected=expected)


def of_flows(blocked: BlockedFlows) -> Evidence:
    """The flows that an element stops, by name."""
    flows = blocked.flows
    names = [flow.label + ("" if flow in blocked.there else " (the answer)") for flow in flows[:_SHOWN]]
    more = f" and {len(flows) - _SHOWN} more" if len(flows) > _SHOWN else ""
    return Evidence(
        source="packet walk",
        what="stopped here",
        value=", ".join(names) + more,
        expected="passes",
        flows=tuple(named(flow) for flow in flows),
    )


def named(flow: Flow) -> FlowName:
    """A flow as a finding names it."""
    first = flow.forward.start
    return FlowName(
        label=flow.label,
        source=flow.source,
        target=flow.target,
        proto=first.proto,
        port=first.dport or None,
        wanted_by=flow.owner,
    )


def of_resolver(name: str, resolver: Resolver) -> Evidence:
    """Whom a container asks, as its resolv.conf has it (its place on the host is in the snapshot: it is long)."""
    servers = ", ".join(resolver.servers) or "no name server"
    if EMBEDDED in resolver.servers and resolver.upstreams is not None:
        behind = [f"host({item.address})" if item.from_host else item.address for item in resolver.upstreams]
        servers += f", which asks {', '.join(behind) or 'nobody'}"
    return Evidence(source="/etc/resolv.conf", what=f"of {name}", value=servers)
