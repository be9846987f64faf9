"""How long ``dnet-tui doctor`` takes on a live host, from process start to its last line.

``script/bench doctor`` builds private hosts of two sizes (50 containers and
500 rules, 1,000 and 20,000), with an uplink and with networks whose intention
is known, and runs the doctor on them as an operator would: it reads the host,
works out which traffic should pass, walks it and writes the report.

The peer is what one would look at by hand in the same minute, without any
thinking: ``iptables-nft-save -c`` and ``ip -n NAME -j addr`` of each container.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

from snapshot import Figure, ip_loop, measure, quietly

from dnet_tui.actions.demo.requirements import require
from dnet_tui.actions.demo.sandbox import Sandbox
from dnet_tui.inspect.model.network_label import Intention, encode

HERE = Path(__file__).resolve().parent
SIZES = ((50, 5, 500, 0.5), (1000, 20, 20_000, 5.0))
"""Containers, bridges, rules, and the seconds that it should take at most."""


def complete(bridges: int) -> None:
    """Give the big host what a working one has beside containers: an uplink, ways out, intentions, forwarding."""
    names = [f"br{index:02d}" for index in range(bridges)]
    steps = [
        "ip netns add internet",
        "ip link add eth0 type veth peer name eth0 netns internet",
        "ip address add 203.0.113.2/24 dev eth0",
        "ip link set eth0 up",
        "ip -n internet address add 203.0.113.1/24 dev eth0",
        "ip -n internet link set eth0 up",
        "ip route add default via 203.0.113.1",
        "sysctl -q -w net.ipv4.ip_forward=1",
    ]
    for step in steps:
        quietly(*step.split())
    for name in names:
        wish = Intention(name=name, masquerade=True, isolated=True, internal=False, icc=True)
        quietly("ip", "link", "set", "dev", name, "alias", encode(wish))
    accepts = [
        f"-I FORWARD 1 -i {name} -o {name} -j ACCEPT\n-I FORWARD 1 -i {name} -o eth0 -j ACCEPT" for name in names
    ]
    text = "\n".join(("*filter", *accepts, "COMMIT\n"))
    subprocess.run(["iptables-nft-restore", "--noflush"], input=text.encode(), check=True)


def inside(bridges: int, runs: int) -> dict[str, object]:
    """Measure on the host this runs in."""
    complete(bridges)
    names = sorted(path.name for path in Path("/run/netns").iterdir() if path.name != "internet")
    argv = [sys.executable, "-P", "-m", "dnet_tui.tui.main", "doctor", "--format", "json"]
    done = subprocess.run(argv, capture_output=True, check=False)
    report = json.loads(done.stdout)
    return {
        "verdict": report["summary"]["verdict"],
        "found": sorted({item["check"] for item in report["findings"]}),
        "doctor": measure(runs, lambda: subprocess.run(argv, capture_output=True, check=False)),
        "by hand": measure(1, lambda: (quietly("iptables-nft-save", "-c"), ip_loop(names))),
    }


def on_host(containers: int, bridges: int, rules: int, runs: int) -> dict[str, object]:
    """Build a host, measure, take it away."""
    with Sandbox.start("bench") as box:
        numbers = [str(number) for number in (containers, bridges, rules)]
        box.run([sys.executable, "-P", str(HERE / "big_host.py"), *numbers], timeout=300, check=True)
        time.sleep(5)  # the kernel is still busy with the links that came up
        argv = [sys.executable, "-P", str(Path(__file__).resolve()), "--inside", numbers[1], "--runs", str(runs)]
        environment = {**os.environ, "PYTHONPATH": str(HERE)}
        found: dict[str, object] = json.loads(box.run(argv, timeout=900, check=True, environment=environment).stdout)
        return found


def main() -> int:
    """Measure and print; returns 0."""
    parser = argparse.ArgumentParser(description="Measure a whole `dnet-tui doctor` on live hosts of two sizes.")
    parser.add_argument("--runs", type=int, default=3, help="runs of each measurement (default 3)")
    parser.add_argument("--inside", type=int, metavar="BRIDGES", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        print(json.dumps(inside(options.inside, options.runs)))
        return 0
    require("ip", "iptables-nft-save", "iptables-nft-restore")
    print(f"{os.cpu_count()} cores, Linux {platform.release()}, load {os.getloadavg()[0]:.2f}")
    for containers, bridges, rules, limit in SIZES:
        found = on_host(containers, bridges, rules, options.runs)
        took, peer = (figure(found, name) for name in ("doctor", "by hand"))
        print(
            f"{containers} containers, {bridges} bridges, {rules} rules: {took['seconds']:.2f} s (aim: {limit:.1f} s), "
            f"{took['seconds'] / peer['seconds']:.2f} times looking by hand; {found['verdict']} {found['found']}"
        )
    return 0


def figure(found: dict[str, object], name: str) -> Figure:
    """One figure of what was measured inside."""
    value = found[name]
    if not isinstance(value, dict):
        raise TypeError(name)
    return Figure(seconds=value["seconds"], cpu=value["cpu"])


if __name__ == "__main__":
    sys.exit(main())
