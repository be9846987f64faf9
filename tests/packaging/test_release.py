"""What a release is made of: the one file's head, the man pages, the Debian package's control file."""

from __future__ import annotations

import importlib.util
import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from types import ModuleType

import pytest

from dnet_tui.tui.registry import COMMANDS

PARTS = Path(__file__).resolve().parents[2] / "script" / "packaging"
sys.path.insert(0, str(PARTS))


def part(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, PARTS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


part("packaging_steps")
ONE_FILE, MAN_PAGES, DEBIAN = part("one_file"), part("man_pages"), part("debian_package")
SOURCE_ARCHIVE = part("source_archive")

STAND_IN = """
import os, sys

def main():
    print("dnet-tui", __file__, os.environ["PYTHONPATH"], *sys.argv)
    return 7
"""
"""Stands in for dnet-tui: says where it runs from, and ends with 7."""


class Carried:
    """A one file that carries the stand-in, and keeps what it unpacks below a folder of the test's."""

    def __init__(self, folder: Path) -> None:
        tree = folder / "tree"
        (tree / "pure/dnet_tui/tui").mkdir(parents=True)
        (tree / "pure/dnet_tui/tui/__init__.py").touch()
        (tree / "pure/dnet_tui/tui/main.py").write_text(STAND_IN)
        self.cache = folder / "cache"
        self.file = ONE_FILE.write(ONE_FILE.archive(tree), folder / "dnet-tui.pyz")
        text = self.file.read_text().replace('"/var/cache/dnet-tui"', repr(str(self.cache)))
        self.file.write_text(text)

    def run(self, *words: str, stdin: bool = False) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "XDG_CACHE_HOME": str(self.cache.parent / "xdg")}
        argv = [sys.executable, "-I", "-" if stdin else str(self.file), *words]
        with self.file.open() as text:
            return subprocess.run(
                argv, stdin=text if stdin else None, env=environment, capture_output=True, text=True, check=False
            )

    def kept(self) -> Path:
        place = self.cache if os.geteuid() == 0 else self.cache.parent / "xdg/dnet-tui"
        (found,) = place.iterdir()
        return found


@pytest.fixture
def carried(tmp_path: Path) -> Carried:
    return Carried(tmp_path)


def test_it_unpacks_itself_once_and_runs_from_there(carried: Carried) -> None:
    first = carried.run("doctor", "--focus", "web")
    assert first.returncode == 7, first.stderr
    assert first.stdout.split()[-4:] == ["dnet-tui", "doctor", "--focus", "web"]
    assert str(carried.kept()) in first.stdout
    marked = carried.kept() / "pure/dnet_tui/tui/main.py"
    marked.write_text(STAND_IN.replace('"dnet-tui"', '"second"'))
    assert carried.run().stdout.startswith("second"), "it was not unpacked again"


def test_it_is_read_from_stdin_as_a_program(carried: Carried) -> None:
    ran = carried.run("snapshot", "save", "-", stdin=True)
    assert ran.returncode == 7, ran.stderr
    assert ran.stdout.split()[-3:] == ["snapshot", "save", "-"]


def test_a_folder_that_others_may_write_to_is_not_used(carried: Carried) -> None:
    carried.run()
    kept = carried.kept()
    (kept / "pure/dnet_tui/tui/main.py").write_text("raise SystemExit('planted')")
    kept.chmod(0o777)
    ran = carried.run()
    assert ran.returncode == 7, ran.stderr
    assert str(kept) not in ran.stdout
    place = Path(ran.stdout.split()[1])
    assert not place.exists(), "the temporary folder goes with the run"


def test_a_link_in_its_place_is_not_followed(carried: Carried, tmp_path: Path) -> None:
    carried.run()
    kept = carried.kept()
    other = tmp_path / "other"
    kept.rename(other)
    (other / "pure/dnet_tui/tui/main.py").write_text("raise SystemExit('planted')")
    kept.symlink_to(other)
    assert carried.run().returncode == 7


def test_a_damaged_file_says_so_and_runs_nothing(carried: Carried) -> None:
    text = carried.file.read_text()
    begin = text.index('PAYLOAD = "') + 200
    carried.file.write_text(text[:begin] + ("A" if text[begin] != "A" else "B") + text[begin + 1 :])
    ran = carried.run()
    assert ran.returncode == 3
    assert "damaged" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_the_same_files_are_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name / "pure").mkdir(parents=True)
        (tmp_path / name / "pure/a.py").write_text("x = 1\n")
    os.utime(tmp_path / "two/pure/a.py", (1, 1))
    assert ONE_FILE.archive(tmp_path / "one") == ONE_FILE.archive(tmp_path / "two")


def test_a_source_archive_has_the_commits_time_and_not_that_of_the_checkout(tmp_path: Path) -> None:
    for name, order, moment in (("one", "ab", 5_000), ("two", "ba", 9_000.25)):
        with tarfile.open(tmp_path / f"{name}.tar.gz", "w:gz", format=tarfile.PAX_FORMAT) as tar:
            for member in order:
                info = tarfile.TarInfo(f"pkg/{member}.py")
                info.size, info.mtime, info.uid, info.uname = 2, moment, int(moment), name
                tar.addfile(info, io.BytesIO(b"x\n"))
        SOURCE_ARCHIVE.settle(tmp_path / f"{name}.tar.gz", 1_000)
    assert (tmp_path / "one.tar.gz").read_bytes() == (tmp_path / "two.tar.gz").read_bytes()
    with tarfile.open(tmp_path / "one.tar.gz") as tar:
        assert [(item.name, item.mtime, item.uname) for item in tar] == [
            ("pkg/a.py", 1_000, "root"),
            ("pkg/b.py", 1_000, "root"),
        ]


def test_every_command_has_a_man_page(tmp_path: Path) -> None:
    names = {file.name for file in MAN_PAGES.write_all(tmp_path, "1.0")}
    assert {f"dnet-tui-{item.name}.1" for item in COMMANDS} | {"dnet-tui.1"} <= names
    text = (tmp_path / "dnet-tui-doctor.1").read_text()
    for section in ("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXAMPLES", "EXIT STATUS", "SEE ALSO"):
        assert f"\n.SH {section}\n" in text
    assert "\n.B \\-\\-focus NAME\n" in text


def test_text_never_becomes_a_request_of_roff() -> None:
    assert MAN_PAGES.escaped(".SH x\n\\fB 'y' -z") == "\\&.SH x\n\\efB \\(aqy\\(aq \\-z"


def test_the_control_file_asks_for_pythons_that_it_has_parts_for() -> None:
    control = DEBIAN.control("1.2", "amd64", 100)
    assert "Depends: python3 (>= 3.11), python3 (<< 3.14), iproute2, libc6" in control
    assert control.endswith("\n")
    assert all(line for line in control.splitlines())
