from __future__ import annotations

import pytest

from dnet_tui.inspect.capture.board.display_filter import FilterError, display_filter
from dnet_tui.inspect.capture.correlation.correlator import correlate
from dnet_tui.inspect.capture.correlation.packet_row import PacketRow
from unit.builders.packets import TIME, A, B, ethernet, ipv4, packet, tcp, udp

LABELS = ("web:eth0", "eth0")
NAMES = {A: "web"}
LOST = ["a point that it did not come to"]


def row(payload: bytes, proto: int = 17, translated: str = "") -> PacketRow:
    frames = [packet(ethernet(ipv4(proto, payload)))]
    if translated:
        frames.append(packet(ethernet(ipv4(proto, payload, src=translated)), point=1, time_ns=TIME + 1))
    return correlate(frames, 2)[0]


DATAGRAM = row(udp(b"a question that is told", dport=53), translated="203.0.113.2")
SEGMENT = row(tcp(2), 6)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", [True, True]),
        ("udp", [True, False]),
        ("not udp", [False, True]),
        ("host web", [True, True]),
        (f"host {B}", [True, True]),
        ("host 203.0.113.2", [True, False]),
        ("host 203.0.113.20", [False, False]),
        ("port 80", [False, True]),
        ("port 8", [False, False]),
        ("dns or port 80", [True, True]),
        ("translated", [True, False]),
        ("at eth0", [True, False]),
        ("lost", [False, False]),
        ("host web and (tcp or port 9)", [False, True]),
        ("not not tcp", [False, True]),
    ],
)
def test_rows_are_chosen(text: str, shown: list[bool]) -> None:
    test = display_filter(text, LABELS, NAMES)
    assert [test(DATAGRAM, []), test(SEGMENT, [])] == shown


def test_what_got_lost_is_chosen() -> None:
    assert display_filter("lost", LABELS, NAMES)(SEGMENT, LOST)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("port http", "“http” (character 6)"),
        ("host", "at its end"),
        ("port ²", "“²” (character 6)"),
        ("tcp udp", "“udp” (character 5)"),
        ("(tcp", "at its end"),
        ("at docker0", "“docker0” (character 4)"),
        ("frob", "“frob” (character 1)"),
        ("(" * 60 + "tcp", "parentheses"),
    ],
)
def test_an_error_says_where(text: str, where: str) -> None:
    with pytest.raises(FilterError) as caught:
        display_filter(text, LABELS, NAMES)
    assert where in caught.value.message
    wrong = caught.value
    if wrong.length:
        assert f"“{text[wrong.position : wrong.position + wrong.length]}”" in wrong.message
    else:
        assert wrong.position == len(text)
