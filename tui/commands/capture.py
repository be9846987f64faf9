"""``dnet-tui capture``: packets at one or several points, as lines, as JSON and as a pcapng file.

stdout gets a line for every packet; stderr what is listened to, what happens
to the points, and the counts at the end.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Annotated, Protocol

import msgspec
import typer

from dnet_tui.inspect.capture.bpf import check_filter
from dnet_tui.inspect.capture.connections import Connections
from dnet_tui.inspect.capture.correlation.correlator import Correlator
from dnet_tui.inspect.capture.own_ssh import own_ssh_filter
from dnet_tui.inspect.capture.packet import SNAPLEN
from dnet_tui.inspect.capture.points import CapturePoint
from dnet_tui.inspect.capture.session import Capture
from dnet_tui.inspect.capture.tap import CaptureOptions
from dnet_tui.inspect.errors import UsageError
from dnet_tui.inspect.text.sanitize import clean
from dnet_tui.tui.commands.packet_capture.capture_file import CaptureWriter, OutputFile, file_counts, open_file
from dnet_tui.tui.commands.packet_capture.capture_options import (
    AllSsh,
    CaptureFilter,
    Count,
    Detail,
    Drops,
    Duration,
    Force,
    Keep,
    PacketNumber,
    Points,
    Promiscuous,
    ReadFiles,
    Rotate,
    ShowFilter,
    SnapLength,
    WriteFile,
)
from dnet_tui.tui.commands.packet_capture.capture_output import (
    CaptureFormat,
    CaptureOutput,
    CorrelatedOutput,
    LineOutput,
    names_of,
    say,
)
from dnet_tui.tui.commands.packet_capture.capture_points import ChosenPoints, chosen_points
from dnet_tui.tui.commands.snapshot_source import SnapshotFile
from dnet_tui.tui.exit_codes import Exit

_PATIENCE = 1.0  # seconds of one poll; a signal ends it at once
_TICK = 0.05  # the same where rows are waited for


def capture(
    points: Points = None,
    *,
    expression: CaptureFilter = "",
    count: Count = None,
    duration: Duration = None,
    show: ShowFilter = "",
    write: WriteFile = "",
    force: Force = False,
    rotate: Rotate = "",
    keep: Keep = 0,
    read: ReadFiles = None,
    packet: PacketNumber = None,
    detail: Detail = False,
    snapshot: SnapshotFile = None,
    ctx: typer.Context = None,  # type: ignore[assignment]  # typer gives it
    drops: Drops = False,
    output: Annotated[
        CaptureFormat | None, typer.Option("--format", help="How to print packets (default: text).")
    ] = None,
    snaplen: SnapLength = SNAPLEN,
    all_ssh: AllSsh = False,
    promiscuous: Promiscuous = True,
) -> None:
    """Watch packets at interfaces, containers and bridges, all on one clock.

    A POINT is the name of a host's interface, container:interface,
    namespace:interface, a network, or a container: then it is its interface,
    the host's end of it, its bridge and the uplink its traffic leaves by.
    "along FROM TO[:PORT]" takes the links of that way. With several points a
    packet is one row, with its delay at each, before and after NAT; where it
    got lost, the rule or route that stops it is named. Ctrl-C ends it.
    """
    if read:
        from dnet_tui.tui.commands.packet_capture import capture_read  # noqa: PLC0415  not for the first packet's sake

        _refuse_beside_read(points, write=write, expression=expression, rotate=rotate)
        how = capture_read.FileOptions(output=output or "text", show=show, count=count, detail=detail, packet=packet)
        capture_read.read_files(read, how, snapshot)
        return
    if packet is not None:
        raise UsageError(
            "--packet shows a packet of a file: it goes with --read.",
            "For example: dnet-tui capture --read web.pcapng --packet 7",
        )
    if drops:
        from dnet_tui.tui.commands.packet_capture.capture_drops import watch_drops  # noqa: PLC0415  as above

        _refuse_beside_drops(points, bool(write or expression or show))
        readonly = bool(ctx.find_root().params.get("readonly"))
        if watch_drops(points or [], output or "text", duration=duration, count=count, readonly=readonly):
            raise typer.Exit(Exit.INTERRUPTED)
        return
    if not points:
        raise UsageError("A POINT to capture at is needed.", "For example: dnet-tui capture web; or --read FILE.")
    if snapshot is not None:
        raise UsageError("--snapshot belongs to --read.", "Packets are captured on this host as it is now.")
    file = OutputFile(path=write, force=force, rotate=rotate, keep=keep)
    _check_file(file, printed=output is not None or detail, looked_at=output is not None or bool(show) or detail)
    check_filter(expression)
    chosen = chosen_points(points, proto="icmp" if expression.strip() == "icmp" else "tcp")
    shown = output or (None if write and not detail else "text")
    printing = _output(chosen, shown, show=show, count=count, detail=detail)
    options = CaptureOptions(
        filter=expression,
        count=None if isinstance(printing, CorrelatedOutput) else count,
        duration=duration,
        snaplen=snaplen,
        promiscuous=promiscuous,
        own_ssh=all_ssh,
        only_written=printing is None and count is None and len(chosen.points) == 1,
    )
    if file.plain:
        _dump(chosen, msgspec.structs.replace(options, count=count), file)
    else:
        _capture(chosen, options, file, printing)


def _dump(chosen: ChosenPoints, options: CaptureOptions, file: OutputFile) -> None:
    """Write one point's packets into a pcap file by libpcap itself."""
    from dnet_tui.inspect.capture.files.pcap_dump import PcapDump  # noqa: PLC0415  only for such files

    if len(chosen.points) != 1:
        raise UsageError(
            f"A pcap file has room for one point, and these are {len(chosen.points)}.",
            f"Write {clean(file.path)}ng, or name one of: {', '.join(point.label for point in chosen.points)}",
        )
    point = chosen.points[0]
    namespace = chosen.view.namespaces[point.namespace]
    with PcapDump(point, namespace, options, file.path, force=file.force) as running, stopping(running) as signals:
        say(_listening(chosen.points, options))
        try:
            running.run()
        finally:
            running.close()
            for note in running.notes:
                say(note)
            say(f"{point.label}: {running.packets} packets, {running.dropped} dropped by the kernel")
            say(f"{running.packets} packets are in {clean(file.path)}")
        if signals:
            raise typer.Exit(Exit.INTERRUPTED)


