"""A doctor beside containers that come and go says nothing of those."""

from __future__ import annotations

from lab.diagnostics.coming_and_going import doctors_beside_a_loop
from lab.machines.docker_host import DockerHost

SAMPLE = 12
"""``script/two-moments`` runs as many as one likes."""


def test_what_comes_and_goes_is_not_said(docker_host: DockerHost) -> None:
    told = doctors_beside_a_loop(docker_host, SAMPLE)
    assert told.runs > 0
    assert told.said == []
