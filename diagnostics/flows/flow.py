"""A flow that ought to pass, or ought not to, walked there and back.  Pure data."""

from __future__ import annotations

from typing import Literal

import msgspec

from dnet_tui.diagnostics.context.host_context import INFERRED, AttachedContainer, family_of
from dnet_tui.diagnostics.walk.later_packets import LaterPacket
from dnet_tui.diagnostics.walk.packet import Decider, Obstacle, Truth, Walk
from dnet_tui.inspect.model import Container, Family, Network, PublishedPort
from dnet_tui.inspect.model.engine_kinds.registry import traits_of
from dnet_tui.inspect.model.rule_writers.owner import KERNEL, DecisionOwner

FlowKind = Literal[
    "egress",
    "same-network",
    "cross-network",
    "published",
    "host-to-container",
    "container-to-host",
    "host-to-published",
    "container-to-published",
    "names",
]

OF_THE_HOST: frozenset[FlowKind] = frozenset(
    {"host-to-container", "container-to-host", "host-to-published", "container-to-published"}
)
"""Flows that begin or end at the host itself: what its own rules allow its programs is its administrator's to say."""

Way = Literal["there", "back"]


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """A flow with what is expected of it.

    ``source`` and ``target`` are names for people.  ``container`` and ``port``
    are those of a published port.  ``masquerade`` says whether it shall leave
    with the host's address (None: nobody states it).  Without ``ruled``
    nobody answers for the firewall rules that it meets, so that those which
    stop it may be meant.
    """

    kind: FlowKind
    network: Network
    source: str
    target: str
    expected: bool
    member: AttachedContainer | None = None
    other: Network | None = None
    container: Container | None = None
    port: PublishedPort | None = None
    masquerade: bool | None = None
    ruled: bool = True
    forward: Walk
    answer: Walk | None = None
    later: tuple[LaterPacket, ...] = ()
    """The later packets of its connection, where they may fare otherwise than the first one and its answer."""

    @property
    def owner(self) -> DecisionOwner:
        """Who wants it: the network's engine, or who declared the port; of a network nobody declared the kernel.

        A network that containers visibly use as their way out without that an
        engine told of it is what the kernel does by default.
        """
        if self.network.engine == INFERRED:
            return KERNEL
        engine = traits_of(self.network.engine).owner or self.network.engine
        if self.container is not None and self.port is not None:
            name = f"{engine} port {self.container.name}:{self.port.container_port}/{self.port.proto}"
            return DecisionOwner(kind="engine", name=name)
        return DecisionOwner(kind="engine", name=f"{engine} network {self.network.name}")

    @property
    def is_promised(self) -> bool:
        """Whether somebody wants it; of a network that nobody declared it is only what the kernel does by default."""
        return self.network.engine != INFERRED

    @property
    def family(self) -> Family:
        """``ip`` or ``ip6``."""
        return family_of(self.forward.start)

    @property
    def arrives(self) -> Truth:
        """Whether it gets there and its answer gets back."""
        ways = [self.forward.arrives] + ([self.answer.arrives] if self.answer is not None else [])
        ways += [item.walk.arrives for item in self.later]
        return False if False in ways else None if None in ways else True

    @property
    def obstacles(self) -> tuple[tuple[Way, Obstacle], ...]:
        """Everything in the way, in the order met, on the way there and on the way back."""
        return tuple(item for item in self._all if not self._may_be_meant(item[1]))

    @property
    def meant(self) -> tuple[tuple[Way, Obstacle], ...]:
        """What is in the way too, but which nobody promised to leave out."""
        return tuple(item for item in self._all if self._may_be_meant(item[1]))

    @property
    def _all(self) -> tuple[tuple[Way, Obstacle], ...]:
        back = self.answer.obstacles if self.answer is not None else ()
        return (
            *(("there", item) for item in self.forward.obstacles),
            *(("back", item) for item in back),
            *((item.way, stop) for item in self.later for stop in item.walk.obstacles),
            *self._lost,
        )

    def _may_be_meant(self, obstacle: Obstacle) -> bool:
        if obstacle.by.kind not in {"rule", "policy"}:
            return False
        # What the host's own rules let its own programs do, or take for themselves, is nobody's promise.
        netns = self.container.netns if self.container is not None else None
        own = self.kind == "published" and obstacle.stage == "input" and obstacle.by.namespace != netns
        return self.kind in OF_THE_HOST or not self.ruled or own

    @property
    def _lost(self) -> tuple[tuple[Way, Obstacle], ...]:
        """What takes a packet off the host, or to the host itself, though its place is a container on it."""
        inward = self.kind in {"host-to-container", "host-to-published"} or (
            self.kind == "published" and self.forward.last.dnatted
        )
        if inward and self.forward.end == "left":
            return (("there", _led_away(self.forward)),)
        inbound = self.kind in {"egress", "container-to-host", "container-to-published"}
        if inbound and self.answer is not None and self.answer.end == "left":
            return (("back", _led_away(self.answer)),)
        return ()

    @property
    def label(self) -> str:
        """The flow in words, such as ``web → outside``."""
        return f"{self.source} → {self.target}" + (" (IPv6)" if self.family == "ip6" else "")


def _led_away(gone: Walk) -> Obstacle:
    """The routing decision that sent a packet out of the host."""
    hops = [hop for hop in gone.hops if hop.stage == "routing" and hop.namespace == gone.last_namespace]
    text = hops[-1].verdict if hops else f"leaves by {gone.exits}"
    by = Decider(kind="route", text=text, namespace=gone.last_namespace, value=gone.exits)
    return Obstacle(end="unreachable", stage="routing", by=by, packet=gone.last)
