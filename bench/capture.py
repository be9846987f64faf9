"""How capturing keeps up with a flood, measured beside tcpdump.

``python bench/capture.py [--seconds S] [--rate N] [--json]`` builds a
disposable host, floods one veth with small UDP packets and lets tcpdump and
``dnet-tui capture`` each write them to ``/dev/null`` in turn, twice, with
rings of the same size, and once more packets of many sizes; then lets ``dnet-tui`` print them as text and as JSON,
and join them at three points (at a rate of their own).  What counts is the
share of the packets that each got, the processor time for a packet from the
moment it listens, and the ratios to tcpdump: machines differ, the ratios
less so.  Needs what the demo needs, and tcpdump.
"""

from __future__ import annotations

import argparse
import json
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TypedDict

from dnet_tui.actions.demo.host import start_demo
from dnet_tui.actions.demo.requirements import require
from dnet_tui.actions.demo.sandbox import module_argv
from dnet_tui.inspect.capture.ring import RING_BYTES
from dnet_tui.inspect.kernel.netns import NsHandle, run_in

POINT, FILTER = "veth-web", "udp port 9"
NOBODY = "172.30.1.77"
"""An address on web's network that nobody has: its packets are flooded, and nobody answers."""

TCPDUMP = ["tcpdump", "-i", POINT, "-n", "-w", "/dev/null", "-B", str(RING_BYTES >> 10), FILTER]
OURS = [
    *module_argv("dnet_tui.tui.main", "capture", POINT, "--filter", FILTER, "--write", "/dev/null", site=True),
]
MODES = {
    "pcap": [
        *module_argv("dnet_tui.tui.main", "capture", POINT, "--filter", FILTER, "--force", site=True),
        *("--write", "/run/null.pcap"),
    ],
    "write": OURS,
    "text": [*module_argv("dnet_tui.tui.main", "capture", POINT, "--filter", FILTER, site=True)],
    "json": [*module_argv("dnet_tui.tui.main", "capture", POINT, "--filter", FILTER, "--format", "json", site=True)],
    "joined": [
        *module_argv("dnet_tui.tui.main", "capture", "web:eth0", POINT, "br-front", "--filter", FILTER, site=True)
    ],
}
"""What dnet-tui does with the packets."""

JOINED_RATE = 20_000
"""Packets per second at each of three points."""

READY = {"tcpdump": "listening on", "dnet-tui": "listening on"}
COUNTS = {
    "tcpdump": (r"(\d+) packets captured", r"(\d+) packets dropped by kernel"),
    "dnet-tui": (rf"{POINT}: (\d+) packets", r"(\d+) dropped by the kernel"),
}


class Phase(TypedDict):
    """One capturer under one flood."""

    tool: str
    sent: int
    seconds: float
    captured: int
    dropped: int
    share: float
    microseconds: float
    """Processor time for each packet that was captured."""


ALIKE = (b"flood",)
MIXED = tuple(bytes(size) for size in (5, 1400, 48, 5, 600, 5, 1400, 1400, 120, 31))


