"""A packet passes one netfilter hook of a namespace: chains, conntrack and NAT at the kernel's places.  Pure.

Conntrack sits at priority -200 and NAT at -100 (prerouting, output) or 100
(input, postrouting), whatever priority a nat chain asks for: nat chains hang
on NAT's own hook (nf_nat_register_fn).  What stands before conntrack sees no
connection; what stands after NAT sees the packet rewritten.
"""

from __future__ import annotations

from collections.abc import Callable

from dnet_tui.diagnostics.walk.netfilter.chain_ends import HookResult
from dnet_tui.diagnostics.walk.netfilter.conntrack import (
    holders,
    is_icmp_error,
    is_taken,
    source_ports,
    without_connection,
)
from dnet_tui.diagnostics.walk.netfilter.firewall_index import ChainPart
from dnet_tui.diagnostics.walk.netfilter.fwmark import with_changes
from dnet_tui.diagnostics.walk.netfilter.hooks import or_instead, run_hook
from dnet_tui.diagnostics.walk.netfilter.nat import apply_nat, each_address, repeat_nat, target_text, undo_nat
from dnet_tui.diagnostics.walk.netfilter.tcp_states import ENDED
from dnet_tui.diagnostics.walk.packet import Decider, End, Hedge, Packet, RuleRef, is_unsure, replace
from dnet_tui.diagnostics.walk.state import WalkState
from dnet_tui.inspect.model import Namespace
from dnet_tui.inspect.model.coverage.sections import unless_unasked
from dnet_tui.inspect.model.firewall import Hook, Nat
from dnet_tui.inspect.model.protocols import PORT_PROTOCOLS

ENDS: dict[str, End] = {"drop": "dropped", "reject": "rejected", "unknown": "unknown"}
"""A walk's end by the verdict of a hook."""

_OFFLOAD = "established packets of this flow bypass the hooks from here on"
_MOST_CHOICES = 64
_SHOWN = 4

_PARTS: dict[Hook, tuple[ChainPart, ...]] = {
    "prerouting": ("early", "middle", "nat", "late"),
    "output": ("early", "middle", "nat", "late"),
    "input": ("middle", "nat", "late"),
    "postrouting": ("middle", "nat", "late"),
}


def traverse_hook(
    state: WalkState,
    ns: Namespace,
    hook: Hook,
    *,
    next_hop: str = "",
    looped: bool = False,
    rerouted: Callable[[], None] = lambda: None,
) -> None:
    """Lead a walk's packet through a hook of a namespace; an obstacle is noted in the state.

    Args:
        state: the walk.
        ns: the namespace.
        hook: the hook.
        next_hop: where the route leads, for MASQUERADE.
        looped: the packet comes back by the loopback with the connection it
            got in OUTPUT, so nothing is bound again.
        rerouted: called where the kernel looks up the route anew (ip_route_me_harder).
    """
    _HookTraversal(state, ns, hook, next_hop=next_hop, looped=looped, rerouted=rerouted).go()


