"""How capturing keeps up with a flood, measured beside tcpdump.

``python bench/capture.py [--seconds S] [--json]`` builds a disposable host,
floods one veth with small UDP packets and lets tcpdump and ``dnet-tui
capture`` each write them to ``/dev/null`` in turn, twice, with rings of the
same size.  What counts is the share of the packets that each got, and the
ratio of the two: machines differ, the ratio less so.  Needs what the demo
needs, and tcpdump.
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


def flood(seconds: float) -> int:
    """Send as fast as one thread can; the number of packets sent."""
    sent, end = 0, time.monotonic() + seconds
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect((NOBODY, 9))
        while time.monotonic() < end:
            for _ in range(256):
                sock.send(b"flood")
            sent += 256
    return sent


def phase(tool: str, argv: list[str], seconds: float) -> Phase:
    """Let one tool capture one flood."""
    path = "/run/netns/web"
    web = NsHandle(inode=Path(path).stat().st_ino, path=path)
    with subprocess.Popen(argv, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        if process.stderr is None:
            raise RuntimeError(tool)
        while READY[tool] not in (line := process.stderr.readline()):
            if not line:
                raise RuntimeError(f"{tool} did not start")
        began = time.monotonic()
        sent = run_in(web, lambda: flood(seconds))
        took = time.monotonic() - began
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
    captured, dropped = (int(found[1]) if (found := re.search(p, said)) else -1 for p in COUNTS[tool])
    share = captured / sent
    return Phase(tool=tool, sent=sent, seconds=took, captured=captured, dropped=dropped, share=share)


def measure(seconds: float) -> list[Phase]:
    """Run inside the disposable host: each tool in turn, twice."""
    neighbour = ["lladdr", "02:00:00:00:00:77", "dev", "eth0"]
    subprocess.run(["ip", "-n", "web", "neigh", "replace", NOBODY, *neighbour], check=True)
    tools = {"tcpdump": TCPDUMP, "dnet-tui": OURS}
    return [phase(tool, argv, seconds) for _ in range(2) for tool, argv in tools.items()]


def report(phases: list[Phase]) -> dict[str, object]:
    """The shares over all rounds and their ratio."""
    shares = {
        tool: sum(p["captured"] for p in phases if p["tool"] == tool)
        / sum(p["sent"] for p in phases if p["tool"] == tool)
        for tool in READY
    }
    ratio = shares["dnet-tui"] / shares["tcpdump"] if shares["tcpdump"] else None
    return {"benchmark": "capture", "shares": shares, "ratio": ratio, "phases": phases}


def main() -> int:
    """Measure and print; returns 0."""
    parser = argparse.ArgumentParser(description="Compare dnet-tui capture with tcpdump under a flood.")
    parser.add_argument("--seconds", type=float, default=1.0, help="length of each of the four floods (default: 1)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        print(json.dumps(report(measure(options.seconds))))
        return 0
    require("tcpdump")
    with start_demo() as place:
        argv = [sys.executable, "-P", str(Path(__file__).resolve()), "--inside", "--seconds", str(options.seconds)]
        text = place.run(argv, timeout=30 + 8 * options.seconds, check=True).stdout.decode()
    if options.json:
        print(text, end="")
        return 0
    result = json.loads(text)
    for item in result["phases"]:
        rate = item["sent"] / item["seconds"]
        print(f"{item['tool']:<9} {rate:>9,.0f} packets/s  captured {item['share']:7.2%}  dropped {item['dropped']:,}")
    print(f"ratio     {result['ratio']:.3f}  (dnet-tui to tcpdump, share captured)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
