"""Loads rules of nftables one by one, sends real packets, and says what came of each.  Runs in the private host.

Plain packets of both families go from the left to the right through the
host, or from the host, or to it: a SYN of TCP to port 80, a datagram of UDP
to port 53, an echo request.  What arrives is seen on the right's wire; who
sent from the left to the host sees the answer.
"""

from __future__ import annotations

import os
import shlex
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import msgspec

from dnet_tui.inspect.model import Snapshot
from dnet_tui.inspect.model.coverage.needs import Needs, SectionName
from dnet_tui.inspect.snapshot.take_snapshot import Options, take_snapshot
from lab.extensions.loading import BUILD, TESTS
from lab.extensions.nft_rules import NftRule

INNER = f"import sys; sys.path[:0] = [{TESTS!r}]; from lab.extensions.nft_truth import main; main()"
ADDRESSES = {
    "ip": {"left": "10.1.0.2", "right": "10.2.0.2", "near": "10.1.0.1", "far": "10.2.0.1"},
    "ip6": {"left": "fd00:1::2", "right": "fd00:2::2", "near": "fd00:1::1", "far": "fd00:2::1"},
}
PROTOS = ("tcp", "udp", "icmp")
PORTS = {"tcp": 80, "udp": 53, "icmp": 0}
_HOOKS = {
    "raw": "type filter hook prerouting priority -300",
    "prerouting": "type filter hook prerouting priority -150",
    "input": "type filter hook input priority 0",
    "forward": "type filter hook forward priority 0",
    "output": "type filter hook output priority 0",
    "postrouting": "type filter hook postrouting priority 0",
    "dstnat": "type nat hook prerouting priority -100",
    "srcnat": "type nat hook postrouting priority 100",
    "ingress": "type filter hook ingress device l0 priority 0",
}
_ECHO = {"ip": (8, 0, socket.IPPROTO_ICMP), "ip6": (128, 129, socket.IPPROTO_ICMPV6)}
_NEEDS = Needs(everywhere=frozenset({SectionName.FIREWALL}))
_WAIT = 0.02
"""Seconds after a packet was sent: it has gone all its way in the same call."""

_NUMBERS = {"tcp": 6, "udp": 17}
_CLONE_NEWNET = 0x40000000


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """One packet, and what came of it: where it was seen (``right``, ``host`` or nowhere), and as what."""

    family: str
    proto: str
    src: str
    dst: str
    sport: int
    dport: int
    seen_at: str = ""
    seen_as: tuple[str, str, int, int] = ("", "", 0, 0)


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that was loaded, the host with it, and its packets."""

    rule: NftRule
    snapshot: Snapshot
    arrivals: list[Arrival]


class Judgements(msgspec.Struct, frozen=True, kw_only=True):
    """The rules that load here, and those that don't, with nft's words."""

    judged: list[Judged]
    refused: list[tuple[NftRule, str]]


def main() -> None:
    """Build the host, judge the rules that stand on the standard input, and print what became of them."""
    wanted = msgspec.json.decode(sys.stdin.buffer.read(), type=list[NftRule])
    for line in filter(None, BUILD.split("\n")):
        subprocess.run(shlex.split(line), check=True)
    _know_neighbours()
    world = _World()
    base = take_snapshot()
    judged: list[Judged] = []
    refused: list[tuple[NftRule, str]] = []
    for number, rule in enumerate(wanted):
        said = _load(rule)
        if said:
            refused.append((rule, said))
            continue
        read = take_snapshot(Options(needs=_NEEDS))
        judged.append(Judged(rule=rule, snapshot=_with_rules(base, read), arrivals=list(world.send(rule, number))))
    sys.stdout.buffer.write(msgspec.json.encode(Judgements(judged=judged, refused=refused)))


def _know_neighbours() -> None:
    """Nobody has to ask who is where, so that a rule doesn't stop the questions."""
    for place, own, device in (("left", "near", "l0"), ("right", "far", "r0")):
        there = _address_of(["ip", "-n", place, "-o", "link", "show", "eth0"])
        here = _address_of(["ip", "-o", "link", "show", device])
        for family in ADDRESSES.values():
            _run(f"ip neigh replace {family[place]} lladdr {there} dev {device} nud permanent")
            _run(f"ip -n {place} neigh replace {family[own]} lladdr {here} dev eth0 nud permanent")


