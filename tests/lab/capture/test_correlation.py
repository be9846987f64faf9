"""The correlation on a host with a real Docker, judged by marked payloads: nothing is joined wrongly."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from lab.machines.docker_host import DockerHost

JUDGE = str(Path(__file__).parents[1] / "packets" / "correlation_judge.py")


def test_packets_are_joined_across_nat_bridges_and_fragments_and_never_wrongly() -> None:
    with DockerHost.start() as host:
        done = host.run(sys.executable, "-P", JUDGE, "60", check=False, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
    cases = json.loads(done.stdout)
    assert len(cases) == 14
    assert [case["case"] for case in cases if case["wrong"]] == []
    assert [case for case in cases if case["joinable"] < 100 or case["kernel_dropped"]] == []
    missed, joinable = (sum(case[key] for case in cases) for key in ("missed", "joinable"))
    assert missed <= joinable / 1000, [case["examples"] for case in cases if case["missed"]]
