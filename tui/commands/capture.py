"""``dnet-tui capture``: packets at one or several points, as lines, as JSON and as a pcapng file.

stdout gets a line for every packet; stderr what is listened to, what happens
to the points, and the counts at the end.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Annotated, Literal

import typer

from dnet_tui.inspect.capture.bpf import check_filter
from dnet_tui.inspect.capture.decode import PacketSummary, summarise, timestamp
from dnet_tui.inspect.capture.own_ssh import own_ssh_filter
from dnet_tui.inspect.capture.packet import SNAPLEN, CapturedPacket
from dnet_tui.inspect.capture.pcapng import FileInterface, FileStatistics, PcapngWriter
from dnet_tui.inspect.capture.points import CapturePoint, resolve_all
from dnet_tui.inspect.capture.session import Capture
from dnet_tui.inspect.capture.tap import CaptureOptions
from dnet_tui.inspect.errors import UsageError
from dnet_tui.inspect.model.coverage.needs import Needs, SectionName
from dnet_tui.inspect.model.view import View
from dnet_tui.inspect.text.sanitize import clean
from dnet_tui.tui.commands.snapshot_source import snapshot_from
from dnet_tui.tui.exit_codes import Exit
from dnet_tui.tui.reports.json_text import to_json_line

_NEEDS = Needs(host=frozenset({SectionName.ADDRESSES}))
_PATIENCE = 1.0  # seconds of one poll; a signal ends it at once

CaptureFormat = Literal["text", "json"]


def capture(
    points: Annotated[
        list[str],
        typer.Argument(metavar="POINT", help="An interface, a container, container:interface, or a network."),
    ],
    *,
    expression: Annotated[
        str, typer.Option("--filter", metavar="EXPR", help="Only packets that match, as in pcap-filter(7).")
    ] = "",
    count: Annotated[int | None, typer.Option(min=1, help="End after this many packets.")] = None,
    duration: Annotated[float | None, typer.Option(min=0, help="End after this many seconds.")] = None,
    write: Annotated[
        str, typer.Option(metavar="FILE", help="Write a pcapng file (- for stdout); lines only with --format.")
    ] = "",
    output: Annotated[
        CaptureFormat | None, typer.Option("--format", help="How to print packets (default: text).")
    ] = None,
    snaplen: Annotated[int, typer.Option(min=64, max=SNAPLEN, help="Bytes to keep of each packet.")] = SNAPLEN,
    all_ssh: Annotated[bool, typer.Option("--all-ssh", help="Don't leave out the SSH session you work in.")] = False,
    promiscuous: Annotated[
        bool,
        typer.Option(
            "--promiscuous/--no-promiscuous",
            help="Also see frames for others; without it a bridge shows only what concerns the host.",
        ),
    ] = True,
) -> None:
    """Watch packets at interfaces, containers and bridges, all on one clock.

    A POINT is the name of a host's interface, a container (if it has one
    interface), container:interface, namespace:interface or a network. Ctrl-C
    ends it.
    """
    if write == "-" and output is not None:
        raise UsageError("--write - and --format both want stdout.", "Write to a file, or leave out --format.")
    check_filter(expression)
    view = View(snapshot_from(None, _NEEDS))
    chosen = resolve_all(view, points)
    options = CaptureOptions(
        filter=expression,
        count=count,
        duration=duration,
        snaplen=snaplen,
        promiscuous=promiscuous,
        own_ssh=all_ssh,
    )
    with Capture(view, chosen, options) as running, _stopping_on_signals(running) as signals:
        _say(_listening(chosen, options))
        writer = _open_file(running, options, write) if write else None
        try:
            _show(running, writer, output or (None if writer else "text"))
        finally:
            statistics = running.statistics()
            for item in statistics:
                _say(f"{item.label}: {item.received} packets, {item.dropped} dropped by the kernel")
            if writer:
                writer.close([FileStatistics(received=item.received, dropped=item.dropped) for item in statistics])
                _say(f"{writer.packets} packets are in {'standard output' if write == '-' else clean(write)}")
        if signals:
            raise typer.Exit(Exit.INTERRUPTED)


def _show(running: Capture, writer: PcapngWriter | None, output: CaptureFormat | None) -> None:
    """Write and print packets until the capture has ended."""
    labels = [point.label for point in running.points]
    told = 0
    while not running.finished:
        packets = running.poll(_PATIENCE)
        for note in running.notes[told:]:
            _say(note)
        told = len(running.notes)
        if writer:
            writer.write(packets)
            writer.flush()  # so that a file can be followed, and a crash loses nothing
        if output and packets:
            sys.stdout.writelines(_lines(packets, labels, output))
            sys.stdout.flush()


def _lines(packets: Sequence[CapturedPacket], labels: Sequence[str], output: CaptureFormat) -> Iterator[str]:
    for packet in packets:
        summary = summarise(packet, labels[packet.point])
        yield to_json_line(as_row(summary)) if output == "json" else summary.line() + "\n"


def as_row(summary: PacketSummary) -> dict[str, str | int | None]:
    """A packet as JSON: the fields of :class:`PacketSummary`, its time as UTC text with nanoseconds."""
    return {
        "time": timestamp(summary.time),
        "point": summary.point,
        "direction": summary.direction,
        "src": summary.src,
        "dst": summary.dst,
        "proto": summary.proto,
        "sport": summary.sport,
        "dport": summary.dport,
        "length": summary.length,
        "info": summary.info,
    }


def _open_file(running: Capture, options: CaptureOptions, path: str) -> PcapngWriter:
    interfaces = [
        FileInterface(
            name=point.label,
            description=point.description,
            linktype=running.linktype(index),
            snaplen=options.snaplen,
            filter=options.filter,
        )
        for index, point in enumerate(running.points)
    ]
    return PcapngWriter(path, interfaces)


def _listening(points: Sequence[CapturePoint], options: CaptureOptions) -> str:
    text = f"listening on {', '.join(map(_introduced, points))}"
    if options.filter.strip():
        text += f", filter “{clean(options.filter.strip())}”"
    if not options.own_ssh and own_ssh_filter():
        text += ", without your own SSH session (--all-ssh shows it)"
    return text


def _introduced(point: CapturePoint) -> str:
    """The point's label, with what is behind it unless the label says so itself."""
    told = not point.description or point.label == f"{point.description}:{point.interface}"
    return point.label if told else f"{point.label} ({point.description})"


def _say(text: str) -> None:
    print(clean(text, 1024), file=sys.stderr, flush=True)


@contextmanager
def _stopping_on_signals(running: Capture) -> Iterator[list[int]]:
    """Let SIGINT and SIGTERM end the capture in order, the second one at once; yields the signals that came."""
    came: list[int] = []

    def stop(signum: int, _: FrameType | None) -> None:
        if came:
            raise KeyboardInterrupt
        came.append(signum)
        running.stop()

    before = {signum: signal.signal(signum, stop) for signum in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield came
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