class _HookTraversal:
    """One packet's way through one hook."""

    def __init__(
        self,
        state: WalkState,
        ns: Namespace,
        hook: Hook,
        *,
        next_hop: str,
        looped: bool,
        rerouted: Callable[[], None],
    ) -> None:
        self.state = state
        self.ns = ns
        self.hook: Hook = hook
        self.interface = state.packet.iif if hook in {"prerouting", "input"} else state.packet.oif
        self.next_hop = next_hop
        self.looped = looped
        self.rerouted = rerouted
        self.ruleset = state.ruleset_at(ns, hook)
        self.unsure: Decider | None = None
        self.passed = False
        self.bound = False
        """Whether a rule has given the connection its translation here."""

    def go(self) -> None:
        """Pass the hook; an obstacle is noted on the state."""
        if self.ruleset.rules.is_empty_at(self.hook):
            self._pass_without_rules()
            return
        for part in _PARTS.get(self.hook, ("all",)):
            if part == "nat":
                self._nat()
            elif part == "early":
                self._early()
            else:
                mark = self.state.packet.mark
                result = self._run(part)
                if self.hook == "output" and result.reroutes and self.state.packet.mark != mark:
                    self.rerouted()
        if self.unsure is not None:
            self.state.hop(self.ns, self.interface, self.hook, "unknown", rule=self.unsure.rule)
            self.state.obstacle("unknown", self.hook, self.unsure)
        elif not self.passed and self.hook in self.ruleset.rules.hooks:
            self.state.hop(self.ns, self.interface, self.hook, "accept")

    def _pass_without_rules(self) -> None:
        """Where no chain is asked, a connection's translation alone counts: most namespaces have no rules."""
        if self.hook in {"prerouting", "output"} and not self.looped:
            self._doubt_report()
        if self.state.connection is not None:
            self._nat()

    def _early(self) -> None:
        """Before conntrack: no connection can be seen, and NOTRACK says that none shall be."""
        state = self.state
        if self.looped:
            self._run("early")
            return
        tracked = state.packet
        state.packet = without_connection(tracked)
        self._run("early")
        if state.packet.ctstate == "UNTRACKED":
            state.connection = None
            state.known.met.pop(self.ns.id, None)  # conntrack never sees it
            return
        early = state.packet
        state.packet = with_changes(tracked, early)
        after = state.connection.after if state.connection is not None else None
        known = (after.zone, after.reply_zone) if after is not None else (0, 0)
        if (early.zone, early.reply_zone) != known:
            state.packet = replace(state.packet, zone=early.zone, reply_zone=early.reply_zone)
            state.find_connection(self.ns)
            state.entered = state.packet
            if state.connection is None:
                state.known.met.pop(self.ns.id, None)
        self._doubt_report()

    def _doubt_report(self) -> None:
        """Note that an ICMP error may belong to a connection that was tracked already, where its packet's own isn't."""
        state = self.state
        if state.connection is not None or state.fresh or not is_icmp_error(state.packet):
            return
        ours = state.known.find(self.ns.id, state.packet)
        about = ours.after if ours is not None else state.awaited[1] if state.awaited is not None else None
        if about is None or not state.index(self.ns).tracked(about):
            return
        text = f"which connection the ICMP error about {about.tuple_text()} belongs to"
        state.obstacle("unknown", "conntrack", Decider(kind="connection", text=text, namespace=self.ns.id))

    def _run(self, part: ChainPart) -> HookResult:
        """Run the chains of one part, and note what they did."""
        state = self.state
        result = run_hook(
            self.ruleset, self.hook, state.packet, part=part, most=state.assume, likeliest=state.likeliest
        )
        self.state.packet = result.packet
        self.state.hedges += result.hedges
        if result.verdict in {"drop", "reject"} and is_unsure(result.hedges) and self.state.beyond:
            # A fault is what certainly stops a packet: on what this rests is for a person to judge.
            self.unsure = self.unsure or result.by
        elif result.verdict in {"drop", "reject"}:
            if self.hook == "output" and result.turned is not None:
                state.packet = result.turned  # its route is looked up anew before the chain that stops it is asked
                self.rerouted()
                state.packet = result.packet
            by = or_instead(result.by, [self.unsure]) or Decider(kind="rule", text="", namespace=self.ns.id)
            self.state.hop(self.ns, self.interface, self.hook, result.verdict, rule=by.rule)
            self.passed = True
            for verdict, decider in ((result.verdict, by), *result.more):
                self.state.obstacle(ENDS[verdict], self.hook, decider)
        elif result.verdict == "unknown":
            self.unsure = self.unsure or result.by or Decider(kind="rule", text="", namespace=self.ns.id)
        for rule in result.offloaded:
            self.passed = True
            self.state.hop(self.ns, self.interface, self.hook, "offload", rule=rule, note=_OFFLOAD)
        for rule in result.passed:
            self.passed = True
            self.state.hop(self.ns, self.interface, self.hook, "accept", rule=rule)
        return result

    def _nat(self) -> None:
        state = self.state
        before = state.packet
        if state.connection is not None:
            translate = undo_nat if state.connection.reply else repeat_nat
            state.packet = translate(self.hook, before, state.connection.before, state.connection.after)
            if not state.connection.reply and state.packet != before:
                note = f"was {before.tuple_text()}; by a connection that exists already"
                state.hop(self.ns, self.interface, self.hook, "accept", note=note)
                self.passed = True
        elif before.ctstate == "NEW" and not self.looped:
            result = self._run("nat")
            if result.verdict == "unknown" and self.unsure is not None:
                # Whether it is rewritten decides over everything that follows.
                state.obstacle("unknown", self.hook, self.unsure)
                self.unsure = None
            self._bind(result)
            note = "" if self.bound else self._free_port(before)
            if note:
                self.passed = True
                state.hop(self.ns, self.interface, self.hook, "accept", note=note)
        if self.hook == "output" and state.packet.dst != before.dst:
            self.rerouted()

    def _bind(self, result: HookResult) -> None:
        """Give a new connection its translation."""
        state, ns = self.state, self.ns
        chosen = self._one_of(result)
        if chosen is not None:
            self._translate(*chosen)
            return
        if result.nat_unknown is not None:
            text = f"whether NAT applies can't be decided: {result.nat_unknown.table} {result.nat_unknown.text}"
            by = Decider(kind="rule", text=text, namespace=ns.id, rule=result.nat_unknown)
            state.obstacle("unknown", self.hook, self.unsure or result.by or by)
        if result.nat is not None:
            self._translate(result.nat, result.nat_rule, "")

    def _of_a_fixed_port(self, before: Packet, nat: Nat, ref: RuleRef | None) -> None:
        """Stop where a rule gives a new connection the very source port that another one has: there is no other.

        Conntrack then drops the packet (insert_failed); a connection that is over may make room for it.
        Source: nf_nat_used_tuple_harvest (nf_nat_core.c), nf_ct_resolve_clash (nf_conntrack_core.c).
        """
        state, ns = self.state, self.ns
        if self.hook not in {"postrouting", "input"} or state.fresh or not nat.ports.isdecimal():
            return
        packet = state.packet
        if packet.proto not in PORT_PROTOCOLS or packet == before or None in {packet.sport, packet.dport}:
            return
        found = next(holders(state.index(ns).tracked(packet, answer=True), packet), None)
        if found is None:
            return
        other = f"{found.original.src}:{found.original.sport}"
        text = f"{packet.src}:{packet.sport} to {packet.dst}:{packet.dport} is the tracked connection's from {other}"
        by = Decider(kind="connection", text=text, namespace=ns.id, rule=ref)
        sure = found.state not in ENDED and packet.reply_zone is not None
        state.hop(ns, self.interface, self.hook, "drop" if sure else "unknown", rule=ref, note=text)
        state.obstacle("dropped" if sure else "unknown", self.hook, by)

    def _free_port(self, before: Packet, ports: str = "") -> str:
        """Give a connection a source port that is free, as the kernel does where anything is translated; say so.

        ``ports`` are those that a rule names: of one alone there is no other.
        Source: get_unique_tuple (net/netfilter/nf_nat_core.c).
        """
        state, packet = self.state, self.state.packet
        known = packet.proto in PORT_PROTOCOLS and None not in {packet.sport, packet.dport}
        if self.hook not in {"postrouting", "input"} or state.fresh or not known or ports.isdecimal():
            return ""
        index = state.index(self.ns)
        taken = self.ruleset.rules.translates(packet.family) and is_taken(index.tracked(packet, answer=True), packet)
        if packet.src != before.src and packet.sport == before.sport:
            used = source_ports(unless_unasked(self.ns.conntrack), before, packet.src)
            for port in used if len(used) == 1 and not ports else ():
                again = replace(packet, sport=port)
                if port != packet.sport and not is_taken(index.tracked(again, answer=True), again):
                    state.packet = again
                    return f"source port {port}, as other connections from {before.src}:{before.sport} have"
            # Which of several comes first nobody knows, nor whether one is among the ports that are named.
            taken = taken or len(used) > 1 or bool(ports and used - {packet.sport})
        if not taken:
            return ""
        state.packet = replace(packet, sport=None, snatted=True)
        return f"another connection has {packet.src}:{packet.sport}: the kernel chooses another source port"

    def _one_of(self, result: HookResult) -> tuple[Nat | None, RuleRef | None, str] | None:
        """Which of the possible translations this walk takes, where there are several; None where it is decided."""
        known = result.choices or (((result.nat, result.nat_rule),) if result.nat is not None else ())
        ways = [
            (one, ref)
            for nat, ref in known
            for one in (each_address(nat, self.state.packet) if nat is not None else (None,))
        ]
        if len(ways) < 2 or len(known) > _MOST_CHOICES:
            return None
        chosen = self.state.choose(len(ways))
        if chosen is None:
            return None
        nat, ref = ways[chosen]
        targets = list(dict.fromkeys(target_text(one) for one, _ in ways))
        more = ", …" if len(targets) > _SHOWN else ""
        return nat, ref, f"one of {len(ways)} possible translations: {', '.join(targets[:_SHOWN])}{more}"

    def _translate(self, nat: Nat | None, ref: RuleRef | None, note: str) -> None:
        state, ns = self.state, self.ns
        before = state.packet
        if nat is None:
            state.hop(ns, self.interface, self.hook, "accept", note=f"{note}; here none")
            return
        done = apply_nat(ns, nat, before, self.hook, device=self.interface, next_hop=self.next_hop)
        if done.unknown or done.dropped:
            by = Decider(kind="rule", text=done.unknown or done.dropped, namespace=ns.id, rule=ref)
            state.hop(ns, self.interface, self.hook, "unknown" if done.unknown else "drop", rule=ref, note=by.text)
            state.obstacle("unknown" if done.unknown else "dropped", self.hook, by)
        state.packet, self.bound = done.packet, True
        self._of_a_fixed_port(before, nat, ref)
        other_port = self._free_port(before, nat.ports)
        if done.hedge:
            state.hedges.append(Hedge(text=done.hedge, namespace=ns.id, rule=ref))
        self.passed = True
        changed = state.packet != before
        what = "; ".join(filter(None, (f"was {before.tuple_text()}" if changed else "changes nothing", other_port)))
        verdict = nat.kind if changed else "accept"
        state.hop(ns, self.interface, self.hook, verdict, rule=ref, note=f"{note}; {what}" if note else what)
