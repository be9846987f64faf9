"""A packet passes one netfilter hook of a namespace: chains, conntrack and NAT at the kernel's places.  Pure.

Conntrack sits at priority -200 and NAT at -100 (prerouting, output) or 100
(input, postrouting), whatever priority a nat chain asks for: nat chains hang
on NAT's own hook (nf_nat_register_fn).  What stands before conntrack sees no
connection; what stands after NAT sees the packet rewritten.
"""

from __future__ import annotations

from collections.abc import Callable

from dnet_tui.diagnostics.walk.match.namespace_context import Site
from dnet_tui.diagnostics.walk.netfilter.chains import HookResult
from dnet_tui.diagnostics.walk.netfilter.conntrack import without_connection
from dnet_tui.diagnostics.walk.netfilter.hooks import Part, or_instead, run_hook
from dnet_tui.diagnostics.walk.netfilter.nat import altered, apply_nat, each_address, target_text, undo_nat
from dnet_tui.diagnostics.walk.packet import Decider, End, RuleRef
from dnet_tui.diagnostics.walk.state import Trail
from dnet_tui.inspect.model import Namespace, NotSeen, require
from dnet_tui.inspect.model.firewall import Firewall, Hook, Nat

ENDS: dict[str, End] = {"drop": "dropped", "reject": "rejected", "unknown": "unknown"}
"""A walk's end by the verdict of a hook."""

_OFFLOAD = "established packets of this flow bypass the hooks from here on"
_MOST_CHOICES = 64
_SHOWN = 4

_PARTS: dict[Hook, tuple[Part, ...]] = {
    "prerouting": ("early", "middle", "nat", "late"),
    "output": ("early", "middle", "nat", "late"),
    "input": ("middle", "nat", "late"),
    "postrouting": ("middle", "nat", "late"),
}


def readable(ns: Namespace) -> Firewall:
    """A namespace's firewall.

    Raises:
        NotSeen: it was not read, or not all of it and nobody knows where what is missing belongs.
    """
    firewall = require(ns.firewall)
    if not firewall.marks_its_lacks:
        lack = firewall.lacks[0]
        raise NotSeen("firewall", ns.id, lack.reason, lack.hint)
    return firewall


