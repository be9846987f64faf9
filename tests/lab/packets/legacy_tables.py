"""Legacy tables as the kernel keeps them: ``iptables-save`` prints some rules alike that aren't.

Layouts: ``struct ipt_getinfo``, ``ipt_get_entries`` and ``ipt_entry`` of
include/uapi/linux/netfilter_ipv4/ip_tables.h, and their like for IPv6.
"""

from __future__ import annotations

import json

from lab.machines.hosts import LabHost, python_argv

_DUMP = """
import ctypes, json, socket, struct, sys

family, table = sys.argv[1], sys.argv[2].encode()
ip6 = family == "ip6"
libc = ctypes.CDLL(None, use_errno=True)
level, size_of_ip = (41, 136) if ip6 else (0, 84)

def ask(option, buffer):
    length = ctypes.c_uint32(len(buffer))
    if libc.getsockopt(sock.fileno(), level, option, buffer, ctypes.byref(length)):
        raise OSError(ctypes.get_errno(), "getsockopt")

with socket.socket(socket.AF_INET6 if ip6 else socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as sock:
    info = ctypes.create_string_buffer(table, 84)
    ask(64, info)
    size, = struct.unpack_from("I", info, 80)
    entries = ctypes.create_string_buffer(struct.pack("32sI", table, size), 40 + size)
    ask(65, entries)
blob, found, at = bytearray(entries.raw[40:]), [], 0
counters = 152 if ip6 else 96
while at < size:
    next_offset, = struct.unpack_from("H", blob, at + size_of_ip + 6)
    entry = blob[at:at + next_offset]
    entry[size_of_ip:size_of_ip + 4] = bytes(4)              # nfcache: not used any more
    entry[size_of_ip + 8:counters + 16] = bytes(counters + 16 - size_of_ip - 8)  # comefrom, counters
    found.append(entry.hex())
    at += next_offset
print(json.dumps(found))
"""


def entries(host: LabHost, table: str = "filter", family: str = "ip") -> list[str]:
    """Return the rules of a legacy table as the kernel has them, in hexadecimal, without their counters."""
    found: list[str] = json.loads(host.run(*python_argv(_DUMP), family, table).stdout)
    return found


def saved(host: LabHost, table: str = "filter", family: str = "ip") -> str:
    """Return a legacy table as ``iptables-legacy-save -c`` prints it, without comments and the chains' counters."""
    program = "iptables-legacy-save" if family == "ip" else "ip6tables-legacy-save"
    lines = host.run(program, "-c", "-t", table).stdout.decode().splitlines()
    kept = (line.partition(" [")[0] if line.startswith(":") else line for line in lines)
    return "\n".join(line for line in kept if not line.startswith("#"))
