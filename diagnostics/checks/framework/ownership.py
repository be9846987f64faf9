"""Who made what a finding cites, and whose decision its remedy would change.  Pure."""

from __future__ import annotations

import msgspec

from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.operations.kernel import SetSysctl
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.operations.rule import DeleteRule
from dnet_tui.diagnostics.report.decisions import overriding
from dnet_tui.diagnostics.report.finding import Finding
from dnet_tui.inspect.model import Unread
from dnet_tui.inspect.model.firewall import Firewall
from dnet_tui.inspect.model.rule_writers.owner import DecisionOwner, owner_called
from dnet_tui.inspect.model.rule_writers.registry import RULE_WRITERS


def with_owners(case: HostContext, finding: Finding) -> Finding:
    """The finding with the owner of the first rule among its evidence, its flows, and its remedy marked."""
    owner = finding.owner or next((item.owner for item in finding.evidence if item.owner is not None), None)
    flows = finding.flows or tuple(dict.fromkeys(flow for item in finding.evidence for flow in item.flows))
    bare = (msgspec.structs.replace(item, flows=()) if item.flows else item for item in finding.evidence)
    evidence = tuple(dict.fromkeys(bare))  # two elements that stop the same flows are seen once
    remedy = finding.remedy
    if remedy is not None and remedy.overrides is None:
        remedy = overriding(remedy, _decided_by(case, remedy))
    return msgspec.structs.replace(finding, owner=owner, flows=flows, evidence=evidence, remedy=remedy)


def _decided_by(case: HostContext, remedy: Remedy) -> DecisionOwner | None:
    """Who else decided what the steps take away or set."""
    for step in remedy.steps:
        if isinstance(step, DeleteRule):
            owner = _owner_of_rule(case, step)
        elif isinstance(step, SetSysctl):
            owner = _keeper_of(case, step)
        else:
            continue
        if owner is not None and owner.kind != "engine":
            return owner
    return None


def _owner_of_rule(case: HostContext, step: DeleteRule) -> DecisionOwner | None:
    firewall = _firewall(case)
    wanted = (step.backend, step.family, step.table)
    for table in firewall.tables:
        if (table.backend, table.family, table.name) == wanted:
            for chain in table.chains:
                if chain.name == step.chain:
                    rule = next((item for item in chain.rules if item.text == step.spec), None)
                    return owner_called(rule.owner) if rule is not None else None
    return None


def _keeper_of(case: HostContext, step: SetSysctl) -> DecisionOwner | None:
    """The manager at work on this host that wants the parameter to be otherwise."""
    kinds = {
        item.kind for item in RULE_WRITERS for key, value in item.sysctls if key == step.key and value != step.value
    }
    present = case.once(_managers) if kinds else frozenset()
    found = next((item for item in RULE_WRITERS if item.kind in kinds & present), None)
    return owner_called(found.kind) if found is not None else None


def _managers(case: HostContext) -> frozenset[str]:
    """The managers of which there is a rule on the host."""
    return frozenset(rule.owner.partition(" ")[0] for rule in _firewall(case).rules if rule.owner)


def _firewall(case: HostContext) -> Firewall:
    host = case.view.host
    return Firewall() if host is None or isinstance(host.firewall, Unread) else host.firewall
