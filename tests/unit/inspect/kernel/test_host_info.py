"""Whether the running kernel's modules are still there."""

from __future__ import annotations

from pathlib import Path

import pytest

from dnet_tui.inspect.kernel.host_info import read_host, read_modules_present
from dnet_tui.inspect.model import Resolver

RUNNING, INSTALLED = "6.1.0-13-amd64", "6.1.0-18-amd64"


@pytest.fixture
def loaded(tmp_path: Path) -> Path:
    path = tmp_path / "modules"
    path.write_text("veth 45056 0 - Live 0x0000000000000000\n")
    return path


def _install(root: Path, *releases: str, where: str = "lib/modules") -> None:
    for release in releases:
        (root / where / release).mkdir(parents=True)
        (root / where / release / "modules.dep").touch()


def _read(root: Path, loaded: Path) -> bool | None:
    return read_modules_present(RUNNING, str(root), str(loaded))


def test_modules_that_are_there(tmp_path: Path, loaded: Path) -> None:
    _install(tmp_path, RUNNING, INSTALLED)
    assert _read(tmp_path, loaded) is True


def test_modules_that_went_with_an_update(tmp_path: Path, loaded: Path) -> None:
    _install(tmp_path, INSTALLED)
    assert _read(tmp_path, loaded) is False


def test_a_folder_that_an_update_left_empty_holds_no_modules(tmp_path: Path, loaded: Path) -> None:
    _install(tmp_path, INSTALLED)
    (tmp_path / "lib/modules" / RUNNING).mkdir()
    assert _read(tmp_path, loaded) is False


def test_they_are_found_under_usr_as_well(tmp_path: Path, loaded: Path) -> None:
    _install(tmp_path, RUNNING, where="usr/lib/modules")
    assert _read(tmp_path, loaded) is True


def test_a_host_without_any_modules_is_not_missing_some(tmp_path: Path, loaded: Path) -> None:
    assert _read(tmp_path, loaded) is None
    (tmp_path / "lib/modules").mkdir(parents=True)
    assert _read(tmp_path, loaded) is None


def test_a_kernel_with_all_built_in_misses_nothing(tmp_path: Path, loaded: Path) -> None:
    """As of a virtual machine whose kernel comes from outside, beside the distribution's modules."""
    _install(tmp_path, INSTALLED)
    loaded.write_text("")
    assert _read(tmp_path, loaded) is None
    loaded.unlink()
    assert _read(tmp_path, loaded) is None


@pytest.mark.parametrize("release", ["", "../../etc", ".."])
def test_an_odd_name_leads_nowhere(tmp_path: Path, loaded: Path, release: str) -> None:
    _install(tmp_path, INSTALLED)
    assert read_modules_present(release, str(tmp_path), str(loaded)) is None


def test_the_machine_is_told_with_its_resolver() -> None:
    resolver = Resolver(source="/etc/resolv.conf")
    host = read_host(resolver)
    assert host.kernel
    assert host.resolver == resolver
