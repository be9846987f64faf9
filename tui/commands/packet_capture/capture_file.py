"""The file that ``dnet-tui capture`` writes: one, or one after the other."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from dnet_tui.inspect.capture.files.file_errors import check_target
from dnet_tui.inspect.capture.files.pcapng_blocks import FileInterface, FileStatistics
from dnet_tui.inspect.capture.files.pcapng_writer import PcapngWriter
from dnet_tui.inspect.capture.files.rotation import RotatingWriter, numbered, rotation_limit
from dnet_tui.inspect.capture.session import Capture
from dnet_tui.inspect.errors import UsageError

CaptureWriter = PcapngWriter | RotatingWriter


class OutputFile(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for: ``path`` ``-`` is stdout, empty is no file; ``rotate`` as in ``100M`` or ``10min``."""

    path: str
    force: bool = False
    rotate: str = ""
    keep: int = 0

    @property
    def plain(self) -> bool:
        """Whether it is a pcap file, which libpcap writes itself."""
        return self.path.endswith(".pcap")

    def check(self) -> None:
        """Raise :class:`UsageError` for what doesn't go together."""
        if self.rotate:
            rotation_limit(self.rotate)
        if self.plain and self.rotate:
            raise UsageError("Only pcapng files are rotated.", f"--write {self.path}ng")
        if (self.rotate or self.keep) and (self.path in {"", "-"} or not self.rotate):
            raise UsageError(
                "--rotate needs --write FILE, and --keep needs --rotate.", "--write web.pcapng --rotate 100M"
            )
        if self.path not in {"", "-"}:
            check_target(str(numbered(Path(self.path), 1)) if self.rotate else self.path, force=self.force)


def open_file(running: Capture, file: OutputFile, names: Mapping[str, str]) -> CaptureWriter | None:
    """Open it for the points of a capture; None where no file was asked for.

    Raises:
        DnetError: it can't be written, or is there already.
    """
    if not file.path:
        return None
    options = running.options
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
    comment = f"dnet-tui capture at {', '.join(point.label for point in running.points)}"
    if not file.rotate:
        return PcapngWriter(file.path, interfaces, comment=comment, names=names, force=file.force)
    return RotatingWriter(
        file.path,
        interfaces,
        limit=rotation_limit(file.rotate),
        keep=file.keep,
        counts=lambda: file_counts(running),
        comment=comment,
        names=names,
        force=file.force,
    )


def file_counts(running: Capture) -> list[FileStatistics]:
    """The counts of every point as of now."""
    return [FileStatistics(received=item.received, dropped=item.dropped) for item in running.statistics()]
