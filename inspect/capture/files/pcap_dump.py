"""One point straight into a pcap file by libpcap's own loop: no packet passes through Python.

The fastest way to keep packets, and the plainest file: one point, no names,
no counts.  libpcap opens the device itself (pcap(3PCAP)), inside its
namespace, with the same filter, ring and times in nanoseconds as elsewhere.
"""

from __future__ import annotations

import ctypes
import os
import select
import stat
import time
from types import TracebackType
from typing import Self

from dnet_tui.inspect.capture.bpf import Program, libpcap, live_handle, message_of
from dnet_tui.inspect.capture.enter_namespace import is_in_use, run_inside
from dnet_tui.inspect.capture.files.pcapng_writer import opened_file
from dnet_tui.inspect.capture.points import CapturePoint
from dnet_tui.inspect.capture.ring import ONLY_WRITTEN, Interface
from dnet_tui.inspect.capture.tap import CaptureOptions, full_expression
from dnet_tui.inspect.errors import DnetError, UsageError
from dnet_tui.inspect.model import Namespace
from dnet_tui.inspect.text.sanitize import clean

_PRESENCE = 1.0
_NETMASK_UNKNOWN = 0xFFFFFFFF


class _Statistics(ctypes.Structure):
    _fields_ = (("received", ctypes.c_uint), ("dropped", ctypes.c_uint), ("ifdropped", ctypes.c_uint))


