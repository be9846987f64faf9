from __future__ import annotations

import subprocess

import pytest

from dnet_tui.inspect.capture.bpf import check_filter
from dnet_tui.inspect.capture.own_ssh import own_ssh_filter
from dnet_tui.inspect.capture.tap import CaptureOptions, full_expression


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (
            "198.51.100.7 50222 203.0.113.2 22",
            "tcp and host 198.51.100.7 and port 50222 and host 203.0.113.2 and port 22",
        ),
        ("fe80::7%eth0 50222 fe80::2%eth0 22", "tcp and host fe80::7 and port 50222 and host fe80::2 and port 22"),
    ],
)
def test_the_session_becomes_a_filter_that_compiles(value: str, expected: str) -> None:
    assert own_ssh_filter({"SSH_CONNECTION": value}) == expected
    check_filter(expected)


@pytest.mark.parametrize(
    "value",
    ["", "x", "1.2.3.4 5 6.7.8.9", "1.2.3.4 or 6.7.8.9 22", "1.2.3.4 70000 6.7.8.9 22", "1.2.3.4) 5 6.7.8.9 22"],
)
def test_what_is_no_session_excludes_nothing(value: str) -> None:
    assert own_ssh_filter({"SSH_CONNECTION": value}) == ""


def test_an_ancestors_session_counts_because_sudo_drops_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A grandchild without the variable still finds it."""
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    with subprocess.Popen(
        ["/bin/sh", "-c", "echo started; read end"],
        env={"SSH_CONNECTION": "198.51.100.7 50222 203.0.113.2 22"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "started\n"  # before its exec is done, its environment reads as empty
        monkeypatch.setattr("os.getppid", lambda: child.pid)
        assert "port 50222" in own_ssh_filter()
        child.communicate("\n")


def test_the_persons_filter_is_kept_whole_beside_the_exclusion(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_CONNECTION", "198.51.100.7 50222 203.0.113.2 22")
    whole = full_expression(CaptureOptions(filter="icmp or tcp"))
    assert whole.endswith("and (icmp or tcp)")
    check_filter(whole)
    assert full_expression(CaptureOptions(filter="icmp or tcp", own_ssh=True)) == "icmp or tcp"
    assert full_expression(CaptureOptions()).startswith("not (tcp and host 198.51.100.7")
