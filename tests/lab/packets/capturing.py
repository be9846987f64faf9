"""Captures on a demo host, run inside it: ``capturing.py SCENARIO``.  Prints what was seen as JSON.

Uses the capture's own interface (open, poll, stop, statistics), where the
command line would hide what a test must see.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from dnet_tui.inspect.capture.decode import summarise
from dnet_tui.inspect.capture.packet import CapturedPacket
from dnet_tui.inspect.capture.points import resolve_all
from dnet_tui.inspect.capture.session import Capture
from dnet_tui.inspect.capture.tap import CaptureOptions
from dnet_tui.inspect.capture.written_packet import WrittenPacket
from dnet_tui.inspect.kernel.netns import NsHandle, run_in
from dnet_tui.inspect.model.view import View
from dnet_tui.inspect.snapshot.take_snapshot import take_snapshot

BURST = 20_000
PATIENCE = 20.0


def capture(*points: str, **options: Any) -> Capture:
    view = View(take_snapshot())
    return Capture(view, resolve_all(view, points), CaptureOptions(**options))


def read_all(running: Capture, limit: float = PATIENCE) -> list[CapturedPacket]:
    """Everything until the capture has ended; RuntimeError when it doesn't end by itself."""
    deadline = time.monotonic() + limit
    packets: list[CapturedPacket] = []
    while not running.finished:
        packets += running.poll(0.5)
        if time.monotonic() > deadline:
            raise RuntimeError("the capture did not end")
    return packets


def write_all(running: Capture, limit: float = PATIENCE) -> list[WrittenPacket]:
    """The same, as a capture that only writes them takes them."""
    packets: list[WrittenPacket] = []
    deadline = time.monotonic() + limit
    while not running.finished:
        packets += running.poll_written(0.5)
        if time.monotonic() > deadline:
            raise TimeoutError("the capture did not end")
    return packets


def read_until(running: Capture, done: Callable[[], bool]) -> list[CapturedPacket]:
    """Read until something is so; RuntimeError when it takes too long."""
    deadline = time.monotonic() + PATIENCE
    packets: list[CapturedPacket] = []
    while not done():
        packets += running.poll(0.05)
        if time.monotonic() > deadline:
            raise RuntimeError("what was waited for did not happen")
    return packets


def result(running: Capture, packets: Sequence[CapturedPacket], **more: Any) -> dict[str, Any]:
    return {
        "points": [msgspec.to_builtins(item) for item in running.statistics()],
        "notes": running.notes,
        "packets": [msgspec.to_builtins(summarise(item, running.points[item.point].label)) for item in packets],
        **more,
    }


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


def inside(name: str) -> NsHandle:
    path = f"/run/netns/{name}"
    return NsHandle(inode=Path(path).stat().st_ino, path=path)


def send_udp(address: str, count: int, source_port: int = 0) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("", source_port))
        for number in range(count):
            sock.sendto(number.to_bytes(4, "big"), (address, 9))


def send() -> dict[str, Any]:
    """Packets for others to capture."""
    run_in(inside("web"), lambda: send_udp("172.30.1.1", int(sys.argv[2])))
    return {}


def burst() -> dict[str, Any]:
    """As many small packets as one sender can send, at two points."""
    with capture("web:eth0", "veth-web", filter="udp port 9") as running:
        sender = threading.Thread(target=run_in, args=(inside("web"), lambda: send_udp("172.30.1.1", BURST)))
        sender.start()
        packets = read_until(running, lambda: not sender.is_alive())
        running.stop()
        packets += read_all(running)
        sender.join()
    numbers = [[int.from_bytes(p.data[42:46], "big") for p in packets if p.point == point] for point in (0, 1)]
    times = [packet.time_ns for packet in packets]
    return result(
        running, [], complete=[item == list(range(BURST)) for item in numbers], ordered=times == sorted(times)
    )


def span() -> dict[str, Any]:
    """Captures of steady traffic that end and begin while it flows: what each of four points counted, run by run.

    Every second one only writes.
    """
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    steady = (
        "import socket, time\n"
        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "s.connect(('198.51.100.80', 9))\n"
        "n = 0\n"
        "while True:\n"
        "    s.send(n.to_bytes(8, 'big')); n += 1\n"
        "    if n % 8 == 0: time.sleep(0.0005)\n"
    )
    view = View(take_snapshot())
    points = resolve_all(view, ["web:eth0", "veth-web", "br-front", "eth0"])
    counts = []
    command = ["nsenter", "--net=/run/netns/web", "--", sys.executable, "-c", steady]
    with subprocess.Popen(command) as sender:
        try:
            for number in range(runs):
                with Capture(view, points, CaptureOptions(filter="udp port 9", duration=0.1)) as running:
                    if number % 2:
                        written = write_all(running)
                        assert [packet.time_ns for packet in written] == sorted(packet.time_ns for packet in written)
                    else:
                        read_all(running)
                    counts.append([item.received for item in running.statistics()])
        finally:
            sender.kill()
    return {"counts": counts}


def overrun() -> dict[str, Any]:
    """More than the ring holds while nobody reads: the kernel counts what is lost, to the last packet."""
    with capture("veth-web", filter="udp port 9", ring_bytes=1 << 20) as running:
        run_in(inside("web"), lambda: send_udp("172.30.1.1", BURST))
        running.stop()
        packets = read_all(running)
        return result(running, [], read=len(packets))