def _address_of(argv: list[str]) -> str:
    shown = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()
    return shown[shown.index("link/ether") + 1]


def _run(line: str) -> None:
    subprocess.run(shlex.split(line), check=True, capture_output=True)


def _load(rule: NftRule) -> str:
    """Put the one rule into a table of its own; why it was refused, else empty."""
    family = "netdev" if rule.at == "ingress" else "inet"
    chain = f"chain x {{ {_HOOKS[rule.at]}; policy accept; {rule.text}; }}"
    script = f"flush ruleset\ntable {family} t {{\n{rule.objects}\n{chain}\n}}\n"
    done = subprocess.run(["nft", "-f", "-"], input=script, capture_output=True, text=True, check=False)
    return done.stderr.partition("\n")[0].strip() if done.returncode else ""


def _with_rules(base: Snapshot, read: Snapshot) -> Snapshot:
    rules = {ns.id: ns.firewall for ns in read.namespaces}
    spaces = tuple(msgspec.structs.replace(ns, firewall=rules[ns.id]) for ns in base.namespaces)
    return msgspec.structs.replace(base, namespaces=spaces)


class _World:
    """The sockets that send and see."""

    def __init__(self) -> None:
        self.wire = _inside("right", _sniffer)
        self.left = _inside("left", _sniffer)
        self.ident = 0
        self.servers = [server for family in (socket.AF_INET, socket.AF_INET6) for server in _servers(family)]

    def send(self, rule: NftRule, number: int) -> Iterator[Arrival]:
        """Send every kind of packet that meets the rule's chain."""
        for which, (family, names) in enumerate(ADDRESSES.items()):
            src, dst = names["far" if rule.at == "output" else "left"], names["right"]
            dst = names["near"] if rule.at == "input" else dst
            for proto in PROTOS:
                sport = 20000 + number * 8 + which if proto != "icmp" else 0
                self.ident = number * 2 + which + 1
                arrival = Arrival(family=family, proto=proto, src=src, dst=dst, sport=sport, dport=PORTS[proto])
                yield self._sent(arrival, "" if rule.at == "output" else "left")

    def _sent(self, packet: Arrival, origin: str) -> Arrival:
        for sniffer in (self.wire, self.left):
            _drain(sniffer)
        sending: socket.socket = _inside(origin, lambda: _emit(packet, self.ident))
        time.sleep(_WAIT)
        self._answer()
        firsts = [item for item in _drain(self.wire) if item[:2] == (packet.proto, "first")]
        seen = next((item for item in firsts if _is_of(item, packet)), None)
        if seen is not None:
            found = msgspec.structs.replace(packet, seen_at="right", seen_as=seen[2:])
        elif any(item[:2] == (packet.proto, "answer") for item in _drain(self.left)):
            found = msgspec.structs.replace(packet, seen_at="host")
        else:
            found = packet
        sending.close()
        return found

    def _answer(self) -> None:
        """Take what came to the host's own ports, so that they go on answering."""
        for server in self.servers:
            try:
                if server.type == socket.SOCK_DGRAM:
                    data, peer = server.recvfrom(100)
                    server.sendto(data, peer)
                else:
                    server.accept()[0].close()
            except OSError:
                continue


def _is_of(item: tuple[str, str, str, str, int, int], packet: Arrival) -> bool:
    """Whether it may be the packet, however it was translated, and no former one that was sent once more."""
    return (":" in item[2]) == (":" in packet.src) and (item[4] == packet.sport or item[2] != packet.src)


