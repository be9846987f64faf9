"""``dnet-tui capture --drops``: what the kernel drops now of some containers' traffic, and by which rule."""

from __future__ import annotations

import select
import signal
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

from dnet_tui.inspect.capture.points import meant_container
from dnet_tui.inspect.errors import CannotInspectError, UsageError
from dnet_tui.inspect.model import Container, known_items
from dnet_tui.inspect.model.view import View
from dnet_tui.inspect.text.sanitize import clean
from dnet_tui.tui.commands.packet_capture.capture_output import CaptureFormat, say
from dnet_tui.tui.commands.packet_capture.capture_points import WALKS
from dnet_tui.tui.commands.snapshot_source import snapshot_from
from dnet_tui.tui.reports.capture.address_names import address_names
from dnet_tui.tui.reports.json_text import to_json_line

if TYPE_CHECKING:
    from dnet_tui.actions.drop_watch.watched_namespace import WatchedNamespace
    from dnet_tui.diagnostics.capture.dropped_packets import DroppedPacket
    from dnet_tui.tui.reports.change_types import DropData

DEFAULT_SECONDS = 30.0
"""It never runs without an end: tracing costs the kernel time for every packet that is marked."""


def watch_drops(
    texts: list[str], output: CaptureFormat, *, duration: float | None, count: int | None, readonly: bool
) -> bool:
    """Print dropped packets until the end; whether a signal ended it.

    Raises:
        UsageError: a name is no container's, or nothing may be changed.
        CannotInspectError: the kernel's trace can't be had here.
    """
    if readonly:
        raise UsageError(
            "--drops adds a table of its own for a while, and --readonly was given.", "Leave out one of the two."
        )
    view = View(snapshot_from(None, WALKS))
    containers = [_container(view, text) for text in texts]
    addresses = [address for item in containers for address in _addresses(view, item)]
    if not addresses:
        raise CannotInspectError("These containers have no address to watch.", "Connect them to a network.")
    from dnet_tui.actions.drop_watch.watch_table import PACKETS_PER_SECOND  # noqa: PLC0415  the part that acts

    seconds = DEFAULT_SECONDS if duration is None else duration
    printer = _Printer(address_names(view), output)
    with _Stop() as stop, ExitStack() as stack:
        places = _places(stack, view, containers, addresses)
        names = ", ".join(clean(item.name) for item in containers)
        inside = ", ".join(place.label for place in places if place.label)
        say(
            f"watching what this host drops of {names}{f', and what {inside} drops itself' if inside else ''}, "
            f"for {seconds:g} s; table inet {places[0].table} marks {PACKETS_PER_SECOND} packets per second at most, "
            "and is gone at the end"
        )
        waiting = select.poll()
        by_number = {place.socket.fileno(): place for place in places}
        for number in by_number:
            waiting.register(number, select.POLLIN)
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not stop.came and not (count and printer.shown >= count):
            for number, _ in waiting.poll(min(left, 0.5) * 1000):
                place = by_number[number]
                found, lost = place.dropped()
                for dropped in found[: count - printer.shown] if count else found:
                    printer.show(dropped, place.label)
                if lost:
                    say("the kernel reported more than could be read: some drops are missing")
        moved = [(place.label, place.counters()) for place in places]
    printer.summary(moved)
    return stop.came


def _places(
    stack: ExitStack, view: View, containers: Sequence[Container], addresses: list[str]
) -> list[WatchedNamespace]:
    """The host's namespace and each container's own, watched until the stack is left; what can't be is said."""
    from dnet_tui.actions.drop_watch.watched_namespace import WatchedNamespace  # noqa: PLC0415  the part that acts

    if view.host is None:
        raise CannotInspectError("The host's own namespace could not be seen.", "Run dnet-tui as root.")
    places = [stack.enter_context(WatchedNamespace(view.host, addresses))]
    for container in containers:
        namespace = view.namespaces.get(container.netns or "")
        if namespace is None or any(namespace.id == item.netns for item in containers[: containers.index(container)]):
            continue  # one that shares another's
        watched = WatchedNamespace(namespace, _addresses(view, container), label=clean(container.name))
        try:
            places.append(stack.enter_context(watched))
        except CannotInspectError as error:
            say(f"{error.message} Only what the host drops is shown of it.")
    return places


class _Stop:
    """SIGINT and SIGTERM end the watching in order."""

    came = False

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def _note(self, *_: object) -> None:
        self.came = True

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


class _Printer:
    def __init__(self, names: dict[str, str], output: CaptureFormat) -> None:
        self._names = names
        self._json = output == "json"
        self._rules: Counter[str] = Counter()
        self.shown = 0

    def show(self, packet: DroppedPacket, container: str) -> None:
        """Print one; ``container`` whose own namespace dropped it, empty for the host."""
        now = time.time()
        self.shown += 1
        rule = f"{clean(packet.rule, 512)} (in {container})" if container else clean(packet.rule, 512)
        self._rules[rule] += 1
        if self._json:
            moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1e6):06}Z"
            data: DropData = {
                "time": moment,
                "src": packet.src,
                "src_name": self._names.get(packet.src),
                "dst": packet.dst,
                "dst_name": self._names.get(packet.dst),
                "proto": packet.proto,
                "sport": packet.sport or None,
                "dport": packet.dport or None,
                "dropped_in": container or "host",
                "table": packet.table,
                "chain": packet.chain,
                "number": packet.number,
                "rule": packet.text or None,
                "owner": packet.owner or None,
            }
            sys.stdout.write(to_json_line(data))
        else:
            src, dst = self._end(packet.src, packet.sport), self._end(packet.dst, packet.dport)
            moment = time.strftime("%H:%M:%S", time.localtime(now)) + f".{int(now % 1 * 1e6):06}"
            sys.stdout.write(f"{moment} {packet.proto} {src} > {dst} dropped by {rule}\n")
        sys.stdout.flush()

    def _end(self, address: str, port: int) -> str:
        text = (f"[{address}]:{port}" if ":" in address else f"{address}:{port}") if port else address
        return f"{text} ({self._names[address]})" if address in self._names else text

    def summary(self, counters: Sequence[tuple[str, dict[str, int]]]) -> None:
        if not self.shown:
            say("no rule that nftables traces dropped a packet of theirs (legacy rules and routes are not traced)")
        for rule, number in self._rules.most_common(20):
            say(f"{number} packet{'s' if number != 1 else ''} dropped by {rule}")
        for container, moved in counters:
            for name, number in moved.items():
                say(f"{container or 'this host'}'s counter {name}: +{number} (of all traffic)")


def _container(view: View, text: str) -> Container:
    container = meant_container(view, text)
    if container is None:
        raise UsageError(f"“{clean(text)}” is no container with a network of its own.", "`dnet-tui ls containers`")
    return container


def _addresses(view: View, container: Container) -> list[str]:
    ns = view.namespaces.get(container.netns or "")
    return [item.address for item in known_items(ns.addresses) if item.scope == "global"] if ns is not None else []
