"""The chain from format to format."""

import pytest

from dnet_tui.inspect.archive.migrations import STEPS, MigrationStep, Raw, UnsoundError, migrate
from dnet_tui.inspect.model import FORMAT


def note(word: str) -> MigrationStep:
    def step(raw: Raw) -> Raw:
        return raw | {"notes": [*raw["notes"], word]}

    return step


CHAIN = (note("to 2"), note("to 3"), note("to 4"))


def test_there_is_a_step_from_every_format_to_the_next() -> None:
    assert len(STEPS) == FORMAT - 1


@pytest.mark.parametrize(("number", "notes"), [(1, ["to 2", "to 3", "to 4"]), (3, ["to 4"]), (4, [])])
def test_only_the_steps_that_are_missing_are_made_in_order(number: int, notes: list[str]) -> None:
    assert migrate({"format": number, "notes": []}, CHAIN) == {"format": 4, "notes": notes}


@pytest.mark.parametrize("raw", [{"format": 2}, {"format": 2, "notes": None}])
def test_what_a_step_stumbles_over_is_told_with_its_format(raw: Raw) -> None:
    with pytest.raises(UnsoundError, match="format 2"):
        migrate(raw, CHAIN)