def _capture(chosen: ChosenPoints, options: CaptureOptions, file: OutputFile, printing: CaptureOutput | None) -> None:
    """Capture until the end, and say what was seen."""
    with Capture(chosen.view, chosen.points, options) as running, stopping(running) as signals:
        say(_listening(chosen.points, options))
        writer = open_file(running, file, names_of(chosen.view))
        try:
            _follow(running, writer, printing)
        finally:
            statistics = running.statistics()
            for item in statistics:
                say(f"{item.label}: {item.received} packets, {item.dropped} dropped by the kernel")
            for line in printing.summary() if printing else ():
                say(line)
            if writer:
                writer.close(file_counts(running))
                say(f"{writer.packets} packets are in {'standard output' if file.path == '-' else clean(writer.path)}")
        if signals:
            raise typer.Exit(Exit.INTERRUPTED)


def _follow(running: Capture, writer: CaptureWriter | None, output: CaptureOutput | None) -> None:
    """Write and print packets until the capture has ended."""
    told = 0
    losses = LossReports(running)
    while not running.finished:
        if writer is not None and output is None:
            _write(running, writer)
        else:
            _show(running, writer, output)
        told = _say_notes(running, told)
        losses.say()
    if output:
        output.end()


def _write(running: Capture, writer: CaptureWriter) -> None:
    """Write what there is, and look at nothing."""
    if running.options.only_written:
        if (blocks := running.poll_blocks(_PATIENCE)) is not None:
            writer.write_blocks(*blocks)
    elif packets := running.poll_written(_PATIENCE):
        data = b"".join(packet.data for packet in packets)
        writer.write_blocks(data, len(packets), packets[0].time_ns, packets[-1].time_ns)


