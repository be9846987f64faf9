"""Recorded packets of sizes around an MTU: the walk must say which of them the kernel let through.

Recorded by ``script/recordings record mtu``.
"""

from __future__ import annotations

import msgspec
import pytest

from lab.packets.sized_walks import judged, load, load_spec, names, spec

NAMES = names()


@pytest.mark.parametrize("name", NAMES)
def test_the_walk_says_which_packets_got_through(name: str) -> None:
    assert judged(load(name)) == {"wrong": [], "unsure": []}


@pytest.mark.parametrize("name", NAMES)
def test_a_record_can_tell_a_wrong_walk(name: str) -> None:
    seen = load(name)
    lost = tuple(probe[0] for probe in seen.probes if probe[0] not in seen.arrived)
    assert lost
    assert len(lost) < len(seen.probes)
    turned = msgspec.structs.replace(seen, arrived=lost)
    assert len(judged(turned)["wrong"]) == len(seen.probes)


@pytest.mark.parametrize("name", NAMES)
def test_what_a_person_reads_is_what_was_seen(name: str) -> None:
    words = load_spec(name)
    assert spec(load(name), words.shows) == words


def test_both_families_are_recorded() -> None:
    assert {name[-4:] for name in NAMES} == {"ipv4", "ipv6"}
