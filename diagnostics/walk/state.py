"""What is known of one walk so far: its packet and connection, hops, and what stands in its way.  Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from dnet_tui.diagnostics.walk.l2.stations import Stations
from dnet_tui.diagnostics.walk.l3.namespace_context import match_context
from dnet_tui.diagnostics.walk.namespace_index import NamespaceIndex, index_of
from dnet_tui.diagnostics.walk.netfilter.budget import Budget
from dnet_tui.diagnostics.walk.netfilter.conditions import Assume, Ruleset
from dnet_tui.diagnostics.walk.netfilter.conntrack import (
    Connection,
    as_seen_by,
    clashes,
    existing,
    in_zones_of,
    is_answer_to,
    is_icmp_error,
    is_out_of_state,
    shares_zone,
    untold_translation,
)
from dnet_tui.diagnostics.walk.netfilter.firewall_index import FirewallIndex
from dnet_tui.diagnostics.walk.netfilter.known_connections import Continued, KnownConnections, Tracked
from dnet_tui.diagnostics.walk.netfilter.tcp_states import fate
from dnet_tui.diagnostics.walk.packet import (
    Carried,
    Decider,
    End,
    Hedge,
    Hop,
    Learned,
    Obstacle,
    Packet,
    RuleRef,
    Truth,
    replace,
)
from dnet_tui.inspect.model import Link, LinkRef, Namespace, NotSeen
from dnet_tui.inspect.model.firewall import Firewall
from dnet_tui.inspect.model.view import View

_MAX_STAGES = 64
_MAX_LINKS = 64
_NO_RULES = FirewallIndex(Firewall())

Awaited = tuple[str, Packet]


def not_seen(missing: NotSeen, whose: str) -> Decider:
    """What decides where something was not read: the section that is missing, and of which namespace."""
    return Decider(kind="gap", text=missing.text(whose), value=missing.section, namespace=missing.scope)


class WalkStopped(Exception):  # noqa: N818 - control flow, not an error
    """Ends the walk: nothing can be said of the packet past this point."""


class WalkState:
    """The state of one walk.

    Args:
        view: the snapshot.
        packet: the packet that walks.
        outside: the walk ends where the packet leaves the host.
        beyond: it goes on past obstacles, to find the others.
        answers: the connections of which the packet is an answer.
        continued: those of which it is a later packet, with whether an answer to the first was seen there.
        choices: which of several possibilities to take at each branch; None: stop there as unknown.
        budget: what may be spent on rules that are evaluated repeatedly.
        fresh: tracked connections that exist already are not looked at.
        carried: what the packet has inside, where it is a tunnel's: the innermost first.
        reported: tracked connections of which the packet that this answers was an answer.
        likeliest: of several possible translations only those of a plain packet are taken.
        learned: what the packet that this answers has taught those it met.
        awaited: for an answer: the namespace that awaits it (empty: out of sight), and the packet that it answers.
    """

    def __init__(
        self,
        view: View,
        packet: Packet,
        *,
        outside: bool,
        beyond: bool,
        answers: Tracked,
        choices: tuple[int, ...] | None = None,
        budget: Budget | None = None,
        awaited: Awaited | None = None,
        learned: Learned = Learned(),  # noqa: B008 - frozen
        fresh: bool = False,
        carried: tuple[Carried, ...] = (),
        vrf: str = "",
        continued: Continued = (),
        likeliest: bool = False,
        reported: Tracked = (),
    ) -> None:
        self.view = view
        self.packet = packet
        self.outside = outside
        self.awaited = awaited
        self.stations = Stations(learned)
        self.fresh = fresh
        self.misdelivered: Decider | None = None
        """Why an answer that got somewhere isn't what is awaited there."""
        self.beyond = beyond
        self.known = KnownConnections(answers, continued, reported)
        self.asked: set[str] = set()
        """What rules asked of the packet that may be otherwise for a later one of its connection."""
        self.vrf = vrf
        """For an answer: the VRF, or a link in it, by which came what it answers."""
        self.carried = list(carried)
        """The packets inside of the one that walks, the innermost first."""
        self.branch_choices = choices
        self.likeliest = likeliest
        self.branch_counts: list[int] = []
        """How many possibilities there were at each branch."""
        self.budget = budget or Budget()
        self._indexes: dict[str, NamespaceIndex] = {}
        self._rulesets: dict[str, Ruleset] = {}
        self.hops: list[Hop] = []
        self.hedges: list[Hedge] = []
        """What the walk's decisions rest on that was taken for granted."""
        self.receiver: int | None = None
        """The user whose socket received the packet."""
        self.obstacles: list[Obstacle] = []
        self.tracked: list[tuple[str, Packet, Packet]] = []
        self.answering: list[tuple[str, Packet, Packet]] = []
        self.namespace = ""
        self.made_in = ""
        """The namespace that made the packet; empty for one that came in by a link."""
        self.entered = packet
        self.connection: Connection | None = None
        self.exits = ""
        """The host's interface by which the packet left."""
        self.left_by: LinkRef | None = None
        self.left_note = ""
        self._crossed = 0
        self.run: Callable[[WalkState, Any], tuple[End, Decider | None]] = lambda _state, _step: ("unknown", None)
        """Leads a packet through its stages; for outer packets that only a question needs."""
        self.ends_at_delivery = False
        self.sender: tuple[Namespace, Link] | None = None
        """The interface that sent the frame in which the packet is."""
        self.joined: Truth = False
        """Whether br_netfilter gave its fragments to IP as one packet, of which IP may make other fragments."""
        self.bridge_waits = False
        """Whether bridge chains of br_netfilter's own priority come after it here, at the hook that is passed."""

    @property
    def assume(self) -> Assume:
        """What may be taken for granted: who looks for faults doesn't rely on the odds."""
        return Assume.PLAIN if self.beyond else Assume.ODDS

    def index(self, ns: Namespace) -> NamespaceIndex:
        """What is looked up in a namespace."""
        found = self._indexes.get(ns.id)
        if found is None:
            found = self._indexes[ns.id] = index_of(self.view, ns)
        return found

    def ruleset(self, ns: Namespace) -> Ruleset:
        """The rules of a namespace, to be evaluated for this walk.

        Raises:
            NotSeen: they were not read.
        """
        found = self._rulesets.get(ns.id)
        if found is None:
            found = Ruleset(self.index(ns).rules, match_context(self.view, ns), self.budget, self.asked)
            self._rulesets[ns.id] = found
        return found

    def ruleset_at(self, ns: Namespace, stage: str) -> Ruleset:
        """The same for a stage: where they were not read that is an obstacle, and beyond it there are no rules."""
        try:
            return self.ruleset(ns)
        except NotSeen as missing:
            self.unknown(stage, missing)
        return Ruleset(_NO_RULES, match_context(self.view, ns), self.budget, self.asked)

    def enter(self, ns: Namespace, *, iif: str, physin: str = "") -> None:
        """Come into a namespace's IP layer: connections of another one don't exist here."""
        if len(self.hops) > _MAX_STAGES:
            self.stop("looped", "routing", Decider(kind="route", text="the packet goes round in a loop"))
        self.namespace = ns.id
        self.joined = False
        self.packet = replace(self.packet, iif=iif, oif="", physin=physin, physout="", zone=0, taken_by="")
        self.packet = replace(self.packet, reply_zone=0)
        if iif:
            self.packet = replace(self.packet, uid=None, by_kernel=False, bare=False)
        self._recognise(ns, self.known.find(ns.id, self.packet))
        self.entered = self.packet

    def find_connection(self, ns: Namespace) -> None:
        """Look for the packet's connection once more, as a rule may have put the packet into a zone (raw table)."""
        ours = self.known.find(ns.id, self.packet)
        same = shares_zone(ours, self.packet) if ours is not None else True
        if same is None:
            text = f"in which zone conntrack looks for {self.packet.tuple_text()}"
            self.obstacle("unknown", "conntrack", Decider(kind="connection", text=text, namespace=ns.id))
        self._recognise(ns, ours if same is not False else None)

    def _recognise(self, ns: Namespace, known: Connection | None) -> None:
        """Give the packet its connection: a known one, else one that is tracked already."""
        self.connection = known if known is not None else self._existing(ns)
        untold = untold_translation(self.connection, self.packet)
        if untold:
            self.obstacle("unknown", "conntrack", Decider(kind="connection", text=untold, namespace=ns.id))
        if is_out_of_state(self.connection, self.packet):
            self.connection = None
            self.packet = replace(as_seen_by(None, self.packet), ctstate="INVALID")
        else:
            self.packet = as_seen_by(self.connection, self.packet)

    def cross(self) -> None:
        """A frame goes over one more link: not round and round."""
        self._crossed += 1
        if self._crossed > _MAX_LINKS:
            self.stop("looped", "link", Decider(kind="link", text="the frame goes round in a loop"))

    def carried_text(self) -> str:
        """The tunnels that the packet is in, in words: ``in wg0 to 203.0.113.5:51820``; empty for none."""
        return ", ".join(f"in {self.view.links[item.tunnel].name} to {item.where}" for item in reversed(self.carried))

    def _existing(self, ns: Namespace) -> Connection | None:
        """The tracked connection of the very tuple, where the tracked connections were read."""
        if self.fresh:
            return None
        found = existing(self.index(ns).tracked(self.packet), self.packet)
        if found is None:
            return None
        entry, connection = found
        asked = self.index(ns).rules.asks_for_connections(self.packet.family)
        becomes = fate(self.packet, entry.state, reply=connection.reply) if asked else "unknown"
        if becomes in {"goes on or anew", "unknown"}:
            # Where both ways end alike that is decided.
            chosen = self.choose(2) if becomes != "unknown" else None
            if chosen is not None:
                return connection if chosen else None
            state = f" in state {entry.state}" if entry.state else ""
            text = f"what becomes of the tracked connection of {self.packet.tuple_text()}{state}"
            self.obstacle("unknown", "conntrack", Decider(kind="connection", text=text, namespace=ns.id))
        return connection

    def track(self, ns: Namespace) -> None:
        """Remember the connection, as conntrack does after a first packet's last hook (nf_conntrack_confirm)."""
        repeated = self.connection is not None and not self.connection.reply
        if self.connection is None and self.packet.ctstate == "NEW" and not self.fresh:
            self._confirm(ns)
        if (self.packet.ctstate == "NEW" or repeated) and not self.known.is_answer:
            self.tracked.append((ns.id, self.entered, in_zones_of(self.connection, self.packet)))
        elif self.connection is not None and self.connection.reply and not self.connection.is_ours:
            self.answering.append((ns.id, self.connection.before, self.connection.after))

    def _confirm(self, ns: Namespace) -> None:
        packet, asked = self.packet, self.index(ns).rules.asks_for_connections(self.packet.family)
        if asked and clashes(self.index(ns).tracked(packet, answer=True), self.known.of(ns.id), packet):
            text = f"what becomes of {packet.tuple_text()}: the tuple of its answers is another tracked connection's"
            self.obstacle("unknown", "conntrack", Decider(kind="connection", text=text, namespace=ns.id))

    def reach(self, ns: Namespace, *, left: bool = False) -> None:
        """An answer has got to ``ns``, or ``left`` from there: note where it isn't who awaits it, or not as awaited.

        An ICMP error is about another packet, and known by what it quotes.
        """
        if self.awaited is None or is_icmp_error(self.packet):
            return
        origin, first = self.awaited
        packet = self.carried[0].inner if self.carried else self.packet
        if is_answer_to(packet, first) and (not origin if left else ns.id == origin):
            return
        wanted = replace(first, src=first.dst, dst=first.src, sport=first.dport, dport=first.sport)
        where = "outside" if left else "here"
        text = f"no socket {where} awaits an answer as {packet.tuple_text()}: awaited is {wanted.tuple_text()}"
        text += f"; it left {self.carried_text()}" if left and self.carried else ""
        self.misdelivered = Decider(kind="socket", text=text, namespace=ns.id)

    def awaits_another(self) -> bool:
        """Whether an answer, as it is now, isn't what is awaited."""
        return self.awaited is not None and not is_answer_to(self.packet, self.awaited[1])

    def hop(
        self,
        ns: Namespace,
        interface: str,
        stage: str,
        verdict: str,
        *,
        rule: RuleRef | None = None,
        note: str = "",
    ) -> None:
        """Note a stage that the packet passed, or where it ended."""
        self.hops.append(
            Hop(
                namespace=ns.id,
                interface=interface,
                stage=stage,
                packet=self.packet,
                verdict=verdict,
                rule=rule,
                note=note,
                outer=bool(self.carried),
            )
        )

    def obstacle(self, end: End, stage: str, by: Decider) -> None:
        """Note what stands in the way, and end the walk unless it shall go on beyond."""
        self.obstacles.append(Obstacle(end=end, stage=stage, by=by, packet=self.packet, outer=bool(self.carried)))
        if not self.beyond:
            raise WalkStopped

    @contextmanager
    def unseen(self, stage: str) -> Iterator[None]:
        """What was not seen at a stage is an obstacle there: unknown, and the walk goes on beyond it if it shall."""
        try:
            yield
        except NotSeen as missing:
            self.unknown(stage, missing)

    def unknown(self, stage: str, missing: NotSeen) -> None:
        """Note that what a stage rests on was not seen."""
        whose = self.view.label(missing.scope) if missing.scope else ""
        self.obstacle("unknown", stage, not_seen(missing, whose))

    def stop(self, end: End, stage: str, by: Decider) -> NoReturn:
        """Note what nothing can be said beyond of."""
        self.obstacles.append(Obstacle(end=end, stage=stage, by=by, packet=self.packet, outer=bool(self.carried)))
        raise WalkStopped

    def check(self, ns: Namespace, stage: str, by: Decider | None, end: End = "unreachable") -> None:
        """Note a stop of a link or bridge, if there is one."""
        if by is not None:
            self.hop(ns, "", stage, "stopped", note=by.text)
            self.obstacle(end, stage, by)

    def doubt(self, by: Decider | None, stage: str = "neighbour") -> None:
        """Note what can't be told, if there is anything."""
        if by is not None:
            self.obstacle("unknown", stage, by)

    def choose(self, ways: int) -> int | None:
        """Which of so many ways is this walk's, where the packet may take any; None: it shall not go on."""
        if self.branch_choices is None:
            return None
        at = len(self.branch_counts)
        self.branch_counts.append(ways)
        return self.branch_choices[at] if at < len(self.branch_choices) else 0
