from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from dnet_tui.inspect.capture.points import CapturePoint
from dnet_tui.inspect.capture.tap import CaptureOptions
from dnet_tui.inspect.errors import UsageError
from dnet_tui.tui.commands import capture as command
from dnet_tui.tui.commands.capture import _listening, capture
from dnet_tui.tui.commands.packet_capture import capture_points
from dnet_tui.tui.commands.packet_capture.capture_output import CaptureFormat, LineOutput
from unit.builders.factories import docker_like_snapshot
from unit.builders.packets import A, B, ethernet, icmp, ipv4, packet

PING = packet(ethernet(ipv4(1, icmp(8, 0, b"x" * 56, 5, 1))), reception=4)


@pytest.fixture(autouse=True)
def _no_ssh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "own_ssh_filter", lambda: "")
    monkeypatch.setattr(capture_points, "snapshot_from", lambda *_: docker_like_snapshot())


def printed(capsys: pytest.CaptureFixture[str], output: CaptureFormat, names: dict[str, str]) -> str:
    LineOutput(["web:eth0"], names, output).take([PING], 0)
    return capsys.readouterr().out


def test_a_packet_in_json_is_one_line_with_every_field(capsys: pytest.CaptureFixture[str]) -> None:
    line = printed(capsys, "json", {})
    assert line.count("\n") == 1
    assert json.loads(line) == {
        "time": "2026-09-21T14:13:20.123456789Z",
        "point": "web:eth0",
        "direction": "out",
        "src": A,
        "dst": B,
        "proto": "ICMP",
        "sport": None,
        "dport": None,
        "length": len(PING.data),
        "info": "echo request, id 5, seq 1, length 64",
    }


def test_a_packet_in_text_is_one_line_with_names(capsys: pytest.CaptureFixture[str]) -> None:
    line = printed(capsys, "text", {B: "db"})
    assert line.endswith(f" web:eth0 out {A} > {B} (db) ICMP echo request, id 5, seq 1, length 64\n")


def test_what_is_listened_to_is_said() -> None:
    point = CapturePoint(namespace="n", ifindex=2, interface="docker0", label="docker0", description="network bridge")
    assert (
        _listening([point], CaptureOptions(filter=" icmp ")) == "listening on docker0 (network bridge), filter “icmp”"
    )


def test_the_left_out_ssh_session_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "own_ssh_filter", lambda: "tcp")
    assert "--all-ssh" in _listening([], CaptureOptions())
    assert "--all-ssh" not in _listening([], CaptureOptions(own_ssh=True))


def test_a_wrong_filter_is_found_before_the_host_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = SimpleNamespace(at=False)
    monkeypatch.setattr(capture_points, "snapshot_from", lambda *_: setattr(looked, "at", True))
    with pytest.raises(UsageError, match="syntax error"):
        capture(["web"], expression="icmp and")
    assert not looked.at


def test_an_unknown_point_is_a_usage_error_with_what_is_near() -> None:
    with pytest.raises(UsageError) as caught:
        capture(["wbe"])
    assert "web" in caught.value.hint


def test_lines_and_file_cannot_share_stdout() -> None:
    with pytest.raises(UsageError, match="stdout"):
        capture(["web"], write="-", output="json")


@pytest.mark.parametrize(
    ("points", "drops", "message", "example"),
    [
        (None, True, "--drops needs the containers", "capture --drops web"),
        (["along"], False, "FROM and TO are missing", "capture along web 203.0.113.9:443"),
        (["along", "db"], False, "TO is missing", "capture along db 203.0.113.9:443"),
        (["along", "web", "db", "x"], False, "it takes FROM and TO alone", "capture along web"),
        (None, False, "A POINT to capture at is needed", "capture web"),
    ],
)
def test_what_is_missing_is_named_with_an_example(
    points: list[str] | None,
    drops: bool,
    message: str,
    example: str,
) -> None:
    with pytest.raises(UsageError) as caught:
        capture(points, drops=drops)
    assert message in caught.value.message
    assert example in caught.value.hint
