"""How long ``dnet-tui ls`` takes on a big host, beside the loop one would write instead.

``script/bench listing`` builds a private host with 300 containers' namespaces
on 6 bridges and 20,000 iptables rules, and measures in turn, in the same
minute: ``dnet-tui --version``; ``ls veths --snapshot`` of a saved host with
nothing on it, with all imported that reading this host takes (what starting
costs: the interpreter, the imports, the options); ``ls veths`` and the other
lists; and the peer, a loop of ``ip -n NAME -j addr``.  A list's own time is
what it takes beyond the start.

Bytecode is kept in a folder of its own, as an installation has it, also where
the environment forbids Python to write any.  Every figure is a median, with
processor time beside it: on a machine that has other things to do the wall
clock says more about those.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from snapshot import Figure, ip_loop, measure
from start_up import EMPTY_HOST

from dnet_tui.actions.demo.requirements import require
from dnet_tui.actions.demo.sandbox import Sandbox

HERE = Path(__file__).resolve().parent
CLI = (sys.executable, "-P", "-m", "dnet_tui.tui.main")
START = "import dnet_tui.inspect.snapshot.take_snapshot, dnet_tui.tui.main as main; main.main()"
LISTS = ("veths", "bridges", "networks", "containers", "ports")
AIM = 10.0
"""How many times as fast as the loop ``ls veths`` should be."""


def quiet(*argv: str) -> None:
    """Run a command to its end, whatever it ends with."""
    subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


def inside(runs: int) -> dict[str, Figure]:
    """Measure everything on the big host, from inside it.  In turns, so that all see the same weather."""
    names = sorted(path.name for path in Path("/run/netns").iterdir())
    empty = Path("/run/empty.json")
    empty.write_bytes(EMPTY_HOST)
    commands = {
        "version": (*CLI, "--version"),
        "start": (sys.executable, "-P", "-c", START, "ls", "veths", "--snapshot", str(empty)),
        **{what: (*CLI, "ls", what) for what in LISTS},
    }
    found: dict[str, list[Figure]] = {name: [] for name in (*commands, "loop")}
    for argv in commands.values():
        quiet(*argv)  # so that bytecode is there
    for _ in range(runs):
        for name, argv in commands.items():
            found[name].append(measure(1, lambda argv=argv: quiet(*argv)))  # type: ignore[misc]
        found["loop"].append(measure(1, lambda: ip_loop(names)))
    return {
        name: Figure(
            seconds=statistics.median(item["seconds"] for item in items),
            cpu=statistics.median(item["cpu"] or 0.0 for item in items),
        )
        for name, items in found.items()
    }


def main() -> int:
    """Measure and print; returns 0."""
    parser = argparse.ArgumentParser(description="Measure `dnet-tui ls` on a host with 300 containers, 20,000 rules.")
    parser.add_argument("--containers", type=int, default=300)
    parser.add_argument("--bridges", type=int, default=6)
    parser.add_argument("--rules", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=7, help="runs of each measurement (default 7)")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        print(json.dumps(inside(options.runs)))
        return 0
    require("ip", "iptables-nft-restore")
    with tempfile.TemporaryDirectory() as bytecode, Sandbox.start("bench") as box:
        numbers = [str(number) for number in (options.containers, options.bridges, options.rules)]
        box.run([sys.executable, "-P", str(HERE / "big_host.py"), *numbers], timeout=600, check=True)
        argv = [sys.executable, "-P", str(Path(__file__).resolve()), "--inside", "--runs", str(options.runs)]
        environment = {
            "PYTHONPATH": os.pathsep.join((str(HERE), str(HERE.parent / "src"))),
            "PYTHONPYCACHEPREFIX": bytecode,
            "PYTHONDONTWRITEBYTECODE": "",
        }
        found = json.loads(box.run(argv, timeout=3000, check=True, environment=environment).stdout)
    print(f"{os.cpu_count()} cores, Linux {platform.release()}, load {os.getloadavg()[0]:.2f}")
    print(f"{options.containers} containers, {options.bridges} bridges, {options.rules} rules; wall (processor) time")
    report(found)
    return 0


def report(found: dict[str, Figure]) -> None:
    """Print each list's own time, and how many times as fast as the loop it is."""
    start, loop = found["start"], found["loop"]
    for name in ("version", "start", "loop"):
        print(f"  {name:<11} {found[name]['seconds'] * 1000:7.0f} ms ({(found[name]['cpu'] or 0) * 1000:.0f} ms)")
    for name in LISTS:
        own = Figure(
            seconds=max(found[name]["seconds"] - start["seconds"], 1e-4),
            cpu=max((found[name]["cpu"] or 0) - (start["cpu"] or 0), 1e-4),
        )
        wall, cpu = loop["seconds"] / own["seconds"], (loop["cpu"] or 0) / (own["cpu"] or 1)
        aim = f"  (aim: {AIM:.0f})" if name == "veths" else ""
        times = f"{own['seconds'] * 1000:7.0f} ms ({(own['cpu'] or 0) * 1000:.0f} ms) beyond the start"
        print(f"  ls {name:<10} {times}: {wall:.1f} ({cpu:.1f}) times as fast as the loop{aim}")
    beyond = max(found["veths"]["seconds"] - found["version"]["seconds"], 1e-4)
    print(f"  ls veths beyond --version: {beyond * 1000:.0f} ms, {loop['seconds'] / beyond:.1f} times as fast")


if __name__ == "__main__":
    sys.exit(main())
