"""An engine's name and the names of what it makes stand with the engine; the rest of the house asks for traits."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from contracts.parsed_source import sources
from dnet_tui.inspect.engines.registry import ENGINES
from dnet_tui.inspect.model.engine_kinds.others import NETNS, UNKNOWN
from dnet_tui.inspect.model.engine_kinds.registry import ENGINE_KINDS, traits_of

AT_HOME = ("inspect/engines/", "inspect/model/engine_kinds/")
"""Where engines may be called by their names."""

NAMES = {kind.kind for kind in ENGINE_KINDS} - {UNKNOWN.kind, NETNS.kind} | {"moby", "libpod", "crio", "nerdctl"}
"""``unknown`` and ``netns`` are words for other things too."""

ALLOWED = {
    ("inspect/kernel/cgroups.py", "lxc"): "a cgroup of that name, of LXC before 4.0",
    ("inspect/model/firewalld.py", "docker"): "a zone that firewalld itself brings",
    ("actions/demo/requirements.py", "docker"): "a program, and the Debian package it is in",
    ("tui/commands/host_changes/net.py", "docker"): "choices of an option, which typer reads from the annotation",
    ("tui/commands/host_changes/net.py", "podman"): "as above; the model isn't loaded for --help",
    ("tui/commands/host_changes/net.py", "linux"): "as above",
}

THINGS = re.compile(r"\bDOCKER-[A-Z]|NETAVARK|\bdocker-bridges\b|\bdocker0\b|\bpodman0\b|\bdocker-proxy\b|aardvark-dns")
"""Chains, tables, bridges and programs that are one engine's."""

THINGS_ALLOWED = {
    "actions/demo/topology.py": "the demo host is set up as Docker would",
    "actions/demo/fault.py": "as above",
    "actions/demo/faults.py": "as above",
    "tui/registry.py": "examples in the help",
}


@cache
def constants() -> tuple[tuple[str, int, str], ...]:
    """Every string of the source that isn't a docstring: file, line, text."""
    return tuple(item for file, tree in sources().items() for item in strings(file, tree))


def strings(file: Path, tree: ast.Module) -> Iterator[tuple[str, int, str]]:
    notes = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in notes:
            yield str(file), node.lineno, node.value


def elsewhere() -> Iterator[tuple[str, int, str]]:
    return (item for item in constants() if not item[0].startswith(AT_HOME))


def test_nothing_but_the_engines_own_rooms_calls_an_engine_by_its_name() -> None:
    found = {(file, text): line for file, line, text in elsewhere() if text in NAMES}

    assert {f"{file}:{line} {text!r}" for (file, text), line in found.items() if (file, text) not in ALLOWED} == set()
    assert set(ALLOWED) - set(found) == set(), "no longer needed"


def test_what_engines_make_is_called_by_its_name_in_their_own_rooms_only() -> None:
    code = ((file, line, text) for file, line, text in elsewhere() if " " not in text or text.startswith("-"))
    found = {(file, line): text for file, line, text in code if THINGS.search(text)}

    assert {place: text for place, text in found.items() if place[0] not in THINGS_ALLOWED} == {}


def test_every_engine_is_listed_once_and_can_be_looked_up() -> None:
    names = [kind.kind for kind in ENGINE_KINDS]

    assert len(set(names)) == len(names)
    assert all(traits_of(kind.kind) is kind for kind in ENGINE_KINDS)


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.traits.kind)
def test_an_engine_that_can_be_asked_has_traits_that_are_listed(engine: object) -> None:
    assert getattr(engine, "traits", None) in ENGINE_KINDS


def test_of_a_kind_that_nobody_knows_nothing_is_claimed() -> None:
    strange = traits_of("strange")

    assert (strange.kind, strange.title, strange.restore_rules, strange.in_builtin_chains) == (
        "strange",
        "strange",
        (),
        False,
    )


def test_no_two_engines_claim_the_same_chain_table_or_cgroup() -> None:
    for field in (
        "tables",
        "chains",
        "chain_prefixes",
        "user_chains",
        "cgroup_prefixes",
        "cgroup_parents",
        "nat_entry",
    ):
        claimed = [name for kind in ENGINE_KINDS for name in dict.fromkeys(getattr(kind, field) or ())]
        assert len(set(claimed)) == len(claimed), field
