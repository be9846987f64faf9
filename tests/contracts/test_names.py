"""The words of docs/terminology.md hold in the source: what names nothing, and one name for one thing."""

from __future__ import annotations

import ast
import re
from collections import defaultdict

from contracts.parsed_source import ROOT, sources


def ruled_out() -> frozenset[str]:
    """The words that terminology.md rules out as names."""
    text = (ROOT / "docs" / "terminology.md").read_text(encoding="utf-8")
    return frozenset(re.findall(r"`(\w+)`", text.rpartition("These words name nothing")[2]))


def words(name: str) -> list[str]:
    """The words that a name is made of: ``FdbEntry`` and ``fdb_entry`` alike."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+", name)]


def classes() -> dict[str, list[str]]:
    """Where each public class is defined."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for file, tree in sources().items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found[node.name].append(str(file))
    return found


def test_words_are_told_apart_in_either_spelling() -> None:
    assert words("NamespaceCandidate") == words("namespace_candidate") == ["namespace", "candidate"]
    assert words("FDBEntry") == ["fdb", "entry"]


def test_no_class_or_module_is_called_by_a_word_that_names_nothing() -> None:
    banned = ruled_out()
    assert "utils" in banned
    named = [*classes(), *(file.stem for file in sources())]

    assert [name for name in named if banned & set(words(name))] == []


def test_no_two_classes_share_a_name() -> None:
    assert {name: where for name, where in classes().items() if len(where) > 1} == {}
