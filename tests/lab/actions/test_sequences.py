"""A sample of the random sequences; script/sequences makes as many as are asked for."""

from __future__ import annotations

from lab.actions.sequences import sequences
from lab.machines.requirements import require_lab
from lab.sampling import commits


def test_random_sequences_are_undone_in_a_random_order() -> None:
    require_lab()
    told = sequences(2, commits() * 2)
    assert told.broken == []
