"""``dnet-tui demo`` from the outside: what it runs, how it ends, and that nothing stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dnet_tui.actions.demo.faults import EVERY_FAULT
from dnet_tui.actions.demo.sandbox import inner_environment
from lab.machines.hosts import LAB_ID, LAB_VARIABLE, dnet_argv
from lab.machines.leaks import census, left_behind
from lab.machines.requirements import require_lab

NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "env")
"""Runs the rest as ``nobody``; only ``env`` is still started with root's capabilities, the rest really has none."""


@pytest.fixture(autouse=True)
def _lab_runs_here_and_stays_clean() -> Iterator[None]:
    require_lab()
    before = census(LAB_ID)
    yield
    assert left_behind(before, LAB_ID) == []


def _environment(**extra: str) -> dict[str, str]:
    return inner_environment({LAB_VARIABLE: LAB_ID, "SHELL": "/bin/sh", "ENV": "", "PS1": "", **extra})


def _demo(*arguments: str, stdin: str = "", **extra: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        dnet_argv("demo", *arguments),
        input=stdin,
        env=_environment(**extra),
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_faults_are_listed() -> None:
    result = _demo("--list-faults")
    assert result.returncode == 0
    assert [line.split()[0] for line in result.stdout.splitlines()] == [fault.id for fault in EVERY_FAULT]


def test_arguments_are_run_by_dnet_tui_on_the_demo_host() -> None:
    result = _demo("--", "--version")
    assert (result.returncode, result.stdout.split()[0]) == (0, "dnet-tui")
    assert "vanishes" in result.stderr


def test_the_exit_code_is_that_of_what_ran() -> None:
    assert _demo("--", "no-such-command").returncode == 2
    assert _demo("--shell", stdin="exit 7").returncode == 7
    assert _demo("--shell", stdin="kill -9 $$").returncode == 128 + 9


@pytest.mark.parametrize("options", [(), ("--user",)])
def test_a_shell_sees_the_demo_host_with_its_fault(options: tuple[str, ...]) -> None:
    script = "hostname; ls /run/netns; iptables-nft-save -t nat | grep -c -- '-s 172.30.1.0/24 ! -o br-front'; id -u"
    result = _demo("--fault", "masq-missing", *options, "--shell", stdin=script)
    assert result.stdout.split() == ["demo", "api", "db", "internet", "vault", "web", "0", "0"], result.stderr
    healthy = _demo(*options, "--shell", stdin=script)
    assert healthy.stdout.split()[-2] == "1"


def test_engines_named_in_the_environment_are_not_reached() -> None:
    result = _demo("--shell", stdin="echo [$DOCKER_HOST]", DOCKER_HOST="unix:///somewhere.sock")
    assert result.stdout.strip() == "[]"


def test_the_current_folder_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert _demo("--shell", stdin="pwd").stdout.strip() == str(tmp_path)


def test_an_unknown_fault_is_a_usage_error() -> None:
    result = _demo("--fault", "no-such-fault")
    assert result.returncode == 2
    assert "masq-missing" in result.stderr


def test_a_shell_with_arguments_is_a_usage_error() -> None:
    assert _demo("--shell", "--", "doctor").returncode == 2


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, 128 + 15), (signal.SIGHUP, 128 + 1)])
def test_a_signal_takes_the_host_down(signum: signal.Signals, code: int) -> None:
    with _running("sleep 60\n") as process:
        process.send_signal(signum)
        assert process.wait(timeout=60) == code


def test_ctrl_c_ends_what_runs_and_then_the_host() -> None:
    with _running("exec sleep 60\n") as process:
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to everything in front
        # A program without a handler dies of it, which nsenter can only report as a failure; dnet-tui itself exits 130.
        assert process.wait(timeout=60) != 0


def test_ctrl_c_lets_what_runs_finish_in_its_own_way() -> None:
    with _running("trap 'sleep 0.3; echo finished; exit 5' INT; sleep 60\n") as process:
        os.killpg(process.pid, signal.SIGINT)
        assert process.stdout is not None
        assert process.stdout.read() == b"finished\n"
        assert process.wait(timeout=60) == 5


def test_killing_the_command_takes_the_host_down() -> None:
    with _running("sleep 60\n") as process:
        process.kill()
        process.wait()
        assert left_behind(census("nothing"), LAB_ID, limit=10) == []


def _running(script: str) -> subprocess.Popen[bytes]:
    """Start ``demo --shell`` as a terminal's foreground job; return it when its shell runs ``script``."""
    process = subprocess.Popen(
        dnet_argv("demo", "--shell"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=_environment(),
        process_group=0,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"echo here; {script}".encode())
    process.stdin.flush()
    assert process.stdout.readline() == b"here\n"
    time.sleep(0.1)  # until the shell has started the command after it
    return process


def test_it_works_for_an_unprivileged_user() -> None:
    python = _python_for_nobody()
    if python is None:
        pytest.skip("no Python of this version that an unprivileged user may run, or the program can't be read by one")
    argv = [*NOBODY, *python, "-m", "dnet_tui.tui.main", "demo", "--fault", "masq-missing", "--shell"]
    script = "id -u; cat /proc/self/uid_map; ls /run/netns | wc -l; iptables-nft-save | grep -c MASQUERADE;"
    script += " cat /proc/net/ip_tables_names /proc/net/ip6_tables_names && echo readable"
    result = subprocess.run(
        argv, input=script, capture_output=True, text=True, cwd="/", env=_environment_for_nobody(), check=False
    )
    assert result.stdout.split() == ["0", "0", "65534", "1", "5", "2", "readable"], result.stderr


def _python_for_nobody() -> list[str] | None:
    """Return the start of a command by which an unprivileged user can run this program, if there is one."""
    if os.geteuid() != 0:
        return None
    for candidate in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
        argv = [*NOBODY, candidate, "-B", "-P", "-c", "import msgspec, typer, dnet_tui.tui.main"]
        try:
            done = subprocess.run(argv, env=_environment_for_nobody(), cwd="/", capture_output=True, check=False)
        except OSError:
            continue
        if done.returncode == 0:
            return [candidate, "-B", "-P"]
    return None


def _environment_for_nobody() -> dict[str, str]:
    return _environment(PYTHONPATH=os.pathsep.join(path for path in sys.path if path), HOME="/", PYTHONWARNINGS="")
