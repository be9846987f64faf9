"""JSON from outside is taken apart strictly where it must fit, leniently where anything may be missing."""

from __future__ import annotations

import pytest

from dnet_tui.inspect.errors import CannotModelError
from dnet_tui.inspect.text import json_access
from dnet_tui.inspect.text.json_access import Json, fields, integer, items, only, several, string

WRONG: tuple[Json, ...] = (None, 3, 1.5, True, "x", [], {}, [1], {"a": 1, "b": 2})


def test_what_fits_is_returned_as_it_is() -> None:
    assert (fields({"a": 1}), items([1]), string("a"), integer(7)) == ({"a": 1}, [1], "a", 7)
    assert only({"match": 1}) == ("match", 1)


@pytest.mark.parametrize("value", WRONG, ids=repr)
def test_what_does_not_fit_counts_as_not_told(value: Json) -> None:
    assert fields(value) == (value if isinstance(value, dict) else {})
    assert items(value) == (value if isinstance(value, list) else [])
    assert string(value) == (value if isinstance(value, str) else "")
    assert integer(value) == (3 if value == 3 else 0)
    assert only(value) == ("", None)


@pytest.mark.parametrize("read", [json_access.mapping, json_access.single, json_access.array, json_access.word])
def test_strictly_read_what_does_not_fit_raises(read: object) -> None:
    for value in (None, 3, True):
        with pytest.raises(CannotModelError):
            read(value)  # type: ignore[operator]  # each takes one value


def test_true_is_no_number() -> None:
    assert integer(True) == 0
    with pytest.raises(CannotModelError):
        json_access.whole(True)


def test_text_from_outside_can_always_be_stored() -> None:
    assert string("a\udcff") == "a\\xff"


def test_one_or_several_are_an_array() -> None:
    assert (several(None), several(1), several([1, 2])) == ([], [1], [1, 2])