class PcapDump:
    """A running capture into a file; a context manager.  Only :meth:`stop` may be called from elsewhere."""

    def __init__(
        self, point: CapturePoint, namespace: Namespace, options: CaptureOptions, path: str, *, force: bool = False
    ) -> None:
        """Open the point and the file.

        Raises:
            UsageError: the filter is wrong.
            DnetError: the point or the file can't be opened, or libpcap isn't here.
        """
        pcap = libpcap()
        if pcap is None:
            raise DnetError("A pcap file is written by libpcap, which was not found.", "Write FILE.pcapng instead.")
        self._pcap = pcap
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._libc.fdopen.restype = ctypes.c_void_p
        self._libc.ferror.argtypes = (ctypes.c_void_p,)
        self._point, self._namespace, self._options, self._path = point, namespace, options, path
        self.packets = 0
        self.dropped = 0
        self.notes: list[str] = []
        self._handle = 0
        self._dumper = 0
        self._descriptor = -1
        self._good = (0, 0)
        """The size of the file, and its packets, when it was whole for the last time."""
        self._waker = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        try:
            self._handle = run_inside(namespace, self._open)
            self._dumper = self._open_file(path, force=force)
        except BaseException:
            self.close()
            raise

    def _open(self) -> int:
        interface = Interface(self._point.ifindex)
        name = interface.name
        interface.socket.close()
        options = self._options
        handle = live_handle(
            self._pcap,
            options.snaplen,
            name,
            promiscuous=options.promiscuous,
            buffer=options.ring_bytes,
            timeout_ms=ONLY_WRITTEN.retire_ms,
        )
        compiled = Program()
        expression = full_expression(options)
        wanted = expression.encode("utf-8", "surrogateescape")
        if self._pcap.pcap_compile(handle, ctypes.byref(compiled), wanted, 1, _NETMASK_UNKNOWN) != 0:
            reason = message_of(self._pcap, handle)
            self._pcap.pcap_close(handle)
            msg = f"The filter “{clean(expression, 120)}” is wrong: {reason}"
            raise UsageError(msg, "An expression as in pcap-filter(7) is wanted.")
        failed = self._pcap.pcap_setfilter(handle, ctypes.byref(compiled))
        self._pcap.pcap_freecode(ctypes.byref(compiled))
        errors = ctypes.create_string_buffer(256)
        if failed or self._pcap.pcap_setnonblock(handle, 1, errors) != 0:
            self._pcap.pcap_close(handle)
            raise DnetError(f"libpcap can't capture at {self._point.label}.", "Write FILE.pcapng instead.")
        return handle

    def _open_file(self, path: str, *, force: bool) -> int:
        self._descriptor = opened_file(path, force=force)
        stream = self._libc.fdopen(self._descriptor, b"wb")
        dumper: int | None = self._pcap.pcap_dump_fopen(self._handle, stream)
        if not dumper:
            raise DnetError(f"Can't write {clean(path)}: {message_of(self._pcap, self._handle)}.")
        self._dumper = dumper
        self._flush()
        return dumper

    def stop(self) -> None:
        """Ask it to end; what has arrived is still written.  From any thread or signal handler."""
        if self._waker >= 0:
            os.eventfd_write(self._waker, 1)

    def run(self) -> None:
        """Write packets until the end: the count, the duration, :meth:`stop`, or the point has gone.

        Raises:
            DnetError: the disk is full or failing.
        """
        waiting = select.poll()
        waiting.register(self._waker, select.POLLIN)
        waiting.register(self._pcap.pcap_get_selectable_fd(self._handle), select.POLLIN)
        now = time.monotonic()
        end = now + self._options.duration if self._options.duration is not None else float("inf")
        presence = now + _PRESENCE
        while now < end and not self._full:
            events = waiting.poll(max(0.0, min(end, presence) - now) * 1000)
            if any(descriptor == self._waker for descriptor, _ in events) or not self._take():
                break
            now = time.monotonic()
            if now >= presence:
                presence = now + _PRESENCE
                if self._namespace.kind != "host" and not is_in_use(self._namespace):
                    self.notes.append(f"{self._point.label}: its namespace has ended.")
                    break
        if not self._full:
            time.sleep(ONLY_WRITTEN.surely)  # until the last block of the ring is handed over
            self._take()

    @property
    def _full(self) -> bool:
        return self._options.count is not None and self.packets >= self._options.count

    def _take(self) -> bool:
        """Let libpcap write all that is there; whether there may be more to come."""
        count = -1 if self._options.count is None else self._options.count - self.packets
        written = self._pcap.pcap_dispatch(self._handle, count, self._pcap.pcap_dump, self._dumper)
        if written > 0:
            self.packets += written
            self._flush()
        if written < 0:
            self.notes.append(f"{self._point.label}: {message_of(self._pcap, self._handle)}.")
        return bool(written >= 0)

    def _flush(self) -> None:
        """Hand everything to the kernel.

        libpcap's loop looks at no result of a write, and writes nothing more after one that failed: that it did
        is seen by the stream alone.

        Raises:
            DnetError: the disk is full or failing; the file is cut back to what it had before.
        """
        failed = self._pcap.pcap_dump_flush(self._dumper) != 0
        if not failed and not self._libc.ferror(self._pcap.pcap_dump_file(self._dumper)):
            self._good = os.fstat(self._descriptor).st_size, self.packets
            return
        reason = "a write failed"
        try:
            os.write(self._descriptor, bytes(4096))  # only to learn why
        except OSError as error:
            reason = error.strerror or reason
        kept = "the output is incomplete"
        if stat.S_ISREG(os.fstat(self._descriptor).st_mode):
            size, self.packets = self._good
            os.ftruncate(self._descriptor, size)
            kept = "what was captured before is whole"
        nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)  # for what the stream still holds
        os.dup2(nowhere, self._descriptor, inheritable=False)
        os.close(nowhere)
        raise DnetError(
            f"Can't write {clean(self._path)}: {reason}; {kept}.",
            "Free some space, write elsewhere, or capture less (--filter, --count).",
        )

    def close(self) -> None:
        """End it, and close the file; the counts stay."""
        if self._handle:
            counts = _Statistics()
            if self._pcap.pcap_stats(self._handle, ctypes.byref(counts)) == 0:
                self.dropped = counts.dropped
            if self._dumper:
                self._pcap.pcap_dump_close(self._dumper)
            self._pcap.pcap_close(self._handle)
            self._handle = self._dumper = 0
        if self._waker >= 0:
            os.close(self._waker)
            self._waker = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
