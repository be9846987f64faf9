"""The house's rules, read from the source: who may import whom, and what nobody may do."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from contracts.parsed_source import ROOMS, ROOT, sources

LONGEST_MODULE = 350
LONGER: set[str] = set()  # modules that are worth the length

MAY_IMPORT = {
    "inspect": {"inspect"},
    "diagnostics": {"diagnostics", "inspect"},
    "actions": {"actions", "diagnostics", "inspect"},
    "tui": {"tui", "actions", "diagnostics", "inspect"},
}
"""tui → actions → diagnostics → inspect.  Nothing imports tui."""

ORDER = (
    "inspect.errors",
    "inspect.version",
    "inspect.text",
    "inspect.model",
    "inspect.kernel",
    "inspect.kernel.rtnetlink",
    "inspect.kernel.sockets",
    "inspect.kernel.tunnels",
    "inspect.iptables",
    "inspect.nftables",
    "inspect.ruleset",
    "inspect.engines.engine_data",
    "inspect.engines.unix_http",
    "inspect.engines.container_json",
    "inspect.engines.api_reading",
    "inspect.engines.api_source",
    "inspect.engines.protocol",
    "inspect.engines.docker",
    "inspect.engines.podman",
    "inspect.engines",
    "inspect.snapshot",
    "inspect.archive",
    "inspect.watch",
    "inspect.capture",
    "diagnostics.walk.packet",
    "diagnostics.walk.match",
    "diagnostics.walk.netfilter",
    "diagnostics.walk.namespace_index",
    "diagnostics.walk.l3",
    "diagnostics.walk.l2",
    "diagnostics.walk.state",
    "diagnostics.walk.steps",
    "diagnostics.walk.stages",
    "diagnostics.walk",
    "diagnostics.difference",
    "diagnostics.explain",
    "diagnostics.context",
    "diagnostics.flows",
    "diagnostics.operations",
    "diagnostics.report",
    "diagnostics.checks.framework",
    "diagnostics.checks.subjects",
    "diagnostics.checks.decisions",
    "diagnostics.checks.policy",
    "diagnostics.checks.links",
    "diagnostics.checks.routing",
    "diagnostics.checks.firewall",
    "diagnostics.checks.nat",
    "diagnostics.checks.names",
    "diagnostics.checks.ipv6",
    "diagnostics.checks.startup",
    "diagnostics.checks.host",
    "diagnostics.checks",
    "diagnostics.probing",
    "diagnostics.trace",
    "diagnostics.capture",
    "diagnostics.guided",
    "actions.host_access",
    "actions.plans",
    "actions.journal",
    "actions.changes",
    "actions.networks",
    "actions.ports",
    "actions.routes",
    "actions.persist",
    "actions.probes",
    "actions.execution",
    "actions.repair",
    "actions.live_trace",
    "actions.drop_watch",
    "actions.demo",
    "tui.exit_codes",
    "tui.error_exit",
    "tui.reports",
    "tui.reports.lists.rows",
    "tui.reports.lists",
    "tui.reports.rules",
    "tui.reports.trace",
    "tui.reports.doctor",
    "tui.reports.published",
    "tui.settings",
    "tui.completion",
    "tui.commands.confirmation",
    "tui.app.model",
    "tui.app.present",
    "tui.app.widgets",
    "tui.app.screens",
    "tui.app",
    "tui.commands",
    "tui",
)
"""The rooms within the rooms, from the ground up: an arrow never points to a later one.

An entry is a folder, or a module that lies lower than the rest of its folder; the longest that fits is the room.
"""

APART = tuple(room for room in ORDER if re.fullmatch(r"diagnostics\.checks\.(?!framework|subjects|decisions)\w+", room))
"""The families of checks: no module of theirs imports another."""

PURE = ("inspect.errors", "inspect.text", "inspect.model", "inspect.iptables", "inspect.nftables")
"""The rooms of inspect that hold data and parse text: the only ones diagnostics may import."""

MOST_MODULES = 20
"""How many modules a folder may hold, its ``__init__`` not counted."""

LONGEST_FUNCTION = 80

KNOWN: set[str] = set()
"""Arrows that point the wrong way and are known: to be mended, never to be added to."""

OUTSIDE = {
    "asyncio", "ctypes", "docker", "fcntl", "io", "iptc", "multiprocessing", "os", "pathlib", "psutil", "pyroute2",
    "select", "selectors", "shutil", "signal", "socket", "subprocess", "sys", "tempfile", "threading", "time",
}  # fmt: skip
"""The world: what a pure module can't import."""


LOOKED_AT = (ast.Import, ast.ImportFrom, ast.Call, ast.FunctionDef, ast.AsyncFunctionDef)
"""What the rules are about: the trees have a million nodes more, and are walked once."""


