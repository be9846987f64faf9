"""What a walk has gathered so far: the packet, its hops, what stands in its way.  Pure.

Also what conntrack knows in the namespace the packet is in: which connection
it belongs to and in which state it is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from dnet_tui.diagnostics.walk.netfilter.conntrack import Connection, as_seen_by, belongs
from dnet_tui.diagnostics.walk.netfilter.nat import altered
from dnet_tui.diagnostics.walk.packet import Decider, End, Hop, Obstacle, Packet, RuleRef, Truth
from dnet_tui.inspect.model import Namespace, NotSeen

_MAX_STAGES = 64

Tracked = tuple[tuple[str, Packet, Packet], ...]
"""(namespace, packet before NAT, packet after NAT) of each conntrack that saw a flow."""


def not_seen(missing: NotSeen) -> Decider:
    """What decides where something was not read: the section that is missing, and of which namespace."""
    return Decider(kind="gap", text=missing.text(), value=missing.section, namespace=missing.scope)


class WalkStopped(Exception):  # noqa: N818 - control flow, not an error
    """Ends the walk: nothing can be said of the packet past this point."""


class Trail:
    """The state of one walk."""

    def __init__(self, packet: Packet, *, beyond: bool, answers: Tracked, picks: tuple[int, ...] | None = None) -> None:
        self.packet = packet
        self.picks = picks
        """Which of several possibilities to take at each parting of the ways; None: stop there as unknown."""
        self.partings: list[int] = []
        """How many ways there were at each."""
        self.beyond = beyond
        self.answers = {namespace: Connection(before, after) for namespace, before, after in answers}
        self.joined: Truth = False
        """Whether br_netfilter gave its fragments to IP as one packet, of which IP may make other fragments."""
        self.hops: list[Hop] = []
        self.obstacles: list[Obstacle] = []
        self.tracked: list[tuple[str, Packet, Packet]] = []
        self.namespace = ""
        self.bridge_waits = False
        """Whether bridge chains of br_netfilter's own priority come after it here, at the hook that is passed."""
        self.made_in = ""
        """The namespace that made the packet; empty for one that came in by a link."""
        self.entered = packet
        self.connection: Connection | None = None

    def enter(self, ns: Namespace, *, iif: str, physin: str = "") -> None:
        """Come into a namespace's IP layer: connections of another one don't exist here."""
        if len(self.hops) > _MAX_STAGES:
            self.stop("looped", "routing", Decider(kind="route", text="the packet goes round in a loop"))
        self.namespace = ns.id
        self.joined = False
        self.packet = altered(self.packet, iif=iif, oif="", physin=physin, physout="")
        known = self.answers.get(ns.id)
        self.connection = known if known is not None and belongs(self.packet, known) else None
        self.packet = as_seen_by(self.connection, self.packet)
        self.entered = self.packet

    def track(self, ns: Namespace) -> None:
        """Remember the connection, as conntrack does after a first packet's last hook (nf_conntrack_confirm)."""
        if self.packet.ctstate == "NEW" and not self.answers:
            self.tracked.append((ns.id, self.entered, self.packet))

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
            )
        )

    def obstacle(self, end: End, stage: str, by: Decider) -> None:
        """Note what stands in the way, and end the walk unless it shall go on beyond."""
        self.obstacles.append(Obstacle(end=end, stage=stage, by=by, packet=self.packet))
        if not self.beyond:
            raise WalkStopped

    @contextmanager
    def unseen(self, stage: str) -> Iterator[None]:
        """What was not seen at a stage is an obstacle there: unknown, and the walk goes on beyond it if it shall."""
        try:
            yield
        except NotSeen as missing:
            self.obstacle("unknown", stage, not_seen(missing))

    def stop(self, end: End, stage: str, by: Decider) -> NoReturn:
        """Note what nothing can be said beyond of."""
        self.obstacles.append(Obstacle(end=end, stage=stage, by=by, packet=self.packet))
        raise WalkStopped

    def pick(self, ways: int) -> int | None:
        """Which of so many ways is this walk's, where the packet may take any; None: it shall not go on."""
        if self.picks is None:
            return None
        at = len(self.partings)
        self.partings.append(ways)
        return self.picks[at] if at < len(self.picks) else 0

    def check(self, ns: Namespace, stage: str, by: Decider | None, end: End = "unreachable") -> None:
        """Note a stop of a link or bridge, if there is one."""
        if by is not None:
            self.hop(ns, "", stage, "stopped", note=by.text)
            self.obstacle(end, stage, by)
