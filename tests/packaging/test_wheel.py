"""What is shipped works where there is no repository: a wheel and an sdist, installed elsewhere and run.

Nothing is downloaded.  The environment that the wheel is installed in sees the
dependencies of this one through a ``.pth`` file, but not the sources: every
test first proves that the code comes from the wheel.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import msgspec
import pytest

from unit.builders.factories import docker_like_snapshot

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("inspect", "diagnostics", "actions", "tui")


def run(*argv: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    return subprocess.run(
        [str(item) for item in argv], cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=170
    )


def build(what: str, source: Path, out: Path) -> Path:
    """Build a ``wheel`` or ``sdist`` of a source tree without a network."""
    ran = run(sys.executable, "-m", "build", f"--{what}", "--no-isolation", "--outdir", out, source, cwd=out)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    (file,) = out.iterdir()
    return file


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("sdist", clone(tmp_path_factory.mktemp("source")), tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", clone(tmp_path_factory.mktemp("source")), tmp_path_factory.mktemp("wheel"))


def clone(to: Path) -> Path:
    """Copy what packages are built from, links as links: the part of a fresh clone that matters here."""
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, to)
    for name in ("src", *ROOMS):
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
        shutil.copytree(ROOT / name, to / name, symlinks=True, ignore=ignored)
    return to


class Installed:
    """An environment of its own with the wheel in it."""

    def __init__(self, folder: Path, wheel: Path) -> None:
        self.folder = folder
        venv.create(folder / "env", with_pip=False, symlinks=True)
        python = f"python{sys.version_info.major}.{sys.version_info.minor}"
        self.packages = folder / "env" / "lib" / python / "site-packages"
        ran = run(
            sys.executable, "-m", "pip", "--python", folder / "env/bin/python", "install", "--no-deps", "--no-index",
            "--disable-pip-version-check", wheel, cwd=folder,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr
        # Only the folder is put on the path: .pth files in it, such as our editable install's, are not obeyed.
        (self.packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
        (folder / "host.json").write_bytes(msgspec.json.encode(docker_like_snapshot()))

    def dnet_tui(self, *args: str) -> subprocess.CompletedProcess[str]:
        return run(self.folder / "env/bin/dnet-tui", *args, cwd=self.folder)

    def origin_of(self, module: str) -> Path:
        code = f"import importlib; print(importlib.import_module({module!r}).__file__)"
        return Path(run(self.folder / "env/bin/python", "-c", code, cwd=self.folder).stdout.strip())


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Installed:
    return Installed(tmp_path_factory.mktemp("elsewhere"), wheel)


def check_it_runs(place: Installed) -> None:
    for module in ("inspect.model.view", "diagnostics.report.finding", "actions.plans.plan", "tui.main"):
        assert place.origin_of(f"dnet_tui.{module}").is_relative_to(place.packages)
    assert place.dnet_tui("--version").stdout.startswith("dnet-tui ")
    assert "masq-missing" in place.dnet_tui("checks").stdout
    assert "What it finds" in place.dnet_tui("explain", "masq-missing").stdout
    doctor = place.dnet_tui("doctor", "--snapshot", "host.json")
    assert doctor.returncode == 0, doctor.stderr
    assert "Healthy" in doctor.stdout


def test_the_wheel_holds_every_source_file_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if not name.partition("/")[0].endswith(".dist-info")}
    sources = {
        f"dnet_tui/{file.relative_to(ROOT)}"
        for room in ROOMS
        for file in (ROOT / room).rglob("*")
        if file.suffix in {".py", ".tcss", ".md", ".json"} or file.name == "py.typed"
    }

    assert packed == sources


def test_an_installed_wheel_runs_without_the_repository(installed: Installed) -> None:
    check_it_runs(installed)


def test_an_installed_wheel_has_the_app(installed: Installed) -> None:
    origin = installed.origin_of("dnet_tui.tui.app.app")

    assert origin.is_relative_to(installed.packages)


def test_the_sdist_holds_real_files_not_links_out_of_it(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        members = archive.getmembers()

    assert [item.name for item in members if item.issym() or item.islnk()] == []
    assert any(item.name.endswith("/src/dnet_tui/inspect/model/view.py") and item.size > 1000 for item in members)


def test_a_wheel_built_from_the_sdist_runs(sdist: Path, tmp_path: Path) -> None:
    unpacked = tmp_path / "unpacked"
    unpacked.mkdir()
    assert run("tar", "-xzf", sdist, "-C", unpacked, cwd=tmp_path).returncode == 0
    (source,) = unpacked.iterdir()
    (tmp_path / "wheel").mkdir()

    check_it_runs(Installed(tmp_path / "elsewhere", build("wheel", source, tmp_path / "wheel")))
