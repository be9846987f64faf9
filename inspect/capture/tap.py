"""One point of a running capture: its ring, and what is known of it."""

from __future__ import annotations

from typing import Literal

import msgspec

from dnet_tui.inspect.capture import bpf
from dnet_tui.inspect.capture.enter_namespace import run_inside
from dnet_tui.inspect.capture.own_ssh import own_ssh_filter
from dnet_tui.inspect.capture.packet import SNAPLEN
from dnet_tui.inspect.capture.points import CapturePoint
from dnet_tui.inspect.capture.ring import LOOKED_AT, ONLY_WRITTEN, RING_BYTES, Interface, Ring, RingBlocks
from dnet_tui.inspect.errors import DnetError, UsageError
from dnet_tui.inspect.model import Namespace

CaptureState = Literal["open", "down", "gone"]


class CaptureOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What to capture and when to end.

    ``count`` packets over all points, ``duration`` in seconds, ``snaplen``
    bytes kept of each packet, ``ring_bytes`` kernel memory for each point.
    ``only_written``: nobody looks at the packets (:meth:`Capture.poll_blocks`).
    ``own_ssh`` also captures the SSH session this program runs in.
    """

    filter: str = ""
    count: int | None = None
    duration: float | None = None
    snaplen: int = SNAPLEN
    promiscuous: bool = True
    own_ssh: bool = False
    ring_bytes: int = RING_BYTES
    only_written: bool = False

    @property
    def blocks(self) -> RingBlocks:
        """The blocks of every point's ring."""
        return ONLY_WRITTEN if self.only_written else LOOKED_AT


class PointStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """The counters of one point: packets given to the reader, and matching ones the kernel had no room for.

    ``state``: ``open``; ``down`` while the interface is down (capturing goes
    on when it is up again); ``gone`` for good.
    """

    label: str
    received: int
    dropped: int
    state: CaptureState


class Tap:
    """One point's ring.  ``home``: it is in our own namespace, which can't vanish under us."""

    def __init__(self, index: int, point: CapturePoint, namespace: Namespace, ring: Ring) -> None:
        self.index = index
        self.point = point
        self.namespace = namespace
        self.ring = ring
        self.home = namespace.kind == "host"
        self.received = 0
        self.state: CaptureState = "open"
        self.close_at: float | None = None
        self.closed = False

    def close(self) -> None:
        """Free the ring; its counters stay."""
        if not self.closed:
            self.ring.count_drops()
            self.ring.close()
            self.closed = True


def open_tap(index: int, point: CapturePoint, namespace: Namespace, options: CaptureOptions) -> Tap:
    """Open the ring of a point; it receives from now on.

    Raises:
        UsageError: the filter is wrong.
        DnetError: it could not be opened; the message names the point.
    """
    expression = full_expression(options)

    def open_ring() -> Ring:
        interface = Interface(point.ifindex)
        try:
            program = bpf.compile_filter(
                expression, snaplen=options.snaplen, linktype=interface.linktype, device=interface.name
            )
        except BaseException:
            interface.socket.close()
            raise
        return Ring(
            interface,
            program,
            snaplen=options.snaplen,
            promiscuous=options.promiscuous,
            size=options.ring_bytes,
            blocks=options.blocks,
        )

    try:
        ring = run_inside(namespace, open_ring)
    except UsageError:  # the filter's: not this point's fault
        raise
    except DnetError as error:
        raise type(error)(f"Can't capture at {point.label}: {error.message}", error.hint) from error
    return Tap(index, point, namespace, ring)


def full_expression(options: CaptureOptions) -> str:
    """The filter that is really attached: the person's, without our own SSH session unless that is wanted."""
    own = "" if options.own_ssh else own_ssh_filter()
    wanted = options.filter.strip()
    if not own:
        return wanted
    # First, because a word such as "vlan" changes the meaning of everything after it.
    return f"not ({own})" + (f" and ({wanted})" if wanted else "")
