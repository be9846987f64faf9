from __future__ import annotations

import msgspec
import pytest

from dnet_tui.inspect.capture.correlation.correlator import correlate
from dnet_tui.inspect.text.cells import cells
from dnet_tui.tui.reports.capture.missing_point import MissingPoint
from dnet_tui.tui.reports.capture.packet_json import packet_data
from dnet_tui.tui.reports.capture.packet_table import PacketTable, duration
from dnet_tui.tui.reports.capture.table_layout import TableLayout
from unit.builders.packets import TIME, A, B, ethernet, ipv4, packet, udp

LABELS = ("web:eth0", "docker0", "eth0")
BODY = b"a question that is told"
FRAMES = [
    packet(ethernet(ipv4(17, udp(BODY)))),
    packet(ethernet(ipv4(17, udp(BODY, sport=61001), src="203.0.113.2")), point=1, time_ns=TIME + 21_000),
]
MISSING = [MissingPoint(2, "dropped by filter FORWARD rule 1", "-j DROP")]


def test_a_row_has_the_delays_the_change_of_its_tuple_and_where_it_is_missed() -> None:
    table = PacketTable(LABELS, {A: "web"}, 200)
    (row,) = correlate(FRAMES, 3)
    assert table.header() == "time             web:eth0   docker0      eth0  packet\n"
    line = table.line(row, MISSING)
    assert line[15:].startswith("         0     +21µs       NOT  UDP ")
    assert f"UDP {A}:40000 (web) ⇒ 203.0.113.2:61001 > {B}:9 length 23" in line
    assert line.endswith("[#1; NOT at eth0 within 200 ms: dropped by filter FORWARD rule 1]\n")


def test_json_has_a_sighting_for_every_point() -> None:
    (row,) = correlate(FRAMES, 3)
    data = msgspec.to_builtins(packet_data(row, LABELS, {A: "web"}, MISSING, 200))
    assert [(item["point"], item["delay_ns"], item["src"], item["sport"]) for item in data["sightings"]] == [
        ("web:eth0", 0, A, 40000),
        ("docker0", 21_000, "203.0.113.2", 61001),
    ]
    assert data["not_at"] == [
        {"point": "eth0", "waited_ms": 200, "reason": "dropped by filter FORWARD rule 1", "rule": "-j DROP"}
    ]
    assert (data["src_name"], data["dst_name"], data["answers"]) == ("web", None, None)


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [(0, "0ns"), (999, "999ns"), (1_000, "1µs"), (21_340, "21.3µs"), (999_999_999, "1000ms"), (2_100_000_000, "2.1s")],
)
def test_durations_keep_three_digits(nanoseconds: int, text: str) -> None:
    assert duration(nanoseconds) == text


WORDS = (
    "UDP 172.17.0.2:40000 (web) > 203.0.113.9:9 length 23  [#1; NOT at eth0 within 200 ms: dropped by filter FORWARD]"
)
DELAYS = ["0", "+21µs", "NOT"]


@pytest.mark.parametrize("width", [40, 60, 80, 140])
def test_a_table_fits_and_breaks_no_word(width: int) -> None:
    layout = TableLayout(LABELS, width)
    lines = (layout.header() + layout.row("12:34:56.123456", DELAYS, WORDS)).splitlines()
    assert max(map(cells, lines)) <= width
    seen = " ".join(lines).split()
    assert all(word in seen for word in (*WORDS.split(), *DELAYS, "12:34:56.123456"))


def test_the_packet_stands_beside_the_points_or_below_them_or_the_points_are_named() -> None:
    wide, narrow, least = (TableLayout(LABELS, width) for width in (140, 80, 40))
    row = ("12:34:56.123456", DELAYS, WORDS)
    assert wide.header().split() == ["time", *LABELS, "packet"]
    assert wide.row(*row).splitlines()[0].startswith("12:34:56.123456         0     +21µs       NOT  UDP ")
    assert narrow.header().split() == ["time", *LABELS]
    assert narrow.row(*row).splitlines()[:2] == [
        "12:34:56.123456         0     +21µs       NOT",
        "    UDP 172.17.0.2:40000 (web) > 203.0.113.9:9 length 23 [#1; NOT at eth0 within",
    ]
    assert least.row(*row).splitlines()[:2] == ["12:34:56.123456  web:eth0 0", "docker0 +21µs  eth0 NOT"]


def test_into_a_pipe_a_packet_is_one_line() -> None:
    assert TableLayout(LABELS, None).row("12:34:56.123456", DELAYS, WORDS).endswith(f"  {WORDS}\n")
