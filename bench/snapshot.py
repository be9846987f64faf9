"""How fast a big host is seen, beside what else one would see it with.

``script/bench snapshot`` builds a private host with 1,000 containers'
namespaces on 20 bridges and 20,000 iptables rules, and measures in turn, in
the same minute: a whole snapshot, a refresh after one more container started
(without, and with a rule or a published port's three rules added for it), the
map of veths alone, and the reading of the rules.  The peers: a loop of
``ip -n NAME -j addr``; the articles' ``docker exec NAME ethtool -S eth0``;
``iptables-nft-save -c``; and python-iptables' ``easy.dump_table`` on the
legacy backend, if that can be installed (it needs a C compiler).

No machine here runs 1,000 containers of an engine, so the articles' way is
measured in two parts, each on 20 and scaled: ``nsenter … ethtool -S eth0`` on
the big host, and ``docker exec NAME ip link`` on the lab's Docker host, where
there is a dockerd: what an exec costs at least.

Every figure is a median.  Processor time is given too, for a machine that has
other things to do makes everything slower.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypedDict

from dnet_tui.actions.demo.requirements import require
from dnet_tui.actions.demo.sandbox import Sandbox

HERE = Path(__file__).resolve().parent
PEERS = HERE.parent / "build" / "bench-peers"
"""A virtual environment for python-iptables, which this program does without."""

EXEC_SAMPLE = 20
"""How many containers the slowest peer is tried on."""


class Figure(TypedDict):
    """A measurement: medians in seconds; ``cpu`` is processor time, also that of the processes that were started.

    None where another process, such as an engine, did the work.
    """

    seconds: float
    cpu: float | None


class Target(TypedDict):
    """What a figure is held against: it should be at most ``limit``, in the unit that is told."""

    what: str
    value: float
    limit: float
    unit: str


def cpu_seconds() -> float:
    """Processor time of this process and the ended ones it started."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def measure(runs: int, work: Callable[[], object]) -> Figure:
    """Run ``work`` several times."""
    walls, cpus = [], []
    for _ in range(runs):
        began, before = time.perf_counter(), cpu_seconds()
        work()
        walls.append(time.perf_counter() - began)
        cpus.append(cpu_seconds() - before)
    return Figure(seconds=statistics.median(walls), cpu=statistics.median(cpus))


def scaled(figure: Figure, factor: float) -> Figure:
    """The figure for ``factor`` times as much work."""
    return Figure(seconds=figure["seconds"] * factor, cpu=None if figure["cpu"] is None else figure["cpu"] * factor)


def quietly(*argv: str) -> None:
    """Run a command to its end."""
    subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)


SNAPSHOT = """
import json, resource, time
from dnet_tui.inspect.snapshot.take_snapshot import take_snapshot
began, before = time.perf_counter(), time.process_time()
snapshot = take_snapshot()
took, cpu = time.perf_counter() - began, time.process_time() - before
children = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([took, cpu + children.ru_utime + children.ru_stime,
    resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, len(snapshot.namespaces), len(snapshot.gaps),
    sum(len(chain.rules) for table in snapshot.namespaces[0].firewall.tables for chain in table.chains)]))
"""


def whole_snapshots(runs: int) -> tuple[Figure, float, list[int]]:
    """Take snapshots, each in a process of its own: the figure, the peak memory in MB, and what was seen."""
    found = [
        json.loads(subprocess.run([sys.executable, "-P", "-c", SNAPSHOT], capture_output=True, check=True).stdout)
        for _ in range(runs)
    ]
    walls, cpus, memory = ([item[index] for item in found] for index in range(3))
    figure = Figure(seconds=statistics.median(walls), cpu=statistics.median(cpus))
    return figure, max(memory), [int(number) for number in found[0][3:]]


