from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dnet_tui.inspect.capture.files.pcapng_blocks import FileInterface
from dnet_tui.inspect.capture.files.pcapng_writer import PcapngWriter
from dnet_tui.inspect.capture.points import CapturePoint
from dnet_tui.inspect.capture.tap import CaptureOptions
from dnet_tui.inspect.errors import UsageError
from dnet_tui.tui.commands import capture as command
from dnet_tui.tui.commands.capture import LossReports, _listening, capture
from dnet_tui.tui.commands.packet_capture import capture_points
from dnet_tui.tui.commands.packet_capture.capture_output import CaptureFormat, LineOutput
from dnet_tui.tui.commands.packet_capture.capture_read import FileOptions, read_files
from unit.builders.factories import docker_like_snapshot
from unit.builders.packets import MAC_B, TIME, A, B, ethernet, icmp, ipv4, packet

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


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = str(tmp_path / "two.pcapng")
    interfaces = [FileInterface(name=name, description="", linktype=1, snaplen=9000) for name in ("web:eth0", "br0")]
    writer = PcapngWriter(path, interfaces)
    for number in range(2):
        ping = ethernet(ipv4(1, icmp(8, 0, b"x" * 56, 5, number)))
        writer.write(packet(ping, point=point, time_ns=TIME + number * 1_000_000 + point) for point in (0, 1))
    writer.close()
    return path


def test_one_packet_of_a_file_is_shown_with_its_fields_and_its_bytes(
    file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    read_files([file], FileOptions(output="text", packet=2))
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].endswith("[#2]")
    assert f"  IPv4: {A} > {B}" in lines
    assert "    sequence number: 1" in lines
    assert [line for line in lines if line.startswith("0x0000:")] == [
        "0x0000:  0242 0a00 0003 0242 0a00 0002 0800 4500  .B.....B......E."
    ]
    assert sum("[#" in line for line in lines) == 1
    read_files([file], FileOptions(output="json", packet=2))
    shown = json.loads(capsys.readouterr().out)
    assert [layer["name"] for layer in shown["layers"]] == ["Ethernet", "IPv4", "ICMP", "payload"]
    assert (shown["number"], bytes.fromhex(shown["bytes"])[:6]) == (2, MAC_B)


def test_detail_shows_every_packet_in_full(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    read_files([file], FileOptions(output="text", detail=True))
    assert capsys.readouterr().out.count("0x0000:") == 2
    LineOutput(["web:eth0"], {}, "text", detail=True).take([PING], 0)
    assert capsys.readouterr().out.count("0x0000:") == 1


def test_a_packet_that_is_not_in_the_file_is_said(file: str) -> None:
    with pytest.raises(UsageError, match="no packet #3: there are 2"):
        read_files([file], FileOptions(output="text", packet=3))


def test_a_packet_s_number_is_one_of_a_file() -> None:
    with pytest.raises(UsageError, match="goes with --read"):
        capture(["web"], packet=1)


def test_loss_is_said_while_it_happens_and_once_a_second_at_most(capsys: pytest.CaptureFixture[str]) -> None:
    clock, dropped = [0.0], [0]
    running: Any = SimpleNamespace(statistics=lambda: (SimpleNamespace(label="docker0", dropped=dropped[0]),))
    losses = LossReports(running, lambda: clock[0])
    said = []
    for moment, number in ((0.5, 7), (1.1, 7), (1.5, 9), (2.2, 9), (3.3, 9)):
        clock[0], dropped[0] = moment, number
        losses.say()
        said.append(capsys.readouterr().err)
    assert [text.partition("dropped ")[2].partition(" packets")[0] for text in said] == ["", "7", "", "9", ""]
