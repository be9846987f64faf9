"""Recorded packets of sizes around an MTU: the walk must say which of them the kernel let through.

Recorded by ``tests/lab/diagnostics/test_walk_mtu.py`` with ``DNET_RECORD_MTU=FOLDER``.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from lab.packets.sized_walks import judged, load

FILES = sorted((Path(__file__).parent / "mtu").glob("*.json.xz"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name.partition(".")[0])
def test_the_walk_says_which_packets_got_through(path: Path) -> None:
    assert judged(load(path)) == {"wrong": [], "unsure": []}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name.partition(".")[0])
def test_a_record_can_tell_a_wrong_walk(path: Path) -> None:
    seen = load(path)
    lost = tuple(probe[0] for probe in seen.probes if probe[0] not in seen.arrived)
    assert lost
    assert len(lost) < len(seen.probes)
    turned = msgspec.structs.replace(seen, arrived=lost)
    assert len(judged(turned)["wrong"]) == len(seen.probes)


def test_both_families_are_recorded() -> None:
    assert {path.name.partition(".")[0][-4:] for path in FILES} == {"ipv4", "ipv6"}
