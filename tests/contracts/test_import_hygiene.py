"""What a command costs before it does anything: the modules it brings in, seen from a fresh process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from unit.builders.factories import docker_like_snapshot

ROOT = Path(__file__).resolve().parents[2]

HEAVY = {"iptc", "psutil", "pyroute2", "rich", "scapy", "textual"}
"""Each of these costs more than everything else a listing needs (50 ms to 350 ms)."""

REPORT = """
import sys
from dnet_tui.tui.main import main
rest = sys.argv[1:]
while rest:  # several commands, one after the other: "--" between them
    end = rest.index("--") if "--" in rest else len(rest)
    sys.argv[1:], rest = rest[:end], rest[end + 1:]
    try:
        main()
    except SystemExit:
        pass
print("\\nMODULES", *sorted({name.partition(".")[0] for name in sys.modules}))
"""


def modules_after(*args: str, code: str = REPORT, cwd: Path | None = None) -> set[str]:
    """The top-level modules loaded when ``dnet-tui ARGS`` ends."""
    ran = subprocess.run(
        [sys.executable, "-c", code, *args], capture_output=True, text=True, check=True, timeout=60, cwd=cwd
    )
    return set(ran.stdout.rpartition("\nMODULES ")[2].split())


@pytest.fixture
def host(tmp_path: Path) -> str:
    file = tmp_path / "host.json"
    file.write_bytes(msgspec.json.encode(docker_like_snapshot()))
    return str(file)


def assert_nothing_heavy(*commands: list[str]) -> None:
    """None of these commands may load anything heavy; all in one process, one by one only to say which did."""
    together = [word for command in commands for word in (*command, "--")]
    if modules_after(*together) & HEAVY:
        assert {" ".join(command): modules_after(*command) & HEAVY for command in commands} == {}


def test_words_about_the_tool_load_nothing_heavy() -> None:
    assert_nothing_heavy(["--help"], ["--version"], ["checks"], ["explain", "masq-missing"], ["nonsense"])


def test_reports_of_a_snapshot_load_nothing_heavy(host: str) -> None:
    lists = ["ls"], ["ls", "containers", "--format", "json"], ["doctor"]
    assert_nothing_heavy(*([*command, "--snapshot", host] for command in lists))


def test_what_is_heavy_would_be_noticed() -> None:
    assert modules_after("--version", "--", "nonsense", code=REPORT.replace("import sys", "import sys, rich")) & HEAVY


def test_help_does_not_even_load_the_model() -> None:
    assert "msgspec" not in modules_after("--help")


def test_looking_at_this_host_does_not_load_the_app() -> None:
    assert (
        modules_after(code=f"import dnet_tui.inspect.snapshot.take_snapshot{PRINT}") & {"textual", "rich", "typer"}
        == set()
    )


def test_diagnostics_load_no_way_to_touch_a_host() -> None:
    loaded = modules_after(code=f"import dnet_tui.diagnostics.checks.run_checks{PRINT}")

    assert loaded & (HEAVY | {"typer", "subprocess", "socket"}) == set()


def test_the_standard_librarys_inspect_is_found_from_the_root() -> None:
    code = "import inspect; inspect.signature(print); print('MODULES', inspect.__file__)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT, timeout=60)

    assert str(ROOT) not in ran.stdout


PRINT = "\nimport sys; print('\\nMODULES', *sorted({name.partition('.')[0] for name in sys.modules}))"