class Passage:
    """One packet's way through one hook.

    ``rerouted`` is called where the kernel looks up the route anew
    (ip_route_me_harder).  ``looped``: the packet comes back by the loopback
    with the connection it got in OUTPUT, so nothing is bound again.
    """

    def __init__(
        self,
        trail: Trail,
        ns: Namespace,
        hook: Hook,
        interface: str,
        *,
        next_hop: str = "",
        looped: bool = False,
        rerouted: Callable[[], None] = lambda: None,
    ) -> None:
        self.trail = trail
        self.ns = ns
        self.hook: Hook = hook
        self.interface = interface
        self.next_hop = next_hop
        self.looped = looped
        self.rerouted = rerouted
        self.unsure: Decider | None = None
        self.passed = False

    def go(self) -> None:
        """Pass the hook; an obstacle is noted on the trail."""
        firewall = Firewall()
        with self.trail.unseen(self.hook):
            firewall = readable(self.ns)
        for part in _PARTS.get(self.hook, ("all",)):
            if part == "nat":
                self._nat(firewall)
            elif part == "early":
                self._early(firewall)
            else:
                mark = self.trail.packet.mark
                result = self._run(firewall, part)
                if self.hook == "output" and result.reroutes and self.trail.packet.mark != mark:
                    self.rerouted()
        if self.unsure is not None:
            self.trail.hop(self.ns, self.interface, self.hook, "unknown", rule=self.unsure.rule)
            self.trail.obstacle("unknown", self.hook, self.unsure)
        elif not self.passed and _has_chain(firewall, self.hook):
            self.trail.hop(self.ns, self.interface, self.hook, "accept")

    def _early(self, firewall: Firewall) -> None:
        """Before conntrack: no connection can be seen, and NOTRACK says that none shall be."""
        trail = self.trail
        if self.looped:
            self._run(firewall, "early")
            return
        tracked = trail.packet
        trail.packet = without_connection(tracked)
        self._run(firewall, "early")
        if trail.packet.ctstate == "UNTRACKED":
            trail.connection = None
            return
        trail.packet = altered(tracked, mark=trail.packet.mark)

    def _run(self, firewall: Firewall, part: Part) -> HookResult:
        """Run the chains of one part, and note what they did."""
        result = run_hook(
            firewall,
            self.hook,
            self.trail.packet,
            namespace=self.ns.id,
            address_type=Site(self.ns),
            part=part,
        )
        self.trail.packet = result.packet
        if result.verdict in {"drop", "reject"}:
            by = or_instead(result.by, [self.unsure]) or Decider(kind="rule", text="", namespace=self.ns.id)
            self.trail.hop(self.ns, self.interface, self.hook, result.verdict, rule=by.rule)
            self.passed = True
            for verdict, decider in ((result.verdict, by), *result.more):
                self.trail.obstacle(ENDS[verdict], self.hook, decider)
        elif result.verdict == "unknown":
            self.unsure = self.unsure or result.by or Decider(kind="rule", text="", namespace=self.ns.id)
        for rule in result.offloaded:
            self.passed = True
            self.trail.hop(self.ns, self.interface, self.hook, "offload", rule=rule, note=_OFFLOAD)
        for rule in result.passed:
            self.passed = True
            self.trail.hop(self.ns, self.interface, self.hook, "accept", rule=rule)
        return result

    def _nat(self, firewall: Firewall) -> None:
        trail = self.trail
        before = trail.packet
        if trail.connection is not None:
            trail.packet = undo_nat(self.hook, trail.packet, *trail.connection)
        elif before.ctstate == "NEW" and not self.looped:
            result = self._run(firewall, "nat")
            if result.verdict == "unknown" and self.unsure is not None:
                # Whether it is rewritten decides over everything that follows.
                trail.obstacle("unknown", self.hook, self.unsure)
                self.unsure = None
            self._bind(result)
        if self.hook == "output" and trail.packet.dst != before.dst:
            self.rerouted()

    def _bind(self, result: HookResult) -> None:
        """Give a new connection its translation."""
        trail, ns = self.trail, self.ns
        chosen = self._one_of(result)
        if chosen is not None:
            self._translate(*chosen)
            return
        if result.nat_unknown is not None:
            text = f"whether NAT applies can't be decided: {result.nat_unknown.table} {result.nat_unknown.text}"
            by = Decider(kind="rule", text=text, namespace=ns.id, rule=result.nat_unknown)
            trail.obstacle("unknown", self.hook, self.unsure or by)
        if result.nat is not None:
            self._translate(result.nat, result.nat_rule, "")

    def _one_of(self, result: HookResult) -> tuple[Nat | None, RuleRef | None, str] | None:
        """Which of the possible translations this walk takes, where there are several; None where it is decided."""
        known = result.choices or (((result.nat, result.nat_rule),) if result.nat is not None else ())
        ways = [(one, ref) for nat, ref in known for one in (each_address(nat) if nat is not None else (None,))]
        if len(ways) < 2 or len(known) > _MOST_CHOICES:
            return None
        pick = self.trail.pick(len(ways))
        if pick is None:
            return None
        nat, ref = ways[pick]
        targets = list(dict.fromkeys(target_text(one) for one, _ in ways))
        more = ", …" if len(targets) > _SHOWN else ""
        return nat, ref, f"one of {len(ways)} possible translations: {', '.join(targets[:_SHOWN])}{more}"

    def _translate(self, nat: Nat | None, ref: RuleRef | None, note: str) -> None:
        trail, ns = self.trail, self.ns
        before = trail.packet
        if nat is None:
            trail.hop(ns, self.interface, self.hook, "accept", note=f"{note}; here none")
            return
        done = apply_nat(ns, nat, before, self.hook, device=self.interface, next_hop=self.next_hop)
        if done.unknown or done.dropped:
            by = Decider(kind="rule", text=done.unknown or done.dropped, namespace=ns.id, rule=ref)
            trail.hop(ns, self.interface, self.hook, "unknown" if done.unknown else "drop", rule=ref, note=by.text)
            trail.obstacle("unknown" if done.unknown else "dropped", self.hook, by)
        trail.packet = done.packet
        self.passed = True
        changed = done.packet != before
        what = f"was {before.tuple_text()}" if changed else "changes nothing"
        verdict = nat.kind if changed else "accept"
        trail.hop(ns, self.interface, self.hook, verdict, rule=ref, note=f"{note}; {what}" if note else what)


def _has_chain(firewall: Firewall, hook: Hook) -> bool:
    return any(chain.hook == hook for table in firewall.tables for chain in table.chains)
