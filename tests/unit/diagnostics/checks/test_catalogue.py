"""The catalogue itself: complete, unique, explained."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

from dnet_tui.diagnostics import checks
from dnet_tui.diagnostics.checks.catalogue import CATALOGUE
from dnet_tui.diagnostics.checks.framework.check import Check

SECTIONS = ("What it finds", "Why it matters", "How we know", "Remedy", "When it is harmless")


def test_every_module_that_declares_a_check_is_in_the_catalogue_and_no_other() -> None:
    folder = Path(checks.__path__[0])
    pattern = re.compile(r"^CHECK = Check\(", re.MULTILINE)
    declared = {path.stem for path in folder.rglob("*.py") if pattern.search(path.read_text())}
    assert {check.id.replace("-", "_") for check in CATALOGUE} == declared


def test_ids_are_unique() -> None:
    ids = [check.id for check in CATALOGUE]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("check", CATALOGUE, ids=lambda check: check.id)
def test_a_check_explains_itself_in_five_sections(check: Check) -> None:
    (path,) = Path(checks.__path__[0]).rglob(f"{check.id.replace('-', '_')}.py")
    module = import_module(f"{checks.__name__}.{path.parent.name}.{path.stem}")
    assert check.doc == module.__doc__
    headings = re.findall(r"^(\S.*)$", check.doc, re.MULTILINE)[1:]
    assert tuple(headings) == SECTIONS
    assert check.doc.splitlines()[0].endswith(".")
