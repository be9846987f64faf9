"""The Docker daemon's settings, from its arguments, its file and its version."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dnet_tui.inspect.engines.docker import daemon
from dnet_tui.inspect.engines.docker.daemon import (
    DaemonSettings,
    option,
    parse_argv,
    parse_settings,
    read_settings,
    with_settings,
)
from dnet_tui.inspect.kernel.cgroups import CgroupContainer
from dnet_tui.inspect.kernel.procfs import ProcessSeen
from dnet_tui.inspect.model import Engine

DOCKERD = ProcessSeen(pid=5, parent=1, start=5, name="dockerd", inode=1)


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (("dockerd", "--userland-proxy=false"), False),
        (("dockerd", "--userland-proxy=true"), True),
        (("dockerd", "--userland-proxy=F"), False),
        (("dockerd", "--userland-proxy"), True),
        (("dockerd", "--userland-proxy-path=/usr/bin/docker-proxy"), None),
        (("dockerd",), None),
        ((), None),
    ],
)
def test_the_daemons_arguments_tell_of_the_proxy(argv: tuple[str, ...], told: bool | None) -> None:
    assert parse_argv(argv).userland_proxy is told


def test_the_daemons_arguments_tell_of_its_rules_and_sysctls() -> None:
    argv = ("dockerd", "--iptables=false", "--ip6tables", "--ip-forward=0", "--firewall-backend", "nftables")
    assert parse_argv(argv) == DaemonSettings(
        iptables=False, ip6tables=True, ip_forward=False, firewall_backend="nftables"
    )


def test_an_option_is_found_in_both_spellings() -> None:
    assert option(("dockerd", "--config-file", "/x"), "--config-file") == "/x"
    assert option(("dockerd", "--config-file=/x"), "--config-file") == "/x"
    assert option(("dockerd", "--config-file"), "--config-file") == ""


@pytest.mark.parametrize(
    ("raw", "told", "complete"),
    [
        (b'{"userland-proxy": false}', False, True),
        (b"{}", None, True),
        (b"", None, True),
        (b"[1]", None, False),
        (b"{", None, False),
        (b"\xff", None, False),
        (b"[" * 100_000, None, False),
        (b'{"userland-proxy": "no"}', None, False),
    ],
)
def test_the_daemons_file_tells_of_the_proxy(raw: bytes, told: bool | None, complete: bool) -> None:
    found = parse_settings(raw)
    assert (found.userland_proxy, found.complete) == (told, complete)


def test_the_daemons_file_tells_of_its_rules() -> None:
    raw = b'{"iptables": false, "ip-masq": false, "firewall-backend": "nftables", "icc": 7}'
    assert parse_settings(raw) == DaemonSettings(
        iptables=False, ip_masq=False, firewall_backend="nftables", complete=True
    )


@pytest.fixture
def settings_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The settings file of the daemon with PID 5, whose root is that of this process."""
    file = tmp_path / "daemon.json"
    monkeypatch.setattr(daemon, "read_argv", lambda _pid: ("dockerd", f"--config-file={file}"))
    monkeypatch.setattr(daemon, "_root_of", lambda _pid: "")
    return file


def test_without_a_file_the_defaults_hold(settings_file: Path) -> None:
    assert not settings_file.exists()
    engine = with_settings(Engine(name="docker", version="20.10.24"), read_settings([DOCKERD]))
    assert (engine.userland_proxy, engine.iptables, engine.ip_forward, engine.ip_masq) == (True, True, True, True)
    assert engine.ip6tables is False
    assert with_settings(Engine(name="docker", version="28.5.1"), read_settings([DOCKERD])).ip6tables is True
    assert with_settings(Engine(name="docker"), read_settings([DOCKERD])).ip6tables is None


def test_what_the_file_states_goes_before_the_defaults(settings_file: Path) -> None:
    settings_file.write_text('{"iptables": false, "userland-proxy": false}')
    engine = with_settings(Engine(name="docker", version="28.0.0"), read_settings([DOCKERD]))
    assert (engine.iptables, engine.userland_proxy, engine.ip_forward) == (False, False, True)


def test_with_an_unreadable_file_nothing_is_taken_for_the_default(settings_file: Path) -> None:
    settings_file.mkdir()
    engine = with_settings(Engine(name="docker", version="28.0.0"), read_settings([DOCKERD]))
    assert (engine.iptables, engine.userland_proxy, engine.ip6tables) == (None, None, None)


def test_a_file_that_is_a_pipe_is_not_waited_for(settings_file: Path) -> None:
    os.mkfifo(settings_file)
    assert not read_settings([DOCKERD]).complete


def test_of_two_daemons_nothing_is_told(settings_file: Path) -> None:
    settings_file.write_text('{"iptables": false}')
    other = ProcessSeen(pid=6, parent=1, start=6, name="dockerd", inode=1)
    assert read_settings([DOCKERD, other]) == DaemonSettings()


def test_a_daemon_inside_a_container_is_not_this_hosts(settings_file: Path) -> None:
    settings_file.write_text('{"iptables": false}')
    inside = ProcessSeen(
        pid=6, parent=1, start=6, name="dockerd", inode=1, container=CgroupContainer(id="a" * 64, engine="docker")
    )
    assert read_settings([inside]) == DaemonSettings()
    assert read_settings([DOCKERD, inside]).iptables is False


def test_a_running_proxy_proves_that_there_is_one() -> None:
    proxy = ProcessSeen(pid=7, parent=5, start=7, name="docker-proxy", inode=1)
    assert read_settings([proxy]) == DaemonSettings(userland_proxy=True)
