"""How a chain ends for a packet, what that makes of a hook, and the references to rules in it.  Pure data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import msgspec

from dnet_tui.diagnostics.walk.packet import Decider, Hedge, Packet, RuleRef
from dnet_tui.inspect.model.firewall import Chain, Nat, Rule, Table, Verdict
from dnet_tui.inspect.model.rule_writers.registry import policy_owner, table_owner

ChainOutcome = Literal["accept", "drop", "reject", "unknown"]


class HookResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a hook did: its verdict, what decided it, the packet after it and the NAT it chose.

    ``passed`` names the rule by which each base chain accepted, where one did
    (rather than its policy).
    """

    verdict: ChainOutcome
    by: Decider | None = None
    packet: Packet
    nat: Nat | None = None
    nat_rule: RuleRef | None = None
    nat_unknown: RuleRef | None = None
    passed: tuple[RuleRef, ...] = ()
    reroutes: bool = False
    """Whether a chain was asked after which the kernel looks up the route anew when the mark has changed."""
    turned: Packet | None = None
    """Of a packet that is stopped: as it was after such a chain had changed its mark, before the one that stops it."""
    more: tuple[tuple[ChainOutcome, Decider], ...] = ()
    """What else of the hook would drop or reject a packet that this result stops."""
    choices: tuple[tuple[Nat | None, RuleRef | None], ...] = ()
    """Where NAT can't be decided: all that it may be (None: nothing), if that is known."""
    offloaded: tuple[RuleRef, ...] = ()
    """The rules met that hand the flow to a flow table."""
    hedges: tuple[Hedge, ...] = ()
    """What the verdict rests on that was taken for granted."""


PASSING = {"accept": True, "nat": True, "drop": False, "reject": False}
"""Whether an end lets the packet pass; an end that isn't here is undecided."""


class ChainEnd(msgspec.Struct, frozen=True, kw_only=True):
    """How a chain ended: ``kind`` of verdict, the rule, and its NAT statement."""

    kind: str
    ref: RuleRef | None = None
    nat: Nat | None = None
    unsure: bool = False
    """Only possible, though its rule is certainly met: an element of a map that can't be decided."""


class Position(NamedTuple):
    """Where the evaluation stands: the rule, the chains that led to it, and whether it is certainly reached."""

    chain: Chain
    rule: Rule
    path: tuple[str, ...]
    first: int
    certain: bool


def reference_to(
    namespace: str, table: Table, chain: Chain, rule: Rule, base: str, *, first: int = 0, path: tuple[str, ...] = ()
) -> RuleRef:
    """The reference to a rule; ``base`` is the base chain that leads to it, by its rule ``first`` and over ``path``."""
    return RuleRef(
        namespace=namespace,
        backend=table.backend,
        family=table.family,
        table=table.name,
        chain=chain.name,
        number=rule.number,
        text=rule.text,
        packets=rule.packets,
        bytes=rule.bytes,
        base=base,
        base_number=first,
        path=path,
        owner=rule.owner,
    )


class Referrer(NamedTuple):
    """Names the rules and the policy of a base chain, and of the chains that it leads to."""

    namespace: str
    table: Table
    base: Chain

    def rule(self, at: Position) -> RuleRef:
        """The reference to the rule that the evaluation stands at."""
        return reference_to(self.namespace, self.table, at.chain, at.rule, self.base.name, first=at.first, path=at.path)

    def policy(self, policy: str) -> RuleRef:
        """The reference to the base chain's policy."""
        return RuleRef(
            namespace=self.namespace,
            backend=self.table.backend,
            family=self.table.family,
            table=self.table.name,
            chain=self.base.name,
            number=0,
            text=f"policy {policy.upper()}",
            packets=self.base.packets,
            bytes=self.base.bytes,
            base=self.base.name,
            path=(self.base.name,),
            owner=policy_owner(self.table, self.base) if policy == "drop" else table_owner(self.table),
        )


def decider(ref: RuleRef | None, namespace: str) -> Decider:
    """The decider that a rule or a policy is."""
    if ref is None:
        return Decider(kind="rule", text="", namespace=namespace)
    if ref.number == 0:
        return Decider(kind="policy", text=f"{ref.table} {ref.chain} {ref.text}", namespace=namespace, rule=ref)
    text = f"{ref.table} {ref.chain} rule {ref.number}: {ref.text}"
    return Decider(kind="rule", text=text, namespace=namespace, rule=ref)


BREAK = ChainEnd(kind="break")
"""The rule ends as at a match that fails (NFT_BREAK)."""


def settled(end: ChainEnd, possible: Sequence[ChainEnd], packet: Packet, namespace: str) -> HookResult:
    """What a base chain does to a packet, from its certain end and the possible ones before it."""
    passes = PASSING.get(end.kind)
    differing = next((maybe for maybe in possible if PASSING.get(maybe.kind) != passes), None)
    by = decider(end.ref if differing is None else differing.ref, namespace)
    # Where it is undecided what ends it, the certain stop after the possible ends is one more possibility.
    refs = (*(maybe.ref for maybe in possible), None if passes else end.ref)
    others = dict.fromkeys(ref for ref in refs if ref is not None and ref != by.rule)
    if others:
        by = msgspec.structs.replace(by, instead=tuple(others))
    verdict: ChainOutcome = "unknown"
    if differing is None and passes is not None:
        verdict = "accept" if passes else "drop" if end.kind == "drop" else "reject"
    return HookResult(
        verdict=verdict,
        by=by,
        packet=packet,
        nat=end.nat,
        nat_rule=end.ref if end.nat and not by.instead else None,
        nat_unknown=next((maybe.ref for maybe in possible if maybe.nat != end.nat), None),
        choices=nat_choices((*possible, end)) if verdict == "accept" else (),
    )


def nat_choices(ends: Iterable[ChainEnd]) -> tuple[tuple[Nat | None, RuleRef | None], ...]:
    """All that NAT may be, when it is undecided: by what may be met, and by what is met otherwise."""
    found: dict[Nat | None, RuleRef | None] = {}
    for end in ends:
        found.setdefault(end.nat, end.ref if end.nat is not None else None)
    return tuple(found.items()) if len(found) > 1 else ()


def can_reject(verdict: Verdict, packet: Packet) -> bool:
    """Whether a reject is for a packet at all.

    nft puts "IPv4" before ``reject with icmp``, "IPv6" before ``icmpv6`` and
    "TCP" before ``tcp reset``, and doesn't show it (reject dependencies, evaluate.c).
    """
    if verdict.reject_with == "tcp-reset":
        return packet.proto == "tcp"
    other = {"ip": "icmp6-", "ip6": "icmp-"}[packet.family]
    return not verdict.reject_with.startswith(other)
