"""What a rule may ask of the namespace that evaluates it, beside the packet.  Pure.

:class:`MatchContext` knows nothing, so whatever is asked of it can't be
decided; ``namespace_context`` answers from what was read of a namespace.
"""

from __future__ import annotations

from dnet_tui.diagnostics.walk.packet import Packet, Truth
from dnet_tui.inspect.model.filter_state import RecentAddress


class MatchContext:
    """What is known about a packet's surroundings; this one knows nothing."""

    namespace = ""
    """The namespace whose rules are evaluated."""

    def address_type(self, address: str) -> str:  # noqa: ARG002  for those who know
        """LOCAL, UNICAST, BROADCAST or MULTICAST, as the namespace sees an address.  Empty: not known."""
        return ""

    def type_on(self, address: str, device: str) -> str:  # noqa: ARG002  for those who know
        """The type of an address for one device: LOCAL only if it is that device's.  Empty: not known."""
        return ""

    def route(self, packet: Packet, flags: tuple[str, ...]) -> Truth:  # noqa: ARG002  for those who know
        """Whether a route leads where nft's ``fib FLAGS`` asks."""
        return None

    def route_device(self, packet: Packet, flags: tuple[str, ...]) -> str | None:  # noqa: ARG002  for those who know
        """The interface by which that route leaves; empty for no route, None where it isn't known."""
        return None

    def passes_rpfilter(self, packet: Packet, flags: tuple[str, ...]) -> Truth:  # noqa: ARG002  for those who know
        """Whether iptables' ``rpfilter`` match holds."""
        return None

    def group(self, device: str) -> int | None:  # noqa: ARG002  for those who know
        """The number of an interface's group."""
        return None

    def kind(self, device: str) -> str | None:  # noqa: ARG002  for those who know
        """An interface's kind, such as ``veth``; empty for one without."""
        return None

    def hardware(self, device: str) -> str | None:  # noqa: ARG002  for those who know
        """An interface's hardware type, such as ``ether`` or ``loopback``."""
        return None

    def realm(self, packet: Packet) -> int | None:  # noqa: ARG002  for those who know
        """The realms of a packet's route: its source's in the upper half, its destination's in the lower."""
        return None

    def socket(self, packet: Packet, *, bound: bool, transparent: bool) -> Truth:  # noqa: ARG002  for those who know
        """Whether a socket takes a packet: only one that is ``bound`` to an address, or that is ``transparent``."""
        return None

    def proxy(self, packet: Packet, address: str, port: int) -> Truth:  # noqa: ARG002  for those who know
        """Whether a transparent proxy for such packets listens there."""
        return None

    def first_address(self, packet: Packet) -> str:  # noqa: ARG002  for those who know
        """The address of the interface by which a packet came; empty: not known."""
        return ""

    def is_read(self, queue: int) -> Truth:  # noqa: ARG002  for those who know
        """Whether a program reads a netfilter queue."""
        return None

    def recent(self, name: str) -> tuple[RecentAddress, ...] | None:  # noqa: ARG002  for those who know
        """What is on a list of recent addresses."""
        return None

    @property
    def now(self) -> float | None:
        """The time of the snapshot, in seconds since 1970."""
        return None

    @property
    def uses_ipsec(self) -> bool | None:
        """Whether packets may be protected by IPsec here."""
        return None