def count() -> dict[str, Any]:
    """Exactly as many as were asked for."""
    with capture("veth-web", "br-front", filter="udp port 9", count=7) as running:
        run_in(inside("web"), lambda: send_udp("172.30.1.1", 20))
        packets = read_all(running)
        return result(running, packets)


def duration() -> dict[str, Any]:
    began = time.monotonic()
    with capture("br-front", duration=0.3, filter="udp port 9") as running:
        opened = time.monotonic()
        read_all(running)
        return result(running, [], took=time.monotonic() - opened, began=began)


def vanish() -> dict[str, Any]:
    """One interface is deleted: what it had is delivered, the other point goes on."""
    with capture("veth-web", "br-back", filter="udp port 9") as running:
        run_in(inside("web"), lambda: send_udp("172.30.1.1", 1))
        ip("link", "del", "veth-web")
        packets = read_until(running, lambda: bool(running.notes))
        run_in(inside("db"), lambda: send_udp("172.30.2.1", 2))
        packets += read_until(running, lambda: running.statistics()[1].received == 2)
        running.stop()
        packets += read_all(running)
        return result(running, packets)


def namespace_ends() -> dict[str, Any]:
    """A namespace nobody else holds is let go of, so that its veth can vanish from the host; then nothing is left."""
    ip("netns", "add", "brief")
    ip("link", "add", "veth-brief", "type", "veth", "peer", "name", "eth0", "netns", "brief")
    ip("link", "set", "veth-brief", "up")
    ip("-n", "brief", "link", "set", "eth0", "up")
    with capture("brief:eth0") as running:
        ip("netns", "del", "brief")
        read_all(running)
        deadline = time.monotonic() + PATIENCE
        while Path("/sys/class/net/veth-brief").exists() or "veth-brief" in {n for _, n in socket.if_nameindex()}:
            if time.monotonic() > deadline:
                raise RuntimeError("the veth is still there")
            time.sleep(0.05)
        return result(running, [])


def down() -> dict[str, Any]:
    """An interface goes down and comes up again."""
    with capture("veth-web", filter="udp port 9") as running:
        ip("link", "set", "veth-web", "down")
        read_until(running, lambda: running.statistics()[0].state == "down")
        ip("link", "set", "veth-web", "up")
        read_until(running, lambda: running.statistics()[0].state == "open")
        packets: list[CapturedPacket] = []
        deadline = time.monotonic() + PATIENCE
        while not packets and time.monotonic() < deadline:  # the bridge port first has to forward again
            run_in(inside("web"), lambda: send_udp("172.30.1.1", 1))
            packets += running.poll(0.2)
        return result(running, packets[:1])


def tagged() -> dict[str, Any]:
    """A VLAN tag, which the kernel takes out of the frame, is back in it, and ``vlan`` finds it."""
    frame = bytes.fromhex("ffffffffffff 02420a000002 8100 0005 88b5") + b"x" * 46
    other = frame[:12] + frame[16:]

    def send() -> None:
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
            sock.bind(("eth0", 0))
            sock.send(other)
            sock.send(frame)

    with capture("veth-web", filter="vlan 5", duration=0.5) as running:
        run_in(inside("web"), send)
        packets = read_all(running)
        return result(running, packets, whole=[packet.data.hex() for packet in packets], sent=frame.hex())


def own_ssh() -> dict[str, Any]:
    """The connection that SSH_CONNECTION names is left out; a like one is not."""

    def talk(port: int) -> None:
        with socket.create_connection(("172.30.1.2", 80), 5, source_address=("172.30.1.1", port)) as sock:
            sock.sendall(b"GET /hostname HTTP/1.0\r\n\r\n")
            while sock.recv(4096):
                pass

    os.environ["SSH_CONNECTION"] = "172.30.1.1 45001 172.30.1.2 80"
    ports: list[list[int]] = []
    for wanted in (False, True):
        with capture("br-front", filter="tcp", own_ssh=wanted) as running:
            talk(45001)
            talk(45002)
            running.stop()
            seen = [summarise(packet, "") for packet in read_all(running)]
            ports.append(sorted({port for item in seen for port in (item.sport, item.dport) if port}))
        os.environ["SSH_CONNECTION"] = "172.30.1.1 45001 172.30.1.2 80"
    return {"without": ports[0], "with": ports[1]}


def loopback() -> dict[str, Any]:
    with capture("host:lo", filter="udp port 9", duration=0.3) as running:
        send_udp("127.0.0.1", 3)
        return result(running, read_all(running))


def leaks() -> dict[str, Any]:
    """File descriptors before and after captures that ended, were closed early, or could not be opened."""

    def fds() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    view = View(take_snapshot())
    good = resolve_all(view, ["web", "br-front"])
    gone = msgspec.structs.replace(good[1], ifindex=9999)
    before = fds()
    errors = []
    for points in (good, (good[0], gone)):
        for early in (True, False):
            try:
                with Capture(view, points, CaptureOptions(duration=0.05)) as running:
                    if not early:
                        read_all(running)
            except Exception as error:  # noqa: BLE001  what it is, is the test's business
                errors.append(f"{type(error).__name__}: {error}")
    return {"before": before, "after": fds(), "errors": errors, "threads": threading.active_count()}


_EVERY = (
    *(send, burst, span, overrun, count, duration, vanish),
    *(namespace_ends, down, tagged, own_ssh, loopback, leaks),
)
SCENARIOS: dict[str, Callable[[], dict[str, Any]]] = {function.__name__: function for function in _EVERY}

if __name__ == "__main__":
    json.dump(SCENARIOS[sys.argv[1]](), sys.stdout)
