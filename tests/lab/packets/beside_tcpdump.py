"""Captures Docker's traffic beside ``tcpdump -w``: ``beside_tcpdump.py COUNT``, run inside a Docker host.

tcpdump stands at every point before the capture begins and until after it has
ended; what is compared is marked traffic (masqueraded UDP, TCP and ICMP) that
flows while both listen.  Prints what each point saw as JSON.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dnet_tui.actions.demo.sandbox import module_argv
from dnet_tui.inspect.capture.files.capture_reader import CaptureReader
from dnet_tui.inspect.capture.packet import CapturedPacket

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from lab.packets.correlation_judge import PORT, TRAFFIC, echoing, inside, veth_of

OUTSIDE = "198.51.100.10"
FILTER = f"host {OUTSIDE} and (icmp or port {PORT})"
PATIENCE = 60.0


@contextmanager
def listening(command: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    """A program that captures, from when it says that it listens; interrupted in the end, and then it is waited for."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        while "listening on" not in (line := process.stderr.readline()):
            if not line:
                raise RuntimeError(" ".join(command))
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=PATIENCE)


def tcpdump(interface: str, path: Path) -> list[str]:
    options = ["-n", "-U", "--immediate-mode", "--time-stamp-precision=nano", "-Z", "root", "-B", "8192"]
    return ["tcpdump", "-i", interface, *options, "-w", str(path), FILTER]


def packets(path: Path) -> list[CapturedPacket]:
    reader = CaptureReader(str(path), [])
    found = list(reader.packets())
    reader.close()
    return found


def send(count: int) -> None:
    for proto, first in (("udp", 1), ("tcp", 1_000_001), ("icmp", 2_000_001)):
        numbers = map(str, (PORT, count, first, 40))
        subprocess.run([*inside("web"), sys.executable, TRAFFIC, "send", proto, OUTSIDE, *numbers], check=True)


def main(count: int) -> list[dict[str, Any]]:
    """Capture with both, and compare point by point."""
    points = ("web:eth0", veth_of("web"), "docker0", "eth0")
    with TemporaryDirectory() as folder, ExitStack() as stack:
        stack.enter_context(echoing("outside", OUTSIDE))
        dumps = [Path(folder) / f"{number}.pcap" for number in range(len(points))]
        ours = Path(folder) / "ours.pcapng"
        with ExitStack() as dumping:
            for point, path in zip(points, dumps, strict=True):
                container, _, interface = point.rpartition(":")
                where = inside(container) if container else []
                dumping.enter_context(listening([*where, *tcpdump(interface, path)]))
            command = module_argv("dnet_tui.tui.main", "capture", *points, site=True)
            with listening([*command, "--filter", FILTER, "--write", str(ours)]):
                send(count)
            deadline = time.monotonic() + PATIENCE
            wanted = [sum(item.point == number for item in packets(ours)) for number in range(len(points))]
            while time.monotonic() < deadline and [len(packets(path)) for path in dumps] < wanted:
                time.sleep(0.1)  # tcpdump writes its packets some time after us
        written = packets(ours)
        return [
            compared(point, [item for item in written if item.point == number], packets(path))
            for number, (point, path) in enumerate(zip(points, dumps, strict=True))
        ]


def compared(point: str, ours: list[CapturedPacket], theirs: list[CapturedPacket]) -> dict[str, Any]:
    same = [(item.data, item.length) for item in ours] == [(item.data, item.length) for item in theirs]
    apart = max((abs(a.time_ns - b.time_ns) for a, b in zip(ours, theirs, strict=False)), default=0)
    return {"point": point, "ours": len(ours), "theirs": len(theirs), "same": same, "apart_ns": apart}


if __name__ == "__main__":
    json.dump(main(int(sys.argv[1])), sys.stdout)
