"""How long a command takes to start, beside a bare Python measured in the same minute.

Start-up is felt on every call over SSH.  Prints the median of several runs and
its ratio to ``python -c pass``.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CLI = (sys.executable, "-m", "dnet_tui.tui.main")

EMPTY_HOST = b'{"format": 1, "host": {"hostname": "bench", "kernel": "0"}}'


def subjects(snapshot: Path) -> dict[str, tuple[str, ...]]:
    """What is measured, by name."""
    return {
        "python -c pass": (sys.executable, "-c", "pass"),
        "dnet-tui --version": (*CLI, "--version"),
        "dnet-tui --help": (*CLI, "--help"),
        "dnet-tui checks": (*CLI, "checks"),
        "dnet-tui ls --snapshot": (*CLI, "ls", "--snapshot", str(snapshot)),
        "dnet-tui doctor --snapshot": (*CLI, "doctor", "--snapshot", str(snapshot)),
        "import textual": (sys.executable, "-c", "import textual.app"),
    }


def median_ms(argv: tuple[str, ...], runs: int) -> float:
    """The median wall time of ``runs`` runs, in milliseconds."""
    times = []
    for _ in range(runs):
        begin = time.perf_counter()
        subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False, env=os.environ)
        times.append((time.perf_counter() - begin) * 1000)
    return statistics.median(times)


def main() -> None:
    """Measure everything and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15, help="runs of each command (default 15)")
    runs: int = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder:
        snapshot = Path(folder) / "host.json"
        snapshot.write_bytes(EMPTY_HOST)
        bare = 0.0
        for name, argv in subjects(snapshot).items():
            took = median_ms(argv, runs)
            bare = bare or took
            print(f"{name:<28} {took:7.1f} ms  {took / bare:5.1f} times bare Python")


if __name__ == "__main__":
    main()
