"""Every rule that drops on the way of containers' traffic, asked: is there a packet that it decides over?  Pure.

A packet is made for each and walked.  Only a walk that ends at the very rule
proves that it decides.  The walks have a budget: rules that have dropped
something come first, then the first ones of each chain and owner; the rest is
counted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from dnet_tui.diagnostics.checks.decisions.deciding_rules import (
    FRAMES,
    UNASKED,
    Candidate,
    DecidingRule,
    Effect,
    candidates,
)
from dnet_tui.diagnostics.checks.decisions.exceeded_limits import exceeded
from dnet_tui.diagnostics.checks.decisions.places import Way, open_ports, senders, way_of
from dnet_tui.diagnostics.checks.decisions.witness import Senders, arrivals, witnesses
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.report.decisions import is_anothers
from dnet_tui.diagnostics.walk.api import walk
from dnet_tui.diagnostics.walk.l3.routing import lookup
from dnet_tui.diagnostics.walk.namespace_index import index_of
from dnet_tui.diagnostics.walk.netfilter.chain_ends import reference_to
from dnet_tui.diagnostics.walk.packet import Packet, RuleRef, Walk
from dnet_tui.inspect.model import Family, Link, LinkRef, require
from dnet_tui.inspect.model.firewall import Chain, Firewall, Match, Rule, Table
from dnet_tui.inspect.model.rule_writers.owner import DecisionOwner, owner_called
from dnet_tui.inspect.model.view import View

_FAMILIES: tuple[Family, ...] = ("ip", "ip6")
Key = tuple[str, str, str, str, int]
"""A rule's backend, family, table, chain and number."""

_MOST = 12
"""Walks that asking may cost where not every rule is to be listed."""
_MOST_LISTED = 4000
_NOT_ARRIVING = frozenset({"input", "output", "egress"})
"""Hooks that nothing meets which comes from outside for a container."""
_DROPS = frozenset({"drop", "reject"})
_ANEW = 3
"""What looking at a host with a limit exceeded costs, in walks."""
_LOOK = 0.1
"""What looking for a packet costs, in walks."""
_FEW = 3
"""Elements of a verdict map that are asked."""
_FIRST = 2
"""Rules of one chain that are asked before those of the next."""