class Import:
    """One import statement of one module; ``name`` is the dotted thing imported."""

    def __init__(self, path: Path, line: int, name: str) -> None:
        self.path, self.line, self.name = path, line, name

    def __str__(self) -> str:
        return f"{self.path}:{self.line} imports {self.name}"


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
    """The imports, calls and functions of a module."""
    return tuple(node for node in ast.walk(sources()[path]) if isinstance(node, LOOKED_AT))


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


@cache
def room_of(module: str) -> str:
    """The room within a room that a dotted module (without ``dnet_tui.``) lies in; empty for none."""
    return max((room for room in ORDER if module == room or module.startswith(f"{room}.")), key=len, default="")


def module_of(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


@cache
def arrows() -> tuple[tuple[str, str, Import], ...]:
    """Every import of a module of ours: the importing module, the imported one, and where."""
    return tuple(_arrows())


def _arrows() -> Iterator[tuple[str, str, Import]]:
    modules = {module_of(path) for path in sources()}
    for path in sources():
        for item in imports_of(path):
            name = item.name.removeprefix("dnet_tui.")
            if name != item.name:
                target = name if name in modules else name.rpartition(".")[0]
                if target != module_of(path):
                    yield module_of(path), target, item


def test_every_module_has_its_room() -> None:
    assert [str(path) for path in sources() if not room_of(module_of(path)) and path.name != "__init__.py"] == []


def test_every_room_has_modules() -> None:
    rooms = {room_of(module_of(path)) for path in sources()}

    assert set(ORDER) - rooms == set()


def test_no_arrow_points_to_a_later_room() -> None:
    level = {room: number for number, room in enumerate(ORDER)}
    wrong = {
        f"{source} → {target}"
        for source, target, _ in arrows()
        if room_of(source) and room_of(target) and level[room_of(target)] > level[room_of(source)]
    }

    assert wrong == KNOWN


def test_no_check_imports_another_check() -> None:
    wrong = [
        f"{source} → {target}"
        for source, target, _ in arrows()
        if room_of(source) in APART and room_of(target) in APART and source != target
    ]

    assert wrong == []  # what two checks share belongs to checks/subjects


def test_diagnostics_imports_only_inspects_pure_rooms() -> None:
    wrong = [
        str(item)
        for source, target, item in arrows()
        if source.startswith("diagnostics") and target.startswith("inspect") and not room_of(target).startswith(PURE)
    ]

    assert wrong == []


def test_inspects_pure_rooms_are_pure() -> None:
    wrong = [
        str(item)
        for path in sources()
        if room_of(module_of(path)).startswith(PURE)
        for item in imports_of(path)
        if item.name.split(".")[0] in OUTSIDE
        or (item.name.startswith("dnet_tui.") and not room_of(item.name.removeprefix("dnet_tui.")).startswith(PURE))
    ]

    assert wrong == []


def test_no_folder_holds_too_many_modules() -> None:
    tests = [path.relative_to(ROOT) for path in sorted((ROOT / "tests").rglob("*.py"))]
    held = Counter(str(path.parent) for path in (*sources(), *tests) if path.name != "__init__.py")

    assert {folder: count for folder, count in held.items() if count > MOST_MODULES} == {}


def test_every_folder_says_what_it_is_for() -> None:
    folders = {path.parent for path in sources() if path.parent != Path("inspect")}

    assert [str(folder) for folder in sorted(folders) if folder / "__init__.py" not in sources()] == []


def test_no_function_outgrows_the_house() -> None:
    long = [
        f"{path}:{node.lineno} {node.name}: {lines}"
        for path in sources()
        for node in nodes(path)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > LONGEST_FUNCTION
    ]

    assert long == []


def test_only_the_app_imports_textual() -> None:
    wrong = [
        str(item)
        for path in sources()
        if path.parts[:2] != ("tui", "app")
        for item in imports_of(path)
        if item.name.split(".")[0] == "textual"
    ]

    assert wrong == []


def test_work_in_threads_is_begun_in_one_way() -> None:
    """Textual's own decorator writes down a worker's arguments: of a snapshot that takes longer than a key may wait."""
    wrong = [
        str(item)
        for path in sources()
        if path != Path("tui/app/thread_work.py")
        for item in imports_of(path)
        if item.name in {"textual.work", "textual._work_decorator.work"}
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


def test_a_number_is_told_by_what_int_reads() -> None:
    """``"²".isdigit()`` is true, and ``int("²")`` raises: what containers and files say is asked with ``isdecimal``."""
    asked = [f"{path}:{call.lineno}" for path, call in calls() if getattr(call.func, "attr", "") == "isdigit"]
    assert asked == []


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
