"""Doctors beside containers that come and go, on a real dockerd."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass

from lab.machines.docker_host import DockerHost
from lab.machines.image import IMAGE


@dataclass
class Told:
    """What came of it: errors and warnings that the doctor said, and how often both sides ran."""

    doctors: int
    runs: int
    said: list[str]


def doctors_beside_a_loop(host: DockerHost, count: int, seconds: float = 300) -> Told:
    """Run the doctor ``count`` times, as far as the time allows, while containers are run and removed in a loop."""
    deadline = time.monotonic() + seconds
    doctors = 0
    ended = threading.Event()
    runs = 0

    def loop() -> None:
        nonlocal runs
        while not ended.is_set():
            host.docker("run", "--rm", "-p", "8099:80", IMAGE, "sleep", "0.1")
            runs += 1

    worker = threading.Thread(target=loop)
    worker.start()
    said: list[str] = []
    try:
        while doctors < count and time.monotonic() < deadline:
            doctors += 1
            result = host.dnet("doctor", "--format", "json")
            assert result.stdout, result.stderr.decode()
            report = json.loads(result.stdout)
            said += [
                f"{item['severity']} {item['check']}: {item['summary']} "
                f"({'; '.join(one['value'] for one in item['evidence'])})"
                for item in report["findings"]
                if item["severity"] != "info"
            ]
    finally:
        ended.set()
        worker.join()
    return Told(doctors=doctors, runs=runs, said=said)
