"""pcap-filter(7) expressions, compiled to the classic BPF that a packet socket takes.

The compiler is libpcap's, loaded through ctypes; where the library isn't
there, ``tcpdump -ddd`` compiles.  Neither opens a capture, except for the few
words (``vlan``, ``inbound`` …) whose code depends on the running kernel: for
those libpcap is asked to activate a handle on the device itself, which must
be done in the device's namespace.

The kernel takes VLAN tags out of the frame before a filter sees it, so code
compiled without a device would never match ``vlan``: silently wrong, and the
reason for that exception.
"""

from __future__ import annotations

import ctypes
import os
import re
import struct
from functools import cache
from typing import NamedTuple

from dnet_tui.inspect.capture.packet import ETHERNET, RAW_IP, SNAPLEN
from dnet_tui.inspect.errors import DnetError, UsageError
from dnet_tui.inspect.kernel.run_program import run_program
from dnet_tui.inspect.text.sanitize import clean

EXAMPLE = "icmp or (tcp port 80 and host 172.17.0.2)"
"""An expression that hints show."""

_LIBRARIES = ("libpcap.so.0.8", "libpcap.so.1", "libpcap.so")
_DLT = {ETHERNET: (1, "EN10MB"), RAW_IP: (12, "RAW")}  # number and name in pcap(3)
_NEEDS_DEVICE = re.compile(r"(?<![\w.-])(vlan|inbound|outbound|ifindex)(?![\w.-])")
_NETMASK_UNKNOWN = 0xFFFFFFFF
_RETURN = 0x06  # BPF_RET | BPF_K
_LIMIT = 4096  # BPF_MAXINSNS, linux/bpf_common.h
_SECONDS = 20.0  # that tcpdump may take
_NO_COMPILER = "Install libpcap (Debian: libpcap0.8, Fedora: libpcap) or tcpdump, or capture without a filter."


class Instruction(NamedTuple):
    """One instruction of classic BPF (``struct sock_filter``)."""

    code: int
    jt: int
    jf: int
    k: int


BpfProgram = tuple[Instruction, ...]


class NoCompilerError(Exception):
    """This way of compiling isn't available here."""


class _Insn(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_ushort),
        ("jt", ctypes.c_ubyte),
        ("jf", ctypes.c_ubyte),
        ("k", ctypes.c_uint32),
    )


class Program(ctypes.Structure):
    """``struct bpf_program`` of pcap/bpf.h."""

    _fields_ = (("length", ctypes.c_uint), ("instructions", ctypes.POINTER(_Insn)))


def needs_device(expression: str) -> bool:
    """Whether the expression can only be compiled for a device, inside the device's namespace."""
    return _NEEDS_DEVICE.search(expression) is not None


def accept_all(snaplen: int = SNAPLEN) -> BpfProgram:
    """The program that takes every packet and keeps ``snaplen`` bytes of it; 0 takes none."""
    return (Instruction(_RETURN, 0, 0, snaplen),)


def compile_filter(
    expression: str, *, snaplen: int = SNAPLEN, linktype: int = ETHERNET, device: str = ""
) -> BpfProgram:
    """Compile a pcap-filter(7) expression; an empty one takes every packet.

    Host names in an expression are looked up by libpcap, as tcpdump does.

    Args:
        expression: as a person typed it.
        snaplen: bytes of each matching packet to keep; becomes the program's return value.
        linktype: :data:`ETHERNET` or :data:`RAW_IP`.
        device: compile for this device of the *calling thread's* namespace.  Only used for
            expressions that :func:`needs_device`; without it they're checked, but not fit to run.

    Raises:
        UsageError: the expression is wrong; the message is libpcap's own.
        DnetError: there is no compiler on this host.
    """
    if not expression.strip():
        return accept_all(snaplen)
    if "\0" in expression:
        raise _wrong(expression, "it contains a NUL character")
    if not needs_device(expression):
        device = ""
    for compiler in (compile_by_libpcap, compile_by_tcpdump):
        try:
            program = compiler(expression, snaplen, linktype, device)
        except NoCompilerError:
            continue
        if len(program) > _LIMIT:
            raise _wrong(expression, f"it compiles to {len(program)} instructions, the kernel takes {_LIMIT}")
        return program
    raise DnetError("A capture filter can't be compiled: neither libpcap nor tcpdump was found.", _NO_COMPILER)


def check_filter(expression: str) -> None:
    """Raise the error of :func:`compile_filter` for a wrong expression, before anything is opened."""
    try:
        compile_filter(expression)
    except UsageError as error:
        # Words that need a device can't be judged here; libpcap names them in its message.
        if not (needs_device(expression) and "not supported" in error.message):
            raise


def pack(program: BpfProgram) -> bytes:
    """The program as the array of ``struct sock_filter`` that the kernel reads."""
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


