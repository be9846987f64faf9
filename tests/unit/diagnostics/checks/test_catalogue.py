"""The catalogue itself: complete, unique, explained."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

from dnet_tui.diagnostics import checks
from dnet_tui.diagnostics.checks.base import Check
from dnet_tui.diagnostics.checks.catalogue import CATALOGUE

SECTIONS = ("What it finds", "Why it matters", "How we know", "Remedy", "When it is harmless")


def test_every_module_that_declares_a_check_is_in_the_catalogue_and_no_other() -> None:
    folder = Path(checks.__path__[0])
    pattern = re.compile(r"^CHECK = Check\(", re.MULTILINE)
    declared = {path.stem for path in folder.glob("*.py") if pattern.search(path.read_text())}
    assert {check.id.replace("-", "_") for check in CATALOGUE} == declared


def test_ids_are_unique() -> None:
    ids = [check.id for check in CATALOGUE]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("check", CATALOGUE, ids=lambda check: check.id)
def test_a_check_explains_itself_in_five_sections(check: Check) -> None:
    module = import_module(f"dnet_tui.diagnostics.checks.{check.id.replace('-', '_')}")
    assert check.doc == module.__doc__
    headings = re.findall(r"^(\S.*)$", check.doc, re.MULTILINE)[1:]
    assert tuple(headings) == SECTIONS
    assert check.doc.splitlines()[0].endswith(".")
