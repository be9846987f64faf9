"""What the other Python is given: the right files, and what pip is configured with."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dnet_tui.inspect.errors import DnetError
from lab.releases import pip_settings, second_python


def test_the_other_python_is_another() -> None:
    _, version = second_python.other_release()
    assert version != f"{sys.version_info[0]}.{sys.version_info[1]}"


def test_paths_are_taken_out_of_settings(tmp_path: Path) -> None:
    (tmp_path / "index" / "simple").mkdir(parents=True)
    lines = [
        "global.constraint='/etc/constraints.txt'",
        f"global.extra-index-url='https://index.example/simple file://{tmp_path}/index/simple'",
        "global.timeout='60'",
    ]
    assert list(pip_settings.paths_in(lines)) == ["/etc/constraints.txt", f"{tmp_path}/index"]


def test_what_lies_in_another_path_is_lent_with_it(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    paths = [tmp_path / "a" / "b", tmp_path / "a", tmp_path / "gone", Path("/")]
    assert pip_settings.outermost(paths) == (tmp_path / "a",)


def test_the_copy_follows_the_checkout(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    subprocess.run(["git", "init", "-q", str(source)], check=True)
    (source / ".gitignore").write_text("ignored\n")
    (source / "ignored").write_text("x")
    (source / "kept.py").write_text("1")
    (source / "gone.py").write_text("2")
    (source / "link").symlink_to("kept.py")
    second_python.copy(source, target)
    before = (target / "kept.py").stat().st_mtime_ns
    (source / "gone.py").unlink()
    (source / "kept.py").touch()
    (source / "link").unlink()
    (source / "link").symlink_to("new.py")
    (source / "new.py").write_text("3")
    second_python.copy(source, target)
    assert {path.name for path in target.iterdir()} == {".gitignore", "kept.py", "link", "new.py"}
    assert (target / "kept.py").stat().st_mtime_ns == before
    assert (target / "link").readlink() == Path("new.py")


def test_what_is_no_checkout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DnetError, match="isn't a checkout"):
        second_python.copy(tmp_path, tmp_path / "target")
