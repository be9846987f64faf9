from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dnet_tui.actions.demo import build
from dnet_tui.actions.demo.sandbox import Sandbox, inner_environment, module_argv
from dnet_tui.actions.demo.service import page
from dnet_tui.inspect.errors import DnetError


@pytest.fixture
def lifeline() -> Iterator[socket.socket]:
    one, other = socket.socketpair()
    with one, other:
        yield one


def _sandbox(lifeline: socket.socket, *, user: bool) -> Sandbox:
    with subprocess.Popen(["true"]) as holder:
        pass
    return Sandbox(pid=42, user=user, holder=holder, lifeline=lifeline)


def test_entering_keeps_the_credentials_of_a_user_namespace(lifeline: socket.socket) -> None:
    assert _sandbox(lifeline, user=True).enter_argv(["ip", "link"]) == (
        [
            "nsenter",
            "-t",
            "42",
            "--user",
            "--preserve-credentials",
            "--net",
            "--mount",
            "--pid",
            "--uts",
            "--",
            "ip",
            "link",
        ]
    )
    assert "--user" not in _sandbox(lifeline, user=False).enter_argv(["ip", "link"])


def test_the_folder_is_entered_after_the_mount_namespace(lifeline: socket.socket) -> None:
    assert _sandbox(lifeline, user=False).enter_argv(["ls"], cwd="/a b")[-4:] == ["env", "-C", "/a b", "ls"]


def test_engines_outside_are_not_named_to_programs_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DOCKER_HOST", "CONTAINER_HOST", "DOCKER_CONTEXT", "XDG_RUNTIME_DIR"):
        monkeypatch.setenv(name, "/outside")
    monkeypatch.setenv("TERM", "xterm")
    environment = inner_environment({"EXTRA": "1"})
    assert "/outside" not in environment.values()
    assert (environment["TERM"], environment["EXTRA"]) == ("xterm", "1")


def test_programs_inside_find_this_package() -> None:
    places = inner_environment()["PYTHONPATH"].split(":")
    assert any(Path(place, "dnet_tui", "actions", "demo", "init_process.py").is_file() for place in places)


def test_modules_never_come_from_the_current_folder() -> None:
    assert "-P" in module_argv("dnet_tui.tui.main", site=True)
    assert "-S" not in module_argv("dnet_tui.tui.main", site=True)
    assert "-S" in module_argv("dnet_tui.actions.demo.init_process")


def test_nothing_is_built_on_the_machine_itself() -> None:
    with pytest.raises(DnetError, match="not a disposable host"):
        build.require_private_host()


def test_a_service_says_its_name_with_the_right_length() -> None:
    head, _, body = page("wéb").partition(b"\r\n\r\n")
    assert body == "wéb\n".encode()
    assert b"Content-Length: 5\r\n" in head + b"\r\n"
