"""The healthy zoo: on every unusual but healthy host traffic passes, and the doctor reports nothing."""

from __future__ import annotations

import json
import shlex

import pytest

from lab.machines.hosts import DemoHost
from lab.packets.plans import EGRESS, FROM_HOST, PUBLISHED
from lab.packets.traffic import Went, expect
from lab.zoo.animal import Animal
from lab.zoo.animals import ANIMALS
from lab.zoo.managers import MANAGED
from lab.zoo.operators import OPERATORS

EVERY = (*ANIMALS, *OPERATORS, *MANAGED)


@pytest.mark.parametrize("animal", EVERY, ids=lambda animal: animal.id)
def test_a_healthy_host_is_left_in_peace(demo_host: DemoHost, animal: Animal) -> None:
    _dress(demo_host, animal)
    expect(demo_host, {EGRESS: Went.OK, PUBLISHED: Went.OK, FROM_HOST: Went.OK})
    result = demo_host.dnet("doctor", "--format", "json")
    report = json.loads(result.stdout)
    serious = [finding for finding in report["findings"] if finding["severity"] != "info"]
    assert serious == []
    owners = {finding["owner"]["name"] for finding in report["findings"] if finding["owner"] is not None}
    assert owners >= animal.owners
    undecided = [check for check in report["checks"] if check["outcome"] not in {"ok", "found", "not-applicable"}]
    if animal.decided:
        assert undecided == []
        assert result.returncode == 0
    else:
        assert undecided, "an honest examination can't decide this host"
        assert result.returncode == 3


def _dress(host: DemoHost, animal: Animal) -> None:
    for command in animal.commands:
        host.run(*shlex.split(command))
    if animal.restore:
        host.run("iptables-nft-restore", "--noflush", stdin=animal.restore.encode())
    if animal.restore6:
        host.run("ip6tables-nft-restore", "--noflush", stdin=animal.restore6.encode())
    if animal.nft:
        host.run("nft", "-f", "-", stdin=animal.nft.encode())


def test_there_are_enough_animals_and_each_is_different() -> None:
    assert len({animal.id for animal in EVERY}) == len(EVERY) >= 120
