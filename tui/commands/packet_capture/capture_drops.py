"""``dnet-tui capture --drops``: what the kernel drops now of some containers' traffic, and by which rule."""

from __future__ import annotations

import select
import signal
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING

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
    from dnet_tui.diagnostics.capture.dropped_packets import DroppedPacket

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
    host = view.host
    if host is None:
        raise CannotInspectError("The host's own namespace could not be seen.", "Run dnet-tui as root.")
    containers = [_container(view, text) for text in texts]
    addresses = [address for item in containers for address in _addresses(view, item)]
    if not addresses:
        raise CannotInspectError("These containers have no address to watch.", "Connect them to a network.")
    from dnet_tui.actions.drop_watch.drop_counters import moved, read_drop_counters  # noqa: PLC0415  the part that acts
    from dnet_tui.actions.drop_watch.watch_table import PACKETS_PER_SECOND, WatchTable  # noqa: PLC0415  as above
    from dnet_tui.diagnostics.capture.dropped_packets import DroppedPackets  # noqa: PLC0415  as above
    from dnet_tui.inspect.watch.nft_trace_watch import events, watching  # noqa: PLC0415  as above

    seconds = DEFAULT_SECONDS if duration is None else duration
    stop = _Stop()
    try:
        sock = watching()
    except OSError as error:
        raise CannotInspectError(
            f"The kernel's trace can't be watched: {error.strerror}.", "Run it as root."
        ) from error
    before = read_drop_counters()
    printer = _Printer(address_names(view), output)
    with sock, stop, WatchTable(addresses) as table:
        tracker = DroppedPackets(host, table.name)
        names = ", ".join(clean(item.name) for item in containers)
        say(
            f"watching what this host drops of {names} for {seconds:g} s; table inet {table.name} marks "
            f"{PACKETS_PER_SECOND} packets per second at most, and is gone at the end"
        )
        waiting = select.poll()
        waiting.register(sock, select.POLLIN)
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not stop.came and not (count and printer.shown >= count):
            waiting.poll(min(left, 0.5) * 1000)
            found, lost = events(sock)
            for event in found:
                dropped = tracker.take(event)
                if dropped is not None and not (count and printer.shown >= count):
                    printer.show(dropped)
            if lost:
                say("the kernel reported more than could be read: some drops are missing")
    printer.summary(moved(before, read_drop_counters()))
    return stop.came


class _Stop:
    """SIGINT and SIGTERM end the watching in order."""

    came = False

    def __enter__(self) -> None:
        self._before = {number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)}

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

    def show(self, packet: DroppedPacket) -> None:
        now = time.time()
        self.shown += 1
        self._rules[packet.rule] += 1
        if self._json:
            moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1e6):06}Z"
            data = {
                "time": moment,
                "src": packet.src,
                "src_name": self._names.get(packet.src),
                "dst": packet.dst,
                "dst_name": self._names.get(packet.dst),
                "proto": packet.proto,
                "sport": packet.sport or None,
                "dport": packet.dport or None,
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
            sys.stdout.write(f"{moment} {packet.proto} {src} > {dst} dropped by {clean(packet.rule, 512)}\n")
        sys.stdout.flush()

    def _end(self, address: str, port: int) -> str:
        text = (f"[{address}]:{port}" if ":" in address else f"{address}:{port}") if port else address
        return f"{text} ({self._names[address]})" if address in self._names else text

    def summary(self, counters: dict[str, int]) -> None:
        if not self.shown:
            say("no rule that nftables traces dropped a packet of theirs (legacy rules and routes are not traced)")
        for rule, number in self._rules.most_common(20):
            say(f"{number} packet{'s' if number != 1 else ''} dropped by {rule}")
        for name, number in counters.items():
            say(f"this host's counter {name}: +{number} (of all traffic)")


def _container(view: View, text: str) -> Container:
    container = meant_container(view, text)
    if container is None:
        raise UsageError(f"“{clean(text)}” is no container with a network of its own.", "`dnet-tui ls containers`")
    return container


def _addresses(view: View, container: Container) -> list[str]:
    ns = view.namespaces.get(container.netns or "")
    return [item.address for item in known_items(ns.addresses) if item.scope == "global"] if ns is not None else []