def _inside(place: str, make: Callable[[], Any]) -> Any:
    """What ``make`` returns in a named namespace; empty: in this one."""
    if not place:
        return make()
    made: list[Any] = []

    def enter() -> None:
        import ctypes  # noqa: PLC0415 - setns is in no module of Python 3.11

        with Path(f"/run/netns/{place}").open("rb") as there:
            if ctypes.CDLL(None, use_errno=True).setns(there.fileno(), _CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        made.append(make())

    thread = Thread(target=enter)
    thread.start()
    thread.join()
    return made[0]


def _sniffer() -> socket.socket:
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
    sock.bind(("eth0", 3))
    sock.setblocking(False)
    return sock


def _servers(family: int) -> Iterator[socket.socket]:
    for kind, port in ((socket.SOCK_STREAM, 80), (socket.SOCK_DGRAM, 53)):
        sock = socket.socket(family, kind)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", port))  # noqa: S104 - in a private host
        sock.setblocking(False)
        if kind == socket.SOCK_STREAM:
            sock.listen(64)
        yield sock


def _emit(packet: Arrival, ident: int) -> socket.socket:
    """Send a flow's first packet (an echo request with this identifier); to be closed once all is seen."""
    family = socket.AF_INET6 if packet.family == "ip6" else socket.AF_INET
    if packet.proto == "icmp":
        kind, _, number = _ECHO[packet.family]
        sock = socket.socket(family, socket.SOCK_RAW, number)
        body = struct.pack("!BBHHH", kind, 0, 0, ident, 1) + bytes(56)
        total = sum(struct.unpack(f"!{len(body) // 2}H", body))
        total = (total >> 16) + (total & 0xFFFF)
        body = body[:2] + struct.pack("!H", ~total & 0xFFFF) + body[4:]
        _quietly(lambda: sock.sendto(body, (packet.dst, 0)))
        return sock
    sock = socket.socket(family, socket.SOCK_STREAM if packet.proto == "tcp" else socket.SOCK_DGRAM)
    sock.setblocking(False)
    sock.bind((packet.src, packet.sport))
    _quietly(lambda: sock.connect((packet.dst, packet.dport)))
    if packet.proto == "udp":
        _quietly(lambda: sock.send(b"x"))
    return sock


def _quietly(do: Callable[[], object]) -> None:
    try:
        do()
    except OSError:
        return  # a rule keeps it from being sent, or it is under way


def _drain(sniffer: socket.socket) -> list[tuple[str, str, str, str, int, int]]:
    """What came in meanwhile: (protocol, first or answer, src, dst, sport, dport)."""
    found: list[tuple[str, str, str, str, int, int]] = []
    while True:
        try:
            data, where = sniffer.recvfrom(2048)
        except BlockingIOError:
            return found
        if where[2] != socket.PACKET_OUTGOING and (item := _parsed(data)) is not None:
            found.append(item)


def _parsed(data: bytes) -> tuple[str, str, str, str, int, int] | None:
    six = data[0] >> 4 == 6
    if six:
        number, rest, ends = data[6], data[40:], (data[8:24], data[24:40])
    else:
        number, rest, ends = data[9], data[(data[0] & 15) * 4 :], (data[12:16], data[16:20])
    src, dst = (socket.inet_ntop(socket.AF_INET6 if six else socket.AF_INET, end) for end in ends)
    if number in _NUMBERS.values():
        proto = "tcp" if number == _NUMBERS["tcp"] else "udp"
        sport, dport = struct.unpack("!HH", rest[:4])
        flags = rest[13] if proto == "tcp" else 0
        # An answer of TCP's accepts the SYN: a reset may come from a rule.
        kind = "answer" if flags & 0x12 == 0x12 or (proto == "udp" and sport == PORTS["udp"]) else "first"
        return None if flags & 4 else (proto, kind, src, dst, sport, dport)
    asks, answers, icmp = _ECHO["ip6" if six else "ip"]
    if number == icmp and rest[0] in {asks, answers}:
        return "icmp", "first" if rest[0] == asks else "answer", src, dst, 0, 0
    return None
