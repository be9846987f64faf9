"""Judges the correlation by marked payloads: ``correlation_judge.py COUNT [CASE]``, run inside a Docker host.

Every packet carries a number that the correlation knows nothing of.  Two
packets with different numbers on one row are a wrong join; one number on two
rows is a join that was missed.  Prints what was seen as JSON.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import msgspec

from dnet_tui.inspect.capture.connections import Connections
from dnet_tui.inspect.capture.correlation.correlator import Correlator
from dnet_tui.inspect.capture.correlation.packet_identity import identify
from dnet_tui.inspect.capture.correlation.packet_row import PacketRow
from dnet_tui.inspect.capture.packet import OUTGOING, CapturedPacket
from dnet_tui.inspect.capture.points import resolve_all
from dnet_tui.inspect.capture.session import Capture
from dnet_tui.inspect.capture.tap import CaptureOptions
from dnet_tui.inspect.model import LinkRef
from dnet_tui.inspect.model.view import View
from dnet_tui.inspect.snapshot.take_snapshot import take_snapshot

TRAFFIC = str(Path(__file__).with_name("marked_traffic.py"))
MARK = re.compile(rb"M(\d{8})([QA])")
PORT = 7777
ANY = "0.0.0.0"  # noqa: S104 - inside the containers of a lab host

Truth = tuple[int, bytes, int]


class Case(msgspec.Struct, frozen=True):
    """Messages from one namespace to an address, watched at some points."""

    name: str
    points: tuple[str, ...]
    origin: str
    proto: str
    address: str
    port: int = PORT
    size: int = 40
    promiscuous: bool = True


def inside(name: str) -> list[str]:
    """The command prefix that enters a container's network, or the "internet"'s."""
    if name == "host":
        return []
    if name == "outside":
        return ["nsenter", "--net=/run/netns/internet", "--"]
    pid = subprocess.run(
        ["docker", "inspect", "--format={{.State.Pid}}", name], capture_output=True, text=True, check=True
    ).stdout.strip()
    return ["nsenter", "-t", pid, "--net", "--"]


@contextmanager
def echoing(name: str, address: str) -> Iterator[None]:
    command = [*inside(name), sys.executable, TRAFFIC, "echo", address, str(PORT)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout
            if process.stdout.readline() != b"ready\n":
                raise RuntimeError(f"no echo in {name}")
            yield
        finally:
            process.kill()


def judge(case: Case, count: int, first: int) -> dict[str, Any]:
    view = View(take_snapshot())
    points = resolve_all(view, case.points)
    correlator = Correlator(len(points), same_connection=Connections())
    seen: list[tuple[CapturedPacket, int]] = []
    rows: list[PacketRow] = []

    def take(packets: Sequence[CapturedPacket]) -> None:
        seen.extend((packet, correlator.feed(packet).number) for packet in packets)
        rows.extend(correlator.finished(running.seen_until_ns()))

    with Capture(view, points, CaptureOptions(promiscuous=case.promiscuous)) as running:
        command = [*inside(case.origin), sys.executable, TRAFFIC, "send", case.proto, case.address]
        numbers = (case.port, count, first, case.size)
        sender = threading.Thread(target=subprocess.run, args=([*command, *map(str, numbers)],))
        sender.start()
        while sender.is_alive():
            take(running.poll(0.1))
        running.stop()
        while not running.finished:
            take(running.poll(0.1))
        dropped = sum(item.dropped for item in running.statistics())
    rows += correlator.finished(0, everything=True)
    return {"case": case.name, "kernel_dropped": dropped, **verdict(seen, rows, case)}


def truth(packet: CapturedPacket, case: Case) -> Truth | None:
    """Which packet it really is: its number, question or answer, and the connection (a proxy makes a second one)."""
    found = MARK.search(packet.data)
    if found is None or (case.proto != "icmp" and identify(packet).about is not None):
        return None  # an ICMP error quotes somebody else's mark
    kind = packet.data[34:35] if case.proto == "icmp" and ":" not in case.address else found[2]
    if case.proto == "icmp" and ":" in case.address:
        kind = packet.data[54:55]
    return int(found[1]), kind, int(case.points[packet.point] == "lo")


def verdict(seen: list[tuple[CapturedPacket, int]], rows: list[PacketRow], case: Case) -> dict[str, Any]:
    # Two processors may take packets of the same length at the same nanosecond: the time alone tells nothing.
    by_sighting: dict[Any, set[int]] = defaultdict(set)
    for row in rows:
        for sighting in row.sightings:
            point, moment, reception, length, ends, *_ = sighting
            by_sighting[point, moment, length, reception, ends].add(row.number)
    of_row: dict[int, set[Any]] = defaultdict(set)
    of_packet: dict[Truth, list[tuple[CapturedPacket, set[int]]]] = defaultdict(list)
    for packet, number in seen:
        true = truth(packet, case)
        if true is None:
            continue
        ends = identify(packet).ends
        key = (packet.point, packet.time_ns, packet.length, packet.reception, ends)
        numbers = by_sighting.get(key, set()) | {number}
        of_packet[true].append((packet, numbers))
        for item in numbers:
            of_row[item].add(true)
    wrong = sum(len(found) > 1 for found in of_row.values())
    groups = [group for frames in of_packet.values() for group in _groups(frames) if len(group) > 1]
    missed = [[(passage, sorted(numbers)) for passage, numbers in group] for group in groups if not _joined(group)]
    fragmented = sum(bool(identify(packet).fragment) for packet, _ in seen)
    return {
        "packets": len(of_packet),
        "sightings": sum(map(len, of_packet.values())),
        "fragments": fragmented,
        "wrong": wrong,
        "wrong_examples": [[number, *map(str, found)] for number, found in of_row.items() if len(found) > 1][:4],
        "same_moment": len(seen) - len({(packet.point, packet.time_ns, packet.length) for packet, _ in seen}),
        "joinable": len(groups),
        "missed": len(missed),
        "examples": missed[:3],
        "apart": sum(row.apart for row in rows),
        "answered": sum(bool(row.answer_to) for row in rows),
    }


def _groups(frames: list[tuple[CapturedPacket, set[int]]]) -> list[list[tuple[int, set[int]]]]:
    """The sightings of one packet, or of each of its fragments: (point and direction, the rows)."""
    whole: list[tuple[int, set[int]]] = []
    parts: dict[int, list[tuple[int, set[int]]]] = defaultdict(list)
    for packet, numbers in frames:
        seen = (packet.point << 1 | (packet.reception == OUTGOING), numbers)
        offset = identify(packet).fragment
        (parts[offset] if offset else whole).append(seen)
    return [item + whole for item in parts.values()] or [whole]


def _joined(group: list[tuple[int, set[int]]]) -> bool:
    """Whether all is on one row; what passed a point twice (a bridge's copy) may be on two."""
    copies = max(Counter(passage for passage, _ in group).values())
    rows = [numbers for _, numbers in group]
    return bool(set.intersection(*rows)) if copies == 1 else len(set.union(*rows)) <= copies


def commands(*lines: str) -> None:
    for line in lines:
        subprocess.run(line.split(), check=True)


def veth_of(container: str) -> str:
    view = View(take_snapshot())
    (inner,) = resolve_all(view, [container])
    peer = view.links[LinkRef(namespace=inner.namespace, ifindex=inner.ifindex)].peer
    assert peer is not None
    return view.links[peer].name


def main(count: int, only: str = "") -> list[dict[str, Any]]:
    """Set the host up and judge every case, or those whose name begins so."""
    docker = ["docker", "run", "-d", "--name", "marked", "-p", f"{PORT}:{PORT}/udp", "-p", f"{PORT}:{PORT}/tcp"]
    image = subprocess.run(
        ["docker", "inspect", "--format={{.Config.Image}}", "web"], capture_output=True, text=True, check=True
    ).stdout.strip()
    subprocess.run(
        [*docker, "--ulimit", "nofile=1024:1024", image, "sleep", "3600"], check=True, stdout=subprocess.DEVNULL
    )
    address = subprocess.run(
        ["docker", "inspect", "--format={{.NetworkSettings.IPAddress}}", "marked"],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    uplink = next(
        item["local"]
        for item in json.loads(
            subprocess.run(["ip", "-j", "addr", "show", "eth0"], capture_output=True, check=True).stdout
        )[0]["addr_info"]
        if item["family"] == "inet"
    )
    outside = "198.51.100.10"
    commands(
        f"iptables -t nat -I PREROUTING -p udp --dport 7778 -j DNAT --to {address}:{PORT}",
        f"iptables -t nat -I POSTROUTING -s 172.17.0.0/16 -d {address} -p udp --dport {PORT} -j MASQUERADE",
        "iptables -I DOCKER-USER -i br-app -o br-db -j ACCEPT",
        "iptables -I DOCKER-USER -i br-db -o br-app -j ACCEPT",
        "ip addr add fd00:17::1/64 dev docker0 nodad",
        "ip addr add 2001:db8:203::2/64 dev eth0 nodad",
        "sysctl -qw net.ipv6.conf.all.forwarding=1",
        "ip6tables -t nat -A POSTROUTING -s fd00:17::/64 -o eth0 -j MASQUERADE",
        "ip -n internet addr add 2001:db8:203::1/64 dev eth0 nodad",
    )
    commands(
        *(
            " ".join([*inside("web"), "sysctl", "-qw", f"net.ipv6.conf.{name}.disable_ipv6=0"])
            for name in ("all", "eth0")
        ),
        " ".join([*inside("web"), "ip", "addr", "add", "fd00:17::99/64", "dev", "eth0", "nodad"]),
        " ".join([*inside("web"), "ip", "route", "add", "default", "via", "fd00:17::1"]),
    )
    db = subprocess.run(
        ["docker", "inspect", "--format={{.NetworkSettings.Networks.db.IPAddress}}", "db"],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    out = ("web:eth0", veth_of("web"), "docker0", "eth0")
    into = ("internet:eth0", "eth0", "docker0", veth_of("marked"), "marked:eth0")
    across = ("app1:eth0", "br-app", "br-db", "db:eth0")
    cases = [
        Case("masquerade udp", out, "web", "udp", outside),
        Case("masquerade tcp", out, "web", "tcp", outside),
        Case("masquerade icmp", out, "web", "icmp", outside),
        Case("published udp", into, "outside", "udp", uplink),
        Case("published tcp", into, "outside", "tcp", uplink),
        Case("proxy tcp", ("lo", "docker0", "marked:eth0"), "host", "tcp", "127.0.0.1"),
        Case(
            "hairpin udp",
            ("web:eth0", "docker0", veth_of("marked"), "marked:eth0"),
            "web",
            "udp",
            "172.17.0.1",
            7778,
            promiscuous=False,
        ),
        Case("two bridges udp", across, "app1", "udp", db),
        Case("two bridges tcp", across, "app1", "tcp", db),
        Case("ipv6 udp", out, "web", "udp", "2001:db8:203::1"),
        Case("ipv6 icmp", out, "web", "icmp", "2001:db8:203::1"),
        Case("fragments masquerade", out, "web", "udp", outside, size=3000),
        Case("fragments two bridges", across, "app1", "udp", db, size=3000),
        Case("tiny udp", out, "web", "udp", outside, size=10),
    ]
    with ExitStack() as stack:
        for name, where in (
            ("outside", outside),
            ("outside", "2001:db8:203::1"),
            ("marked", ANY),
            ("db", ANY),
        ):
            stack.enter_context(echoing(name, where))
        return [
            judge(case, count, 1 + index * 1_000_000) for index, case in enumerate(cases) if case.name.startswith(only)
        ]


if __name__ == "__main__":
    json.dump(main(int(sys.argv[1]), *sys.argv[2:]), sys.stdout)
