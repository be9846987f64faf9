"""Engines of whose firewall rules none is left: what the checks of flushed rules share.  Pure."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from dnet_tui.diagnostics.checks.framework.check import Undecided
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.framework.evidence import of_rule
from dnet_tui.diagnostics.checks.subjects import firewalld_zones, linux_network_rules
from dnet_tui.diagnostics.context import iptables_layout
from dnet_tui.diagnostics.context.host_context import HostContext, family_of
from dnet_tui.diagnostics.flows.intentions import is_isolated, masquerades
from dnet_tui.diagnostics.operations.engine import ReloadEngineRules
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Subject
from dnet_tui.diagnostics.walk.packet import Obstacle
from dnet_tui.inspect.model import Family, Network, known_items
from dnet_tui.inspect.model.engine_kinds.registry import traits_of
from dnet_tui.inspect.model.firewall import Rule, Table, Verdict

EXPLAINS = ("masq-missing", "isolation-missing", "fwd-jump-missing", "nat-jump-missing", "flow-blocked")
"""The checks whose findings follow when all rules are gone."""


def lacking(case: HostContext, obstacle: Obstacle) -> tuple[str, ...]:
    """The engines without a rule left, where FORWARD's policy is the obstacle and decides in place of theirs."""
    if not iptables_layout.by_policy(obstacle):
        return ()
    return tuple(engine for engine, family in case.once(_bare) if family == family_of(obstacle.packet))


def is_reload(case: HostContext, flushed: Finding) -> bool:
    """Whether a firewalld is there to have flushed an engine's rules; a plain network's it wouldn't be asked for."""
    return firewalld_zones.stands(case) and flushed.subject.name.split()[0] != linux_network_rules.ENGINE


def gone(ctx: CheckContext, check: str) -> Iterator[Finding | Undecided]:
    """One finding per engine; where only one family's rules are gone, of that family.

    ``check`` is the one that asks: the obstacles it owns are told with them.
    """
    case = ctx.case
    bare = case.once(_bare)
    for (engine, family), networks in bare.items():
        if family == "ip6" and (engine, "ip") in bare:
            continue
        unread = iptables_layout.unread(case)
        if unread:
            yield Undecided(reason=f"no rule of {engine} was seen, but {unread[0]}")
        elif engine != linux_network_rules.ENGINE or any(
            linux_network_rules.suffers(flow, networks) for flow in ctx.flows
        ):
            yield _finding(ctx, check, engine, family, networks)


def _bare(case: HostContext) -> dict[tuple[str, Family], list[Network]]:
    """The networks that need rules, by engine and family, of engines that have none left in it."""
    found: dict[tuple[str, Family], list[Network]] = {}
    families: tuple[Family, ...] = ("ip", "ip6")
    for family, network in product(families, case.networks):
        engines = [engine for engine in known_items(case.snapshot.engines) if engine.name == network.engine]
        manages = not any(
            engine.firewall == "none" or engine.rootless or engine.iptables is False for engine in engines
        )
        needs = masquerades(case, network, family) or is_isolated(case, network, family)
        if (
            (traits_of(network.engine).chain_marks or network.engine == linux_network_rules.ENGINE)
            and manages
            and needs
            and case.members(network, family)
        ):
            found.setdefault((network.engine, family), []).append(network)
    return {
        (engine, family): networks
        for (engine, family), networks in found.items()
        if not _has_rules(case, engine, family, networks) or _filter_emptied(case, engine, family)
    }


def _filter_emptied(case: HostContext, engine: str, family: Family) -> bool:
    """Whether the engine's chains are in the table filter, without a rule in any, as ``iptables -F`` leaves them."""
    marks = traits_of(engine).chain_marks
    for table in iptables_layout.tables(case, family) if marks else ():
        own = [item for item in table.chains if item.name.startswith(marks)]
        own = [item for item in own if item.name not in iptables_layout.USER_CHAINS]
        led = any(_comes_in(rule, engine) for rule in _of_base_chains(table))
        if table.name == "filter" and own and not led and not any(item.rules for item in own):
            return True
    return False


