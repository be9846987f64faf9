"""Names on a lab host: a server on the "internet" that knows every name, and the host's resolv.conf that names it.

The machine's own resolv.conf must not leak in: what it names may be anywhere,
and be reached from nowhere here.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from dnet_tui.actions.demo.topology import DEMO
from lab.machines.engine_host import EngineHost
from lab.machines.hosts import python_argv

NAME_SERVER = "198.51.100.53"
"""A second address of the "internet", whose port 53 answers questions for names, over UDP."""

_HOSTS_FILE = "/etc/resolv.conf"

_SERVER = """
import os, socket, struct, sys
HEAD = struct.Struct("!6H")
RECORD = struct.pack("!HHHIH4s", 0xC00C, 1, 1, 60, 4, socket.inet_aton("192.0.2.1"))
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
sock.bind((sys.argv[1], 53))
print("ready", flush=True)
while True:
    data, peer = sock.recvfrom(4096)
    if len(data) < HEAD.size + 5:
        continue
    number, flags = HEAD.unpack_from(data)[:2]
    question = data[HEAD.size : data.index(bytes(1), HEAD.size) + 5]
    record = RECORD if question.endswith(bytes([0, 1, 0, 1])) else b""
    sock.sendto(HEAD.pack(number, 0x8180 | flags, 1, bool(record), 0, 0) + question + record, peer)
"""


def start_name_server(host: EngineHost) -> None:
    """Start the server; it ends with the host."""
    host.run("ip", "-n", DEMO.outside, "address", "add", f"{NAME_SERVER}/32", "dev", "lo")
    host.helpers.append(serve(host, "outside", NAME_SERVER))


@contextmanager
def serving(host: EngineHost, address: str) -> Iterator[None]:
    """Have such a server on the host itself for a while."""
    process = serve(host, "host", address)
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def serve(host: EngineHost, place: str, address: str) -> subprocess.Popen[bytes]:
    """Start a name server in a place, and wait until it answers."""
    argv = [*host.enter(place), *python_argv(_SERVER), address]
    process = host.sandbox.popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, new_session=True)
    assert process.stdout is not None
    ready = process.stdout.readline()
    process.stdout.close()
    assert ready == b"ready\n"
    return process


def name_servers(host: EngineHost, *servers: str) -> None:
    """Write the host's resolv.conf; for engines that are started later."""
    text = "".join(f"nameserver {server}\n" for server in servers).encode()
    place = os.path.realpath(_HOSTS_FILE)
    if place.startswith("/run/"):  # systemd-resolved's: the host's /run is its own, and empty
        host.run("mkdir", "-p", os.path.dirname(place))  # noqa: PTH120 - a path on the lab host
        host.run("cp", "/dev/stdin", place, stdin=text)
        return
    host.run("mkdir", "-p", "/run/lab-names")
    host.run("cp", "/dev/stdin", "/run/lab-names/resolv.conf", stdin=text)
    if not host.run("findmnt", "--mountpoint", place, check=False).stdout:
        host.run("mount", "--bind", "/run/lab-names/resolv.conf", place)