def flood(seconds: float, rate: float, payloads: tuple[bytes, ...] = ALIKE) -> int:
    """Send at a rate, or as fast as one thread can (0); the number of packets sent."""
    burst = payloads * (64 // len(payloads))
    sent, began = 0, time.monotonic()
    end = began + seconds
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect((NOBODY, 9))
        while time.monotonic() < end:
            for payload in burst:
                sock.send(payload)
            sent += len(burst)
            ahead = began + sent / rate - time.monotonic() if rate else 0.0
            if ahead > 0:
                time.sleep(ahead)
    return sent


def processor_time(pid: int) -> float:
    """Seconds that a process was run, by the scheduler's own account: clock ticks miss what wakes up shortly."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def phase(tool: str, argv: list[str], seconds: float, rate: float = 0.0, payloads: tuple[bytes, ...] = ALIKE) -> Phase:
    """Let one tool capture one flood."""
    path = "/run/netns/web"
    web = NsHandle(inode=Path(path).stat().st_ino, path=path)
    with subprocess.Popen(argv, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        if process.stderr is None:
            raise RuntimeError(tool)
        while "listening on" not in (line := process.stderr.readline()):
            if not line:
                raise RuntimeError(f"{tool} did not start")
        began = time.monotonic()
        used = processor_time(process.pid)
        sent = run_in(web, lambda: flood(seconds, rate, payloads))
        took = time.monotonic() - began
        time.sleep(0.5)
        used = processor_time(process.pid) - used
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
    captured, dropped = (
        int(found[1]) if (found := re.search(p, said)) else -1
        for p in COUNTS["tcpdump" if "tcpdump" in tool else "dnet-tui"]
    )
    share = captured / sent
    cost = used / max(captured, 1) * 1e6
    return Phase(tool=tool, sent=sent, seconds=took, captured=captured, dropped=dropped, share=share, microseconds=cost)


def measure(seconds: float, rate: float) -> list[Phase]:
    """Run inside the disposable host: each tool in turn, twice."""
    neighbour = ["lladdr", "02:00:00:00:00:77", "dev", "eth0"]
    subprocess.run(["ip", "-n", "web", "neigh", "replace", NOBODY, *neighbour], check=True)
    tools = {"tcpdump": TCPDUMP, "dnet-tui": OURS}
    phases = [phase(tool, argv, seconds, rate) for _ in range(2) for tool, argv in tools.items()]
    phases += [phase(f"{tool} mixed", argv, seconds, rate, MIXED) for tool, argv in tools.items()]
    Path("/run/null.pcap").symlink_to("/dev/null")
    phases.append(phase("pcap", MODES["pcap"], seconds, rate))
    phases += [phase(mode, MODES[mode], seconds, rate) for mode in ("text", "json")]
    return [*phases, phase("joined", MODES["joined"], seconds, JOINED_RATE)]


def report(phases: list[Phase]) -> dict[str, object]:
    """The shares over all rounds and their ratio."""
    shares = {
        tool: sum(p["captured"] for p in phases if p["tool"] == tool)
        / sum(p["sent"] for p in phases if p["tool"] == tool)
        for tool in READY
    }
    ratio = shares["dnet-tui"] / shares["tcpdump"] if shares["tcpdump"] else None
    costs = {tool: min(p["microseconds"] for p in phases if p["tool"] == tool) for tool in READY}
    costs["pcap"] = next(p["microseconds"] for p in phases if p["tool"] == "pcap")
    pcap_ratio = costs["pcap"] / costs["tcpdump"] if costs["tcpdump"] else None
    mixed = {p["tool"]: p["microseconds"] for p in phases}
    mixed_ratio = mixed["dnet-tui mixed"] / mixed["tcpdump mixed"] if mixed["tcpdump mixed"] else None
    cost_ratio = costs["dnet-tui"] / costs["tcpdump"] if costs["tcpdump"] else None
    return {
        "benchmark": "capture",
        "shares": shares,
        "ratio": ratio,
        "cost_ratio": cost_ratio,
        "mixed_cost_ratio": mixed_ratio,
        "pcap_cost_ratio": pcap_ratio,
        "phases": phases,
    }


def main() -> int:
    """Measure and print; returns 0."""
    parser = argparse.ArgumentParser(description="Compare dnet-tui capture with tcpdump under a flood.")
    parser.add_argument("--seconds", type=float, default=1.0, help="length of each flood (default: 1)")
    parser.add_argument("--rate", type=float, default=0.0, help="packets per second (default: as many as can be)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        print(json.dumps(report(measure(options.seconds, options.rate))))
        return 0
    require("tcpdump")
    with start_demo() as place:
        argv = [sys.executable, "-P", str(Path(__file__).resolve()), "--inside"]
        argv += ["--seconds", str(options.seconds), "--rate", str(options.rate)]
        text = place.run(argv, timeout=60 + 12 * options.seconds, check=True).stdout.decode()
    if options.json:
        print(text, end="")
        return 0
    result = json.loads(text)
    for item in result["phases"]:
        rate = item["sent"] / item["seconds"]
        line = f"{item['tool']:<14} {rate:>9,.0f} packets/s  captured {item['share']:7.2%}  dropped {item['dropped']:,}"
        print(f"{line}  {item['microseconds']:.2f} µs each")
    print(f"ratio     {result['ratio']:.3f}  (dnet-tui to tcpdump, share captured)")
    print(f"cost      {result['cost_ratio']:.1f}  (dnet-tui to tcpdump, processor time for a packet)")
    print(f"mixed     {result['mixed_cost_ratio']:.1f}  (the same, of packets of many sizes)")
    print(f"pcap cost {result['pcap_cost_ratio']:.1f}  (the same, written as FILE.pcap)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