@contextmanager
def another_container(index: int) -> Iterator[None]:
    """One more container on the first bridge."""
    name = f"extra{index}"
    quietly("ip", "netns", "add", name)
    quietly(*f"ip link add vextra{index} type veth peer name eth0 netns {name}".split())
    quietly(*f"ip link set vextra{index} master br00 up".split())
    quietly(*f"ip -n {name} link set eth0 up".split())
    quietly(*f"ip -n {name} addr add 10.0.250.{index + 2}/16 dev eth0".split())
    with subprocess.Popen(["nsenter", f"--net=/run/netns/{name}", "sleep", "infinity"]) as process:
        time.sleep(0.3)
        yield
        process.kill()
    quietly("ip", "netns", "del", name)


A_RULE = ("-t nat -A DOCKER -p tcp --dport {} -j RETURN",)
A_PORT = (
    "-t nat -A POSTROUTING -s 10.0.250.{0}/32 -d 10.0.250.{0}/32 -p tcp --dport 80 -j MASQUERADE",
    "-t nat -A DOCKER ! -i br00 -p tcp --dport {0} -j DNAT --to-destination 10.0.250.{0}:80",
    "-A DOCKER -d 10.0.250.{0}/32 ! -i br00 -o br00 -p tcp --dport 80 -j ACCEPT",
)
"""What Docker adds for a published port."""


def refreshes(runs: int, rules: tuple[str, ...] = ()) -> Figure:
    """Refresh after a container started, and after these rules were added for it."""
    from dnet_tui.inspect.snapshot.take_snapshot import Observer  # noqa: PLC0415 - only inside the private host

    observer = Observer()
    observer.take()
    figures = []
    for index in range(runs):
        with another_container(index):
            for rule in rules:
                quietly("iptables-nft", *rule.format(index + 1).split())
            figures.append(measure(1, observer.refresh))
            snapshot = observer.refresh()
            if f"extra{index}" not in {item.name for item in snapshot.containers}:
                raise RuntimeError("the new container was not seen")
    walls, cpus = [item["seconds"] for item in figures], [item["cpu"] or 0.0 for item in figures]
    return Figure(seconds=statistics.median(walls), cpu=statistics.median(cpus))


def ip_loop(names: list[str]) -> None:
    """What a script would do."""
    for name in names:
        quietly("ip", "-n", name, "-j", "addr")


def ethtool_loop(names: list[str]) -> None:
    """What the articles do, without the engine's own cost."""
    for name in names:
        quietly("nsenter", f"--net=/run/netns/{name}", "ethtool", "-S", "eth0")