@cache
def libpcap() -> ctypes.CDLL | None:
    """The library with its functions' signatures; None where it isn't installed."""
    for name in _LIBRARIES:
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        handle, text = ctypes.c_void_p, ctypes.c_char_p
        signatures: tuple[tuple[str, type | None, tuple[type, ...]], ...] = (
            ("pcap_open_dead", handle, (ctypes.c_int, ctypes.c_int)),
            ("pcap_create", handle, (text, text)),
            ("pcap_activate", ctypes.c_int, (handle,)),
            ("pcap_set_snaplen", ctypes.c_int, (handle, ctypes.c_int)),
            ("pcap_compile", ctypes.c_int, (handle, ctypes.c_void_p, text, ctypes.c_int, ctypes.c_uint32)),
            ("pcap_geterr", text, (handle,)),
            ("pcap_freecode", None, (ctypes.c_void_p,)),
            ("pcap_set_promisc", ctypes.c_int, (handle, ctypes.c_int)),
            ("pcap_set_timeout", ctypes.c_int, (handle, ctypes.c_int)),
            ("pcap_set_buffer_size", ctypes.c_int, (handle, ctypes.c_int)),
            ("pcap_set_tstamp_precision", ctypes.c_int, (handle, ctypes.c_int)),
            ("pcap_setfilter", ctypes.c_int, (handle, ctypes.c_void_p)),
            ("pcap_setnonblock", ctypes.c_int, (handle, ctypes.c_int, text)),
            ("pcap_get_selectable_fd", ctypes.c_int, (handle,)),
            ("pcap_stats", ctypes.c_int, (handle, ctypes.c_void_p)),
            ("pcap_dispatch", ctypes.c_int, (handle, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)),
            ("pcap_dump_fopen", handle, (handle, ctypes.c_void_p)),
            ("pcap_dump_file", handle, (handle,)),
            ("pcap_dump_flush", ctypes.c_int, (handle,)),
            ("pcap_dump_close", None, (handle,)),
            ("pcap_close", None, (handle,)),
        )
        for function, result, arguments in signatures:
            getattr(library, function).restype = result
            getattr(library, function).argtypes = arguments
        return library
    return None


def compile_by_libpcap(expression: str, snaplen: int, linktype: int, device: str) -> BpfProgram:
    """Compile with the library; :class:`NoCompilerError` when it isn't there."""
    pcap = libpcap()
    if pcap is None:
        raise NoCompilerError
    handle = live_handle(pcap, snaplen, device) if device else pcap.pcap_open_dead(_DLT[linktype][0], snaplen)
    if not handle:
        raise NoCompilerError
    compiled = Program()
    try:
        text = expression.encode("utf-8", "surrogateescape")
        if pcap.pcap_compile(handle, ctypes.byref(compiled), text, 1, _NETMASK_UNKNOWN) != 0:
            raise _wrong(expression, message_of(pcap, handle))
        program = tuple(
            Instruction(item.code, item.jt, item.jf, item.k) for item in compiled.instructions[: compiled.length]
        )
        pcap.pcap_freecode(ctypes.byref(compiled))
        return program
    finally:
        pcap.pcap_close(handle)


def live_handle(
    pcap: ctypes.CDLL,
    snaplen: int,
    device: str,
    *,
    promiscuous: bool = False,
    buffer: int = 0,
    timeout_ms: int = 0,
) -> int:
    """A handle that is active on a device of the calling thread's namespace, with times in nanoseconds.

    Raises:
        DnetError: it can't be opened.
    """
    errors = ctypes.create_string_buffer(256)  # PCAP_ERRBUF_SIZE
    handle: int | None = pcap.pcap_create(os.fsencode(device), ctypes.cast(errors, ctypes.c_char_p))
    if not handle:
        raise DnetError(f"libpcap can't open it: {_text(errors.value)}")
    pcap.pcap_set_snaplen(handle, snaplen)
    if buffer:
        pcap.pcap_set_promisc(handle, int(promiscuous))
        pcap.pcap_set_timeout(handle, timeout_ms)
        pcap.pcap_set_buffer_size(handle, buffer)
        pcap.pcap_set_tstamp_precision(handle, 1)  # PCAP_TSTAMP_PRECISION_NANO
    if pcap.pcap_activate(handle) < 0:  # positive numbers are warnings
        reason = message_of(pcap, handle)
        pcap.pcap_close(handle)
        raise DnetError(f"libpcap can't open it: {reason}")
    return handle


def message_of(pcap: ctypes.CDLL, handle: int) -> str:
    """What libpcap says went wrong last."""
    return _text(pcap.pcap_geterr(handle) or b"")


def _text(raw: bytes) -> str:
    return clean(raw.decode("utf-8", "replace").strip()) or "no reason given"


def compile_by_tcpdump(expression: str, snaplen: int, linktype: int, device: str) -> BpfProgram:
    """Compile with ``tcpdump -ddd``; :class:`NoCompilerError` when it isn't there or can't compile at all."""
    where = ["-i", device] if device else []
    command = ["tcpdump", "-ddd", "-p", *where, "-y", _DLT[linktype][1], "-s", str(snaplen), "--", expression]
    done = run_program(command, seconds=_SECONDS)
    if done.code is None or done.code < 0:
        raise NoCompilerError
    if done.code != 0:
        lines = [
            line for line in done.complaint.decode("utf-8", "replace").splitlines() if line.startswith("tcpdump: ")
        ]
        # The reason comes last, after notes on the link type.
        raise _wrong(expression, clean(lines[-1].removeprefix("tcpdump: ")) if lines else "tcpdump gave no reason")
    return parse_ddd(done.output.decode("ascii", "replace"))


def parse_ddd(text: str) -> BpfProgram:
    """Read the output of ``tcpdump -ddd``: a count, then ``code jt jf k`` a line."""
    try:
        first, *lines = text.splitlines()
        program = tuple(Instruction(*(int(word) for word in line.split())) for line in lines)
        complete = len(program) == int(first) and bool(program)
    except (ValueError, TypeError) as error:
        raise NoCompilerError from error
    if not complete:
        raise NoCompilerError
    return program


def _wrong(expression: str, reason: str) -> UsageError:
    return UsageError(
        f"The filter “{clean(expression, 120)}” is wrong: {reason}",
        f"An expression as in pcap-filter(7) is wanted, for example: {EXAMPLE}",
    )
