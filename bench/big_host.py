"""Builds the host that the benchmarks measure: many containers' namespaces, many bridges, many rules.

Run inside a private host (see :mod:`dnet_tui.actions.demo.sandbox`); refuses to
run anywhere else.  Each container is a named network namespace with one
sleeping process in it and a veth to one of the bridges.  The rules are
shaped like Docker's: per published port one DNAT, one accept and one hairpin
masquerade, per network its masquerade and isolation.

``python big_host.py CONTAINERS BRIDGES RULES`` prints nothing and returns when
the host is complete.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

MARKER = Path("/run/dnet-tui-private-host")
CLONE_NEWNET = 0x40000000
MS_BIND = 4096
_libc = ctypes.CDLL(None, use_errno=True)


def bridge_of(container: int, bridges: int) -> int:
    """Which bridge a container is on."""
    return container % bridges


def address_of(container: int, bridges: int) -> str:
    """A container's address; network ``n`` is 10.n.0.0/16 and its bridge has 10.n.0.1."""
    place = container // bridges + 2
    return f"10.{bridge_of(container, bridges)}.{place >> 8}.{place & 255}"


def rules(containers: int, bridges: int, count: int) -> str:
    """``count`` rules for iptables-restore, as evenly over the containers as it goes."""
    ports = (count - 3 * bridges) // 3
    nat, forward, masquerade = [], [], []
    for index in range(bridges):
        nat.append(f"-A POSTROUTING -s 10.{index}.0.0/16 ! -o br{index:02d} -j MASQUERADE")
        forward.append(f"-A DOCKER-ISOLATION -i br{index:02d} ! -o br{index:02d} -j RETURN")
        forward.append(f"-A FORWARD -o br{index:02d} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT")
    for index in range(ports):
        container = index % containers
        bridge, address = f"br{bridge_of(container, bridges):02d}", address_of(container, bridges)
        inner, outer = 80 + index // containers, 10_000 + index
        nat.append(f"-A DOCKER ! -i {bridge} -p tcp -m tcp --dport {outer} -j DNAT --to-destination {address}:{inner}")
        masquerade.append(f"-A POSTROUTING -s {address}/32 -d {address}/32 -p tcp -m tcp --dport {inner} -j MASQUERADE")
        forward.append(f"-A DOCKER -d {address}/32 ! -i {bridge} -o {bridge} -p tcp -m tcp --dport {inner} -j ACCEPT")
    return "\n".join(
        (
            *("*nat", ":PREROUTING ACCEPT", ":INPUT ACCEPT", ":OUTPUT ACCEPT", ":POSTROUTING ACCEPT", ":DOCKER -"),
            *nat,
            *masquerade,
            *("COMMIT", "*filter", ":INPUT ACCEPT", ":FORWARD DROP", ":OUTPUT ACCEPT"),
            *(":DOCKER -", ":DOCKER-ISOLATION -"),
            *forward,
            "COMMIT\n",
        )
    )


def add_container(index: int, ready: int) -> None:
    """Fork a process into a new namespace, give that a name and a veth, and let the process sleep."""
    name = f"c{index:04d}"
    pid = os.fork()
    if pid == 0:
        _unshare()
        place = f"/run/netns/{name}"
        os.close(os.open(place, os.O_CREAT | os.O_RDONLY, 0o444))
        _call("mount", b"/proc/self/ns/net", place.encode(), b"none", MS_BIND, None)
        os.write(ready, b".")
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nothing, descriptor)
        os.execv("/bin/sleep", ["sleep", "infinity"])  # noqa: S606 - no shell is wanted


def _unshare() -> None:
    _call("unshare", CLONE_NEWNET)


def _call(name: str, *arguments: object) -> None:
    if getattr(_libc, name)(*arguments) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")


def host_commands(containers: int, bridges: int) -> Iterator[str]:
    """What ``ip -batch`` does on the host."""
    for index in range(bridges):
        yield f"link add br{index:02d} type bridge"
        yield f"addr add 10.{index}.0.1/16 dev br{index:02d}"
        yield f"link set br{index:02d} up"
    for index in range(containers):
        yield (
            f"link add veth{index:04d} type veth"
            f" peer name eth0 address 02:42:{index >> 8:02x}:{index & 255:02x}:00:01 netns c{index:04d}"
        )
        yield f"link set veth{index:04d} master br{bridge_of(index, bridges):02d} up"


def container_commands(index: int, bridges: int) -> Iterator[str]:
    """What ``ip -batch`` does inside one container's namespace."""
    yield "link set lo up"
    yield "link set eth0 up"
    yield f"addr add {address_of(index, bridges)}/16 dev eth0"
    yield f"route add default via 10.{bridge_of(index, bridges)}.0.1"


def run(argv: list[str], lines: str) -> None:
    """Run a command with its input."""
    subprocess.run(argv, input=lines.encode(), check=True)


def configure(containers: range, bridges: int) -> None:
    """Configure some containers from inside, each by one ``ip -batch``."""
    for index in containers:
        lines = "\n".join(container_commands(index, bridges))
        run(["ip", "-n", f"c{index:04d}", "-batch", "-"], lines)


def build(containers: int, bridges: int, count: int) -> None:
    """Build it all."""
    reader, writer = os.pipe()
    for index in range(containers):
        add_container(index, writer)
        os.read(reader, 1)
    run(["ip", "-batch", "-"], "\n".join(host_commands(containers, bridges)))
    half = containers // 2
    child = os.fork()
    configure(range(half) if child else range(half, containers), bridges)
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    if count:
        run(["iptables-nft-restore"], rules(containers, bridges, count))


if __name__ == "__main__":
    if not MARKER.exists():
        sys.exit("not a private host: nothing was touched")
    build(*(int(word) for word in sys.argv[1:4]))