def inside(runs: int) -> dict[str, object]:
    """Measure everything on the big host, from inside it."""
    from dnet_tui.inspect.iptables.save_text import parse_save_report  # noqa: PLC0415
    from dnet_tui.inspect.model.coverage.needs import MAP  # noqa: PLC0415 - only inside the private host
    from dnet_tui.inspect.ruleset.read_iptables import read_firewall  # noqa: PLC0415
    from dnet_tui.inspect.snapshot.take_snapshot import Options, take_snapshot  # noqa: PLC0415 - only inside the private host

    names = sorted(path.name for path in Path("/run/netns").iterdir())
    sample = names[:: max(1, len(names) // EXEC_SAMPLE)][:EXEC_SAMPLE]
    saved = subprocess.run(["iptables-nft-save", "-c"], capture_output=True, check=True).stdout.decode()
    whole, memory, seen = whole_snapshots(runs)
    return {
        "seen": seen,
        "memory": memory,
        "whole snapshot": whole,
        "refresh, one more container": refreshes(runs),
        "refresh, one more container and rule": refreshes(runs, A_RULE),
        "refresh, one more container and port": refreshes(runs, A_PORT),
        "map of veths": measure(runs, lambda: take_snapshot(Options(needs=MAP))),
        "ip -n NAME -j addr, each": measure(1, lambda: ip_loop(names)),
        "nsenter … ethtool -S, each": scaled(measure(1, lambda: ethtool_loop(sample)), len(names) / len(sample)),
        "iptables-nft-save -c": measure(runs, lambda: quietly("iptables-nft-save", "-c")),
        "parse its text": measure(runs, lambda: parse_save_report(saved, backend="iptables-nft", family="ip")),
        "read and check the rules": measure(runs, lambda: read_firewall("host")),
    }


IPTC = """
import json, resource, time
from iptc import easy
began, before = time.perf_counter(), time.process_time()
rules = sum(len(chain) for table in ("nat", "filter") for chain in easy.dump_table(table).values())
print(json.dumps([time.perf_counter() - began, time.process_time() - before, rules]))
"""


def inside_legacy(runs: int, python: str) -> dict[str, object]:
    """Measure the legacy backend, from inside a host that has the same rules there."""
    from dnet_tui.inspect.ruleset.read_iptables import read_firewall  # noqa: PLC0415 - only inside the private host

    found: dict[str, object] = {"read the rules (legacy)": measure(runs, lambda: read_firewall("host"))}
    if python:
        done = subprocess.run([python, "-c", IPTC], capture_output=True, check=True)
        wall, cpu, found["iptc rules"] = json.loads(done.stdout)
        found["python-iptables easy.dump_table"] = Figure(seconds=wall, cpu=cpu)
    return found


def docker_exec(containers: int) -> tuple[Figure | None, str]:
    """What an exec by Docker costs for every container, measured on a lab's Docker host; or why it wasn't."""
    sys.path.insert(0, str(HERE.parent / "tests"))
    from lab.machines.docker_host import DockerHost  # noqa: PLC0415 - importable only now
    from lab.machines.requirements import DOCKER_PROGRAMS  # noqa: PLC0415

    if os.geteuid() != 0 or any(shutil.which(program) is None for program in DOCKER_PROGRAMS):
        return None, f"it needs root and {', '.join(DOCKER_PROGRAMS)}"
    with DockerHost.start() as host:
        name = next(iter(host.pids))
        began = time.perf_counter()
        loop = (
            f"i=0; while [ $i -lt {EXEC_SAMPLE} ]; do docker exec {name} ip link >/dev/null || exit 1; i=$((i+1)); done"
        )
        host.run("sh", "-c", loop, timeout=120)
        took = time.perf_counter() - began
    return scaled(Figure(seconds=took, cpu=None), containers / EXEC_SAMPLE), ""


def python_iptables() -> tuple[str, str]:
    """An interpreter that has python-iptables, in an environment of its own; or why there is none."""
    python = PEERS / "bin" / "python"
    if not python.exists():
        if shutil.which("gcc") is None:
            return "", "it needs gcc to be installed"
        quietly(sys.executable, "-m", "venv", str(PEERS))
    if subprocess.run([python, "-c", "import iptc"], capture_output=True, check=False).returncode:
        wanted = ["--quiet", "setuptools<81", "python-iptables"]
        done = subprocess.run([str(python), "-m", "pip", "install", *wanted], capture_output=True, check=False)
        if done.returncode:
            shutil.rmtree(PEERS, ignore_errors=True)
            return "", "it could not be installed"
    return str(python), ""


def run_inside(box: Sandbox, *arguments: str) -> dict[str, object]:
    """Run this file inside a private host."""
    argv = [sys.executable, "-P", str(Path(__file__).resolve()), *arguments]
    done = box.run(argv, timeout=900, check=True)
    found: dict[str, object] = json.loads(done.stdout)
    return found


def on_big_host(containers: int, bridges: int, rules: int, runs: int) -> dict[str, object]:
    """Build the big host, measure, take it away."""
    with Sandbox.start("bench") as box:
        numbers = [str(number) for number in (containers, bridges, rules)]
        box.run([sys.executable, "-P", str(HERE / "big_host.py"), *numbers], timeout=300, check=True)
        time.sleep(5)  # the kernel is still busy with a thousand links that came up
        return run_inside(box, "--inside", "--runs", str(runs))


def on_legacy_host(containers: int, bridges: int, rules: int, runs: int, python: str) -> dict[str, object]:
    """The same rules, loaded by iptables-legacy, and nothing else."""
    code = f"import big_host; print(big_host.rules({containers}, {bridges}, {rules}))"
    text = subprocess.run([sys.executable, "-c", code], cwd=HERE, capture_output=True, check=True).stdout
    with Sandbox.start("bench") as box:
        box.run(["iptables-legacy-restore"], stdin=text, timeout=120, check=True)
        return run_inside(box, "--inside-legacy", python, "--runs", str(runs))


def seconds(found: dict[str, object], name: str) -> float:
    """One figure's seconds; not a number when it was not measured."""
    figure = found.get(name)
    return float(figure["seconds"]) if isinstance(figure, dict) else float("nan")


def targets(found: dict[str, object]) -> list[Target]:
    """What the figures come to, and what they should."""

    def ratio(what: str, faster: str, slower: str, least: float) -> Target:
        return Target(what=what, value=seconds(found, slower) / seconds(found, faster), limit=least, unit="≥ times")

    memory = found["memory"]
    return [
        Target(what="whole snapshot", value=seconds(found, "whole snapshot"), limit=2.5, unit="≤ s"),
        Target(what="its memory", value=float(str(memory)), limit=150, unit="≤ MB"),
        Target(
            what="refresh after a start", value=seconds(found, "refresh, one more container"), limit=0.15, unit="≤ s"
        ),
        Target(
            what="refresh after a start with a rule",
            value=seconds(found, "refresh, one more container and rule"),
            limit=0.15,
            unit="≤ s",
        ),
        ratio("map beside ip -n … -j addr", "map of veths", "ip -n NAME -j addr, each", 10),
        ratio("map beside docker exec", "map of veths", "docker exec NAME ip link, each", 100),
        Target(
            what="parsing beside iptables-nft-save",
            value=seconds(found, "parse its text") / seconds(found, "iptables-nft-save -c"),
            limit=1.5,
            unit="≤ times",
        ),
        ratio("legacy beside python-iptables", "read the rules (legacy)", "python-iptables easy.dump_table", 8),
    ]


def main() -> int:
    """Measure and print; returns 0."""
    parser = argparse.ArgumentParser(description="Measure how fast a big host is seen, beside its peers.")
    parser.add_argument("--containers", type=int, default=1000)
    parser.add_argument("--bridges", type=int, default=20)
    parser.add_argument("--rules", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=5, help="runs of each measurement (default 5)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--inside-legacy", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        print(json.dumps(inside(options.runs)))
        return 0
    if options.inside_legacy is not None:
        print(json.dumps(inside_legacy(options.runs, options.inside_legacy)))
        return 0
    require("ip", "ethtool", "iptables-nft-save", "iptables-nft-restore")
    size = (options.containers, options.bridges, options.rules, options.runs)
    python, why = python_iptables()
    before = os.getloadavg()[0]
    found = on_big_host(*size) | on_legacy_host(*size, python)
    executed, why_not = docker_exec(options.containers)
    if executed is not None:
        found["docker exec NAME ip link, each"] = executed
    found |= {"load": [before, os.getloadavg()[0]], "machine": f"{os.cpu_count()} cores, Linux {platform.release()}"}
    left_out = {"python-iptables": why, "docker exec": why_not}
    report(found, {name: reason for name, reason in left_out.items() if reason}, as_json=options.json)
    return 0


def report(found: dict[str, object], left_out: dict[str, str], *, as_json: bool) -> None:
    """Print the figures and what they come to."""
    aims = targets(found)
    if as_json:
        print(json.dumps({"benchmark": "snapshot", **found, "targets": aims}))
        return
    print(f"{found['machine']}; load {found['load']}; seen (namespaces, gaps, rules): {found['seen']}\n")
    for name, figure in found.items():
        if isinstance(figure, dict):
            spent = "" if figure["cpu"] is None else f"{figure['cpu'] * 1000:9.1f} ms of processor time"
            print(f"{name:<40} {figure['seconds'] * 1000:9.1f} ms  {spent}".rstrip())
    print()
    for aim in aims:
        met = aim["value"] <= aim["limit"] if aim["unit"].startswith("≤") else aim["value"] >= aim["limit"]
        verdict = "as asked" if met else "not measured" if math.isnan(aim["value"]) else "NOT as asked"
        print(f"{aim['what']:<40} {aim['value']:9.2f}  asked: {aim['unit']} {aim['limit']:g}  {verdict}")
    for name, reason in left_out.items():
        print(f"\n{name} was left out: {reason}")


if __name__ == "__main__":
    raise SystemExit(main())
