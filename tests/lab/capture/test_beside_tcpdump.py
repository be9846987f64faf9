"""Docker's traffic, captured beside ``tcpdump -w``: each point has the same packets, bytes and times."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from lab.machines.docker_host import DockerHost
from lab.machines.requirements import require_lab

BESIDE = str(Path(__file__).parents[1] / "packets" / "beside_tcpdump.py")


def test_every_point_has_what_tcpdump_has() -> None:
    require_lab("tcpdump")
    with DockerHost.start() as host:
        done = host.run(sys.executable, "-P", BESIDE, "40", check=False, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
    points = json.loads(done.stdout)
    assert len(points) == 4
    for point in points:
        assert point["same"], point
        assert point["ours"] == point["theirs"] > 200, point
        assert point["apart_ns"] <= 1_000_000, point
