"""The form of a recording: what is written is read again."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from lab.recordings import recording


@pytest.mark.parametrize(
    "table",
    [
        {"a": 'quote " and \\ and\nline\x7f\x1b ü', "number": 3, "yes": True},
        {"short": ["a", "b"], "long": ["x" * 70, "y" * 70], "none": []},
        {"first": 1, "table": {"key with blank": ["a"], "b-c": "d"}, "rows": [{"n": 1}, {"n": 2, "list": ["x"]}]},
    ],
    ids=["values", "lists", "tables"],
)
def test_what_is_written_is_read_again(table: dict[str, Any]) -> None:
    assert tomllib.loads(recording.to_toml(table)) == table


def test_a_long_list_has_a_line_for_each() -> None:
    assert recording.to_toml({"long": ["x" * 70, "y" * 70]}).count("\n") == 4


def test_the_same_data_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        recording.write_data(tmp_path, name, {"a": [1, 2]})
    assert (tmp_path / "one.json.xz").read_bytes() == (tmp_path / "two.json.xz").read_bytes()
    assert recording.read_data(tmp_path, "one", dict[str, list[int]]) == {"a": [1, 2]}