def _show(running: Capture, writer: CaptureWriter | None, output: CaptureOutput | None) -> None:
    """Print what there is, and write it as well where it is wanted."""
    packets = running.poll(_TICK if isinstance(output, CorrelatedOutput) else _PATIENCE)
    if writer:
        writer.write(packets)
        writer.flush()  # so that a file can be followed, and a crash loses nothing
    if output:
        if isinstance(output, CorrelatedOutput):
            output.look_at_drops([item.dropped for item in running.statistics()], time.time_ns())
        output.take(packets, running.seen_until_ns())
        if isinstance(output, CorrelatedOutput) and output.full:
            running.close()


def _say_notes(running: Capture, told: int) -> int:
    for note in running.notes[told:]:
        say(note)
    return len(running.notes)


class LossReports:
    """Says on stderr while it happens that the kernel drops packets, once a second at most."""

    def __init__(self, running: Capture, clock: Callable[[], float] = time.monotonic) -> None:
        self._running = running
        self._clock = clock
        self._next = clock() + 1.0
        self._said: dict[str, int] = {}

    def say(self) -> None:
        """Look at the counters when it is time."""
        now = self._clock()
        if now < self._next:
            return
        self._next = now + 1.0
        for item in self._running.statistics():
            if item.dropped > self._said.get(item.label, 0):
                self._said[item.label] = item.dropped
                say(f"{item.label}: the kernel has dropped {item.dropped} packets so far: they came too fast")


def _output(
    chosen: ChosenPoints, output: CaptureFormat | None, *, show: str, count: int | None, detail: bool
) -> CaptureOutput | None:
    """How packets are printed; None when they only go to a file."""
    if output is None:
        return None
    names = names_of(chosen.view)
    if len(chosen.points) == 1 and not show and not (detail and output == "json"):
        return LineOutput([chosen.points[0].label], names, output, detail=detail)
    correlator = Correlator(len(chosen.points), same_connection=Connections())
    view = chosen.view if chosen.whole else None
    return CorrelatedOutput(
        chosen.points, view, output, correlator=correlator, names=names, show=show, count=count, detail=detail
    )


def _refuse_beside_read(points: list[str] | None, *, write: str, expression: str, rotate: str) -> None:
    """Say what can't go with --read."""
    if points or write or rotate:
        raise UsageError("--read shows files: it takes no POINT, --write or --rotate.", "Leave them out.")
    if expression:
        raise UsageError("--filter chooses what is captured.", "What a file has is chosen by --show.")


def _check_file(file: OutputFile, *, printed: bool, looked_at: bool) -> None:
    """Refuse a file that can't be written, or not beside what else is asked for."""
    file.check()
    if file.plain and looked_at:
        raise UsageError(
            "A pcap file is written without a look at its packets.", f"Write {clean(file.path)}ng to see them."
        )
    if file.path == "-" and printed:
        raise UsageError("--write - and --format both want stdout.", "Write to a file, or leave out --format.")


def _refuse_beside_drops(points: list[str] | None, others: bool) -> None:  # noqa: FBT001  one call
    """Say what --drops lacks, and what can't go with it."""
    if not points:
        raise UsageError(
            "--drops needs the containers whose traffic is watched.", "For example: dnet-tui capture --drops web"
        )
    if others:
        raise UsageError("--drops goes with containers, --duration, --count and --format alone.", "capture --drops web")


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


class Stoppable(Protocol):
    """What signals end."""

    def stop(self) -> None:
        """Ask it to end in order."""


@contextmanager
def stopping(running: Stoppable) -> Iterator[list[int]]:
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
