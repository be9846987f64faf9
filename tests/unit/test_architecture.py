"""The house's rules, read from the source: who may import whom, and what nobody may do."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("inspect", "diagnostics", "actions", "tui")
LONGEST_MODULE = 350
LONGER: set[str] = set()  # modules that are worth the length

MAY_IMPORT = {
    "inspect": {"inspect"},
    "diagnostics": {"diagnostics", "inspect"},
    "actions": {"actions", "diagnostics", "inspect"},
    "tui": {"tui", "actions", "diagnostics", "inspect"},
}
"""tui → actions → diagnostics → inspect.  Nothing imports tui."""

PURE = {
    "model", "model_engines", "model_firewalld", "model_links", "model_names", "model_routing", "model_sockets",
    "model_traffic",
    "failures", "firewall", "gaps", "view", "errors", "untrusted", "intention", "legible",
    "iptables", "iptables_fragments", "iptables_matches", "iptables_modules", "iptables_names", "iptables_render",
    "iptables_rule", "iptables_targets", "iptables_words",
    "ipset", "nft_comparisons", "nft_conditions", "nft_fields", "nft_marks", "nft_mixed", "nft_names", "nft_render",
    "nft_rule", "nft_ruleset", "nft_sets", "nft_shapes", "nft_statements", "nft_text", "nft_trace", "nft_values",
    "owner_clues", "owner_names", "owner_things", "owners",
}  # fmt: skip
"""The modules of inspect that hold data and parse text: the only ones diagnostics may import."""

OUTSIDE = {
    "asyncio", "ctypes", "docker", "fcntl", "io", "iptc", "multiprocessing", "os", "pathlib", "psutil", "pyroute2",
    "select", "selectors", "shutil", "signal", "socket", "subprocess", "sys", "tempfile", "threading", "time",
}  # fmt: skip
"""The world: what a pure module can't import."""


class Import:
    """One import statement of one module; ``name`` is the dotted thing imported."""

    def __init__(self, path: Path, line: int, name: str) -> None:
        self.path, self.line, self.name = path, line, name

    def __str__(self) -> str:
        return f"{self.path}:{self.line} imports {self.name}"


@cache
def sources() -> dict[Path, ast.Module]:
    """Every module of the four rooms, by its path from the root, parsed."""
    files = [file for room in ROOMS for file in sorted((ROOT / room).rglob("*.py"))]
    return {file.relative_to(ROOT): ast.parse(file.read_text(encoding="utf-8")) for file in files}


@cache
def imports_of(path: Path) -> tuple[Import, ...]:
    """All imports of a module, at its top and inside its functions."""
    found: list[Import] = []
    for node in nodes(path):
        if isinstance(node, ast.Import):
            found += [Import(path, node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
            found += [Import(path, node.lineno, f"{node.module}.{alias.name}") for alias in node.names]
    return tuple(found)


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """The imports and calls of a module."""
    return tuple(node for node in ast.walk(sources()[path]) if isinstance(node, (ast.Import, ast.ImportFrom, ast.Call)))


def imports(room: str) -> Iterator[Import]:
    for path in sources():
        if path.parts[0] == room:
            yield from imports_of(path)


def calls() -> Iterator[tuple[Path, ast.Call]]:
    for path in sources():
        yield from ((path, node) for node in nodes(path) if isinstance(node, ast.Call))


def test_there_is_something_to_test() -> None:
    assert {path.parts[0] for path in sources()} == set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_the_rooms_below_it(room: str) -> None:
    wrong = [
        str(item)
        for item in imports(room)
        if item.name.startswith("dnet_tui.") and item.name.split(".")[1] not in MAY_IMPORT[room]
    ]

    assert wrong == []


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_are_imported_by_their_full_name(room: str) -> None:
    # "inspect" alone is the standard library's.
    wrong = [
        str(item)
        for item in imports(room)
        if item.name.split(".")[0] in {"diagnostics", "actions", "tui"} or re.match(r"inspect\.(model|view)", item.name)
    ]

    assert wrong == []


def test_diagnostics_touches_nothing_outside() -> None:
    assert [str(item) for item in imports("diagnostics") if item.name.split(".")[0] in OUTSIDE] == []


def test_diagnostics_imports_only_inspects_pure_modules() -> None:
    wrong = [
        str(item)
        for item in imports("diagnostics")
        if item.name.startswith("dnet_tui.inspect.") and item.name.split(".")[2] not in PURE
    ]

    assert wrong == []


def test_inspects_pure_modules_are_pure() -> None:
    wrong = [
        str(item)
        for path in sources()
        if path.parent == Path("inspect") and path.stem in PURE
        for item in imports_of(path)
        if item.name.split(".")[0] in OUTSIDE
        or (item.name.startswith("dnet_tui.inspect.") and item.name.split(".")[2] not in PURE)
    ]

    assert wrong == []


def test_the_pure_modules_that_are_named_exist() -> None:
    assert {name for name in PURE if not (ROOT / "inspect" / f"{name}.py").is_file()} == set()


def test_only_the_app_imports_textual() -> None:
    wrong = [
        str(item)
        for path in sources()
        if path.parts[:2] != ("tui", "app")
        for item in imports_of(path)
        if item.name.split(".")[0] == "textual"
    ]

    assert wrong == []


def test_no_command_ever_goes_through_a_shell() -> None:
    wrong = [
        f"{path}:{call.lineno}"
        for path, call in calls()
        for keyword in call.keywords
        if keyword.arg == "shell" and not (isinstance(keyword.value, ast.Constant) and keyword.value.value is False)
    ]

    assert wrong == []


def test_nothing_calls_a_function_that_starts_a_shell_or_runs_text() -> None:
    forbidden = {"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput", "eval", "exec"}
    shells = {"create_subprocess_shell"}

    wrong = [
        f"{path}:{call.lineno} {name}"
        for path, call in calls()
        if (name := ast.unparse(call.func)) in forbidden or name.rpartition(".")[2] in shells
    ]

    assert wrong == []


def test_no_module_outgrows_the_house() -> None:
    lengths = {str(path): len((ROOT / path).read_text(encoding="utf-8").splitlines()) for path in sources()}

    assert {path: lines for path, lines in lengths.items() if lines > LONGEST_MODULE and path not in LONGER} == {}


def test_every_module_says_what_it_is_for() -> None:
    assert [str(path) for path, tree in sources().items() if not ast.get_docstring(tree)] == []


def test_inspect_is_no_regular_package() -> None:
    # With an __init__.py it would shadow the standard library's inspect for whoever has the root on sys.path.
    assert not (ROOT / "inspect" / "__init__.py").exists()


@pytest.mark.parametrize("room", ROOMS)
def test_the_import_tree_is_made_of_relative_symlinks(room: str) -> None:
    link = ROOT / "src" / "dnet_tui" / room

    assert link.is_symlink()
    assert link.readlink() == Path("../..") / room
