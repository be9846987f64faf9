"""What it costs to list processes by our own reader of /proc and by psutil, and what single questions cost.

``script/bench processes`` starts a number of sleeping processes and measures,
in turn: every process with its parent, start time, name, network namespace
and cgroup (our reader, which a snapshot needs), the parent, start time and
name alone by ``psutil.process_iter``, every process's arguments both ways,
and the owners of the listening sockets both ways.  psutil knows no
namespaces and no cgroups, so that its part would come on top of ours.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import psutil

from dnet_tui.inspect.kernel.procfs import read_argv, read_processes, read_socket_owners
from dnet_tui.inspect.kernel.sockets.listening import read_listening


def median_ms(work: Callable[[], object], runs: int) -> float:
    """The median processor time of ``runs`` runs, in milliseconds."""
    times = []
    for _ in range(runs):
        begin = time.process_time()
        work()
        times.append((time.process_time() - begin) * 1000)
    return statistics.median(times)


def arguments_by_psutil() -> list[list[str]]:
    """Every process's arguments."""
    found = []
    for process in psutil.process_iter():
        try:
            found.append(process.cmdline())
        except psutil.Error:
            continue
    return found


def main() -> int:
    """Measure and print; returns 0."""
    parser = argparse.ArgumentParser(description="Compare our reader of /proc with psutil.")
    parser.add_argument("--processes", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    running = [subprocess.Popen(["sleep", "600"]) for _ in range(options.processes)]
    try:
        table = read_processes()
        attributes = ["pid", "ppid", "name", "create_time"]
        subjects: dict[str, Callable[[], object]] = {
            "read_processes (with namespace, cgroup)": read_processes,
            "psutil.process_iter (without)": lambda: list(psutil.process_iter(attributes)),
            "arguments of all, read_argv": lambda: [read_argv(item.pid) for item in table.processes],
            "arguments of all, psutil": arguments_by_psutil,
            "socket owners, read_socket_owners": lambda: read_socket_owners(item.inode for item in read_listening()),
            "socket owners, psutil.net_connections": lambda: psutil.net_connections("inet"),
        }
        print(f"{os.cpu_count()} cores, Linux {platform.release()}, {len(table.processes)} processes; processor time")
        for name, work in subjects.items():
            print(f"  {name:<42} {median_ms(work, options.runs):8.1f} ms")
    finally:
        for process in running:
            process.kill()
        for process in running:
            process.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
