"""The versions of what dnet-tui needs: the lock fits the bounds, and every bound names a version."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
ASKED = [Requirement(item) for item in (*PROJECT["dependencies"], *EXTRAS["dev"], *EXTRAS["docs"])]
LOCK = (ROOT / "script" / "dev.lock").read_text()


def test_the_lock_has_a_version_of_every_package_that_is_asked_for_within_its_bounds() -> None:
    locked = dict(re.findall(r"^([\w.-]+)==([\w.]+)", LOCK, re.MULTILINE))
    assert [str(item) for item in ASKED if not item.specifier.contains(locked.get(item.name, "0"))] == []


def test_every_locked_package_has_hashes_and_no_index_is_named() -> None:
    packages = re.split(r"^(?=\w)", LOCK, flags=re.MULTILINE)[1:]
    assert len(packages) > 30
    assert [text.split()[0] for text in packages if "--hash=sha256:" not in text] == []
    assert "://" not in LOCK


def test_the_oldest_versions_are_those_of_the_bounds() -> None:
    argv = [sys.executable, str(ROOT / "script" / "oldest-versions"), "--list"]
    listed = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60).stdout.split()
    bounds = {item.name: item.specifier for item in ASKED}
    named = dict(item.split("==") for item in listed)
    assert named.keys() >= {Requirement(item).name for item in PROJECT["dependencies"]}
    assert [name for name, version in named.items() if f">={version}" not in str(bounds[name])] == []
