"""How fast the thinking is: traces, the matrix and the doctor over made-up hosts of growing size.

The peer of each figure is decoding the same snapshot from JSON in the same
run: the least that anything which reads a saved snapshot must do.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import synthetic

from dnet_tui.diagnostics.checks.run_checks import run_checks
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.trace.endpoints import find
from dnet_tui.diagnostics.trace.matrix import matrix
from dnet_tui.diagnostics.trace.trace import trace
from dnet_tui.inspect.archive.snapshot_file import decode, encode, save
from dnet_tui.inspect.model import Snapshot

SMALL, LARGE = (50, 5), (1000, 20)
_TRACES = 100


def median_ms(job: Callable[[], object], runs: int) -> float:
    """The median wall time of ``runs`` runs, in milliseconds."""
    times = []
    for _ in range(runs):
        begin = time.perf_counter()
        job()
        times.append((time.perf_counter() - begin) * 1000)
    return statistics.median(times)


def line(name: str, took: float, peer: float, more: str = "") -> None:
    """Print one figure beside its peer's."""
    print(f"{name:<52} {took:9.2f} ms  {took / peer:7.2f} times decoding the snapshot  {more}")


def traces(name: str, snapshot: Snapshot, peer: float) -> None:
    """One trace with its answer, on a case that is made once."""
    case = HostContext(snapshot)
    source, target = find(case, "c0"), find(case, "outside")
    trace(case, source, target)  # the first one indexes the rules
    begin = time.process_time()
    for _ in range(_TRACES):
        trace(case, source, target)
    took = (time.process_time() - begin) * 1000 / _TRACES
    line(f"{name} (CPU)", took, peer, f"{1000 / took:.0f} traces a second")


def matrices(containers: int, snapshot: Snapshot, peer: float) -> None:
    """The matrix of all pairs, with the time of this process alone."""
    begin = time.process_time()
    found = matrix(HostContext(snapshot))
    took = (time.process_time() - begin) * 1000
    line(f"matrix of {containers} containers (CPU)", took, peer, f"{len(found.cells)} pairs")


def doctor_process(snapshot: Snapshot, runs: int) -> float:
    """``dnet-tui doctor --snapshot``, from process start to its end, whatever it finds."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "host.json"
        save(snapshot, path)
        argv = [sys.executable, "-m", "dnet_tui.tui.main", "doctor", "--snapshot", str(path)]
        return median_ms(lambda: subprocess.run(argv, stdout=subprocess.DEVNULL, check=False), runs)


def main() -> None:
    """Measure everything and print a table."""
    for containers, bridges, filler, runs in ((*SMALL, 250, 5), (*LARGE, 19000, 1)):
        snapshot = synthetic.host(containers, bridges, filler)
        data = encode(snapshot)
        peer = median_ms(lambda data=data: decode(data), 5)
        host = snapshot.namespaces[0].firewall
        rules = sum(len(chain.rules) for table in (host.tables if host else ()) for chain in table.chains)
        print(f"{containers} containers on {bridges} bridges, {rules} rules; decoding the snapshot {peer:.1f} ms")
        traces(f"  trace through {rules} rules", snapshot, peer)
        line("  doctor", median_ms(lambda snapshot=snapshot: run_checks(snapshot), runs), peer)
        line("  doctor, from process start", doctor_process(snapshot, runs), peer)
    for containers in (100, 300):
        plain = synthetic.host(containers, 5)
        data = encode(plain)
        peer = median_ms(lambda data=data: decode(data), 5)
        traces(f"trace on {containers} containers, Docker's rules only", plain, peer)
        matrices(containers, plain, peer)


if __name__ == "__main__":
    main()
