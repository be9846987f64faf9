"""Puts a BPF program that drops everything on a link: run by the machine's Python in a network namespace, alone.

``xdp NAME`` (generic) or ``tcx NAME`` (ingress).  Prints a line once it is there;
it stays there until the link goes.  Ends with 3 where bpf(2) is refused.
"""

from __future__ import annotations

import ctypes
import platform
import socket
import struct
import sys

_BPF = {"x86_64": 321, "aarch64": 280}
_DROP = {"xdp": (6, 1), "tcx": (3, 2)}
"""The program's type, and XDP_DROP or TC_ACT_SHOT."""


def bpf(command: int, attr: bytes) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    raw = ctypes.create_string_buffer(attr, len(attr))
    result: int = libc.syscall(_BPF[platform.machine()], command, raw, len(attr))
    if result < 0:
        sys.stderr.write(f"bpf({command}): {ctypes.get_errno()}\n")
        sys.exit(3)
    return result


def load(kind: int, answer: int) -> int:
    code = ctypes.create_string_buffer(struct.pack("=BBhi", 0xB7, 0, 0, answer) + struct.pack("=BBhi", 0x95, 0, 0, 0))
    licence = ctypes.create_string_buffer(b"GPL")
    attr = struct.pack("=IIQQ", kind, 2, ctypes.addressof(code), ctypes.addressof(licence))
    return bpf(5, attr + bytes(48))


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value


def main() -> None:
    where, name = sys.argv[1:]
    program, index = load(*_DROP[where]), socket.if_nametoindex(name)
    if where == "tcx":
        bpf(8, struct.pack("=III", index, program, 46) + bytes(52))
    else:
        nested = attribute(1, struct.pack("=i", program)) + attribute(3, struct.pack("=I", 2))
        body = struct.pack("=BxHiII", 0, 0, index, 0, 0) + attribute(43 | 0x8000, nested)
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as sock:
            sock.send(struct.pack("=IHHII", 16 + len(body), 19, 5, 1, 0) + body)
            answer = sock.recv(4096)
        if struct.unpack_from("=i", answer, 16)[0]:
            sys.exit(3)
    sys.stdout.write("there\n")


if __name__ == "__main__":
    main()