def _has_rules(case: HostContext, engine: str, family: Family, networks: list[Network]) -> bool:
    if engine == linux_network_rules.ENGINE:
        return linux_network_rules.any_left(case, networks)
    return any(
        table.name in traits_of(engine).tables or any(_comes_in(rule, engine) for rule in _of_base_chains(table))
        for name in (family, "inet")
        for table in iptables_layout.tables(case, name)
        if table.name not in _BESIDE
    )


_BESIDE = frozenset({"raw"})
"""Tables in which an engine only forbids (Docker since 28): `iptables -F` leaves them, and they let nothing pass."""


def _of_base_chains(table: Table) -> Iterator[Rule]:
    return (rule for chain in table.chains if chain.hook is not None for rule in chain.rules)


def _comes_in(rule: Rule, engine: str) -> bool:
    """Whether a rule of a built-in chain is the engine's or leads to its chains: they do nothing without one."""
    leads = (expr.chain for expr in rule.exprs if isinstance(expr, Verdict) and expr.chain)
    marks = traits_of(engine).chain_marks
    return rule.owner.partition(" ")[0] == (traits_of(engine).owner or engine) or any(
        name.startswith(marks) and name not in iptables_layout.USER_CHAINS for name in leads
    )


def _chains_left(case: HostContext, engine: str, family: Family) -> bool:
    """Whether the engine's chains are there, though nothing leads to them."""
    marks = traits_of(engine).chain_marks
    return any(
        chain.name.startswith(marks)
        for name in (family, "inet")
        for table in iptables_layout.tables(case, name)
        for chain in table.chains
    )


def _finding(ctx: CheckContext, check: str, engine: str, family: Family, networks: list[Network]) -> Finding:
    blocked = ctx.blocked_by(check)
    policies = [item.obstacle.by.rule for item in blocked if item.obstacle.by.rule is not None]
    names = ", ".join(network.name for network in networks)
    symptoms = ["egress", "published", "exposure"]
    symptoms += [kind for item in blocked for kind in item.symptoms]
    plain = engine == linux_network_rules.ENGINE
    kind = "firewall" if family == "ip" else "IPv6 firewall"
    emptied = not plain and _has_rules(ctx.case, engine, family, networks)
    unhooked = not plain and not emptied and _chains_left(ctx.case, engine, family)
    what = f"no rule of a built-in chain leads to the {kind} rules of {engine}" if unhooked else ""
    what = f"the {kind} rules of {engine} in the table filter are gone" if emptied else what
    return Finding(
        check=check,
        severity="error",
        subject=Subject(kind="host", name=iptables_layout.named(engine, family)),
        summary="The firewall rules of plain-Linux networks are gone"
        if plain
        else what[:1].upper() + what[1:] or f"The {kind} rules of {engine} are gone",
        symptoms=tuple(dict.fromkeys(symptoms)),
        evidence=(
            Evidence(
                source="iptables, nftables",
                what="rules that speak of them" if plain else f"chains of {engine}",
                value="all empty in the table filter, and FORWARD leads to none of them"
                if emptied
                else "not reached from FORWARD, PREROUTING or POSTROUTING: those were emptied"
                if unhooked
                else "none in any table of any backend",
                expected="MASQUERADE, isolation" if plain else f"chains named {traits_of(engine).chain_marks[0]}…",
            ),
            Evidence(source=engine, what="networks with running containers", value=names),
            *(of_rule(rule, "not reached") for rule in policies[:1]),
        ),
        remedy=_make_anew(ctx.case, networks) if plain else _reload(engine),
    )


def _reload(engine: str) -> Remedy:
    traits = traits_of(engine)
    return Remedy(
        summary=f"Let {engine} write its rules again",
        steps=(ReloadEngineRules(engine=engine),),
        risk="manual",
        note=traits.restore_note,
    )


def _make_anew(case: HostContext, networks: list[Network]) -> Remedy:
    return Remedy(
        summary="Write the rules anew that the networks live by",
        steps=tuple(change.insert(None) for change in linux_network_rules.replacements(case, networks)),
        risk="manual",
        note="Better load them from where you keep them: published ports are not among these",
    )