class AskedRule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule and what is known of it.

    ``proven`` where the packet's walk ended at it (with ``limit`` once that was exceeded); ``packet`` is that packet
    from ``sender``.  Without a packet it was not asked: the budget was spent.
    """

    owner: DecisionOwner
    effect: Effect
    table: Table
    chain: Chain
    rule: Rule
    base: Chain | None = None
    steps: tuple[Rule, ...] = ()
    proven: bool = False
    sender: str = ""
    packet: Packet | None = None
    limit: str = ""
    """While what the packet passes, where only those that exceed a limit come to the rule."""

    @property
    def place(self) -> str:
        """The rule as people name it."""
        family = f"{self.table.family} " if self.table.family in FRAMES else ""
        return f"{family}{self.table.name} {self.chain.name} {self.rule.number}"

    @property
    def ref(self) -> RuleRef:
        """The reference that evidence is made of."""
        return reference_to("", self.table, self.chain, self.rule, self.base.name if self.base is not None else "")


def asked_rules(case: HostContext) -> tuple[AskedRule, ...]:
    """The rules of managers and of the administrator that decide over containers' packets, within the budget.

    Those that nothing proves are left out; those that were not asked are in it, without a packet.
    """
    return tuple(_asked(case, _MOST, others_only=True))


def every_rule(case: HostContext) -> tuple[AskedRule, ...]:
    """The same of everybody's rules, the engines' included, with a budget that only very many exceed."""
    return tuple(_asked(case, _MOST_LISTED, others_only=False))


def _asked(case: HostContext, budget: int, *, others_only: bool) -> Iterator[AskedRule]:
    host = case.view.host
    if host is None or not case.networks:
        return
    firewall = require(host.firewall)
    by_rule: defaultdict[Key, list[Candidate]] = defaultdict(list)
    owners: dict[str, DecisionOwner] = {}
    for found in candidates(firewall):
        text = found.rule.owner
        owner = owners.get(text) or owners.setdefault(text, owner_called(text))
        if found.effect not in UNASKED and (not others_only or is_anothers(owner)):
            table = found.table
            by_rule[table.backend, table.family, table.name, found.chain.name, found.rule.number].append(found)
    if not by_rule:
        return
    asking = _Asking(case, firewall)
    for those in _in_turn(by_rule):
        asked = _as_found(those[0], owners[those[0].rule.owner])
        if asking.spent >= budget:
            yield asked
        elif (proof := asking.ask(those)) is not None:
            way, base = proof.way, proof.way.base
            yield msgspec.structs.replace(
                asked,
                proven=True,
                base=base,
                sender=proof.sender,
                packet=proof.packet,
                steps=way.steps,
                limit=proof.limit,
            )


def _as_found(found: Candidate, owner: DecisionOwner) -> AskedRule:
    return AskedRule(owner=owner, effect=found.effect, table=found.table, chain=found.chain, rule=found.rule)


class _Proof(NamedTuple):
    way: DecidingRule
    sender: str
    packet: Packet
    limit: str = ""


class _Asked(NamedTuple):
    """A packet that may meet a rule, and from where."""

    sender: str
    packet: Packet
    origin: str
    arriving: LinkRef | None = None

    def walked(self, view: View) -> Walk:
        """Its walk on a host: as far as the host sends it, or from outside to whoever gets it."""
        return walk(
            view,
            self.packet,
            origin=self.origin,
            arriving=self.arriving,
            outside=self.arriving is None,
            fresh=True,
        )


class _Asking:
    """The walks that ask, and what was spent on them: one for each, and a little for each rule that was looked at."""

    def __init__(self, case: HostContext, firewall: Firewall) -> None:
        self.spent = 0.0
        self._case = case
        self._senders: dict[tuple[Family, Way], Senders] = {}
        self._ports = {family: open_ports(case, family) for family in _FAMILIES}
        self._ipsets = {item.name: item for item in firewall.ipsets}

    def ask(self, those: list[Candidate]) -> _Proof | None:
        """The packet that proves a rule to decide, with the way by which it is reached; None where there is none."""
        limited: list[tuple[DecidingRule, _Asked, Walk]] = []
        for candidate in those[:_FEW]:
            for way in candidate.ways():
                self.spent += _LOOK
                for asked in self._walked(way):
                    self.spent += 1
                    gone = asked.walked(self._case.view)
                    if _decides(gone, way):
                        return _Proof(way, asked.sender, asked.packet)
                    if gone.hedges and way.effect in _DROPS:
                        limited.append((way, asked, gone))
        return self._above(*limited[0]) if limited else None

    def _above(self, way: DecidingRule, asked: _Asked, gone: Walk) -> _Proof | None:
        """The same packet as one that exceeds the limits which its walk took for kept."""
        beyond = exceeded(self._case.view, gone)
        if beyond is None:
            return None
        self.spent += _ANEW
        decides = _decides(asked.walked(beyond.view), way)
        return _Proof(way, asked.sender, asked.packet, beyond.words) if decides else None

    def _walked(self, way: DecidingRule) -> Iterator[_Asked]:
        view, host = self._case.view, self._case.view.host
        sets = {item.name: item for item in way.table.sets}
        conditions = (*way.conditions, *_devices(way.base))
        for family in _FAMILIES:
            if host is None or way.table.family not in {family, "inet", *FRAMES}:
                continue
            for sender, packet in witnesses(conditions, self._from(way, family), family, sets, self._ipsets):
                yield _Asked(sender.name, packet, sender.namespace)
            if way.base.hook in _NOT_ARRIVING:
                continue
            translated = way.base.hook not in {"prerouting", "ingress"}
            far = self._case.outside(family)
            ports = self._ports[family]
            for port, packet in arrivals(conditions, ports, family, far, sets, self._ipsets, translated=translated):
                link = view.link_named(host.id, port.uplink)
                if link is not None and self._comes_by(link, packet):
                    arriving = LinkRef(namespace=host.id, ifindex=link.ifindex)
                    yield _Asked("outside", packet, host.id, arriving)

    def _from(self, way: DecidingRule, family: Family) -> Senders:
        """Who may send what a base chain sees, and where to."""
        key = family, way_of(way)
        if key not in self._senders:
            self._senders[key] = senders(self._case, *key)
        return self._senders[key]

    def _comes_by(self, link: Link, packet: Packet) -> bool:
        """Whether who sends it may be behind that uplink: answers to that address leave by it."""
        host = self._case.view.host
        back = msgspec.structs.replace(packet, src=packet.dst, dst=packet.src)
        return host is not None and lookup(index_of(self._case.view, host), back).ifindex == link.ifindex


def _decides(gone: Walk, found: DecidingRule) -> bool:
    """Whether the walk's end is the rule's doing, or (for a translation) it gave the packet another destination."""
    if found.effect == "redirect":
        changed = (gone.last.dst, gone.last.dport) != (gone.start.dst, gone.start.dport)
        return changed and any(hop.rule is not None and _is(hop.rule, found) for hop in gone.hops)
    by = gone.decided_by
    if found.effect == "rewrite":  # the walk comes to it for sure, and can't tell what becomes of the packet
        return gone.end == "unknown" and by is not None and by.rule is not None and _is(by.rule, found)
    return gone.end in {"dropped", "rejected"} and by is not None and by.rule is not None and _is(by.rule, found)


def _is(ref: RuleRef, found: DecidingRule) -> bool:
    return (ref.backend, ref.family, ref.table, ref.chain, ref.number) == found.key


def _in_turn(by_rule: dict[Key, list[Candidate]]) -> list[list[Candidate]]:
    """The first of each chain, then those that have decided already, then the others."""
    seen: defaultdict[tuple[str, str, str, str], int] = defaultdict(int)
    ranked: list[tuple[int, int, list[Candidate]]] = []
    for key, those in by_rule.items():
        place = key[:4]
        seen[place] += 1
        packets = those[0].rule.packets or 0
        ranked.append((0 if seen[place] <= _FIRST else 1 if packets else 2, -packets, those))
    return [those for _, _, those in sorted(ranked, key=lambda item: item[:2])]


def _devices(base: Chain) -> tuple[Match, ...]:
    """The devices that a base chain is bound to, as a condition of its own."""
    if not base.devices:
        return ()
    return (Match(field="oif" if base.hook == "egress" else "iif", values=base.devices),)
