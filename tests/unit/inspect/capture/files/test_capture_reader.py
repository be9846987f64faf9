"""Files of other programs and of ours are read; damaged and hostile ones end with a note."""

from __future__ import annotations

import gzip
import random
import struct
from pathlib import Path

import pytest

from dnet_tui.inspect.capture.decode import clock, timestamp
from dnet_tui.inspect.capture.files.capture_reader import MOST_BYTES, CaptureReader, FilePoint
from dnet_tui.inspect.capture.files.pcapng_blocks import FileInterface, FileStatistics
from dnet_tui.inspect.capture.files.pcapng_writer import PcapngWriter
from dnet_tui.inspect.capture.packet import ETHERNET, OUTGOING, RAW_IP, CapturedPacket
from dnet_tui.inspect.errors import DnetError
from unit.builders.packets import TIME, A, ethernet, icmp, ipv4, packet

FRAME = ethernet(ipv4(1, icmp(8, 0, b"x" * 57, 5, 1)))
POINTS = [
    FileInterface(name=name, description="", linktype=ETHERNET, snaplen=262_144) for name in ("web:eth0", "docker0")
]
PACKETS = [packet(FRAME), packet(FRAME, point=1, reception=OUTGOING, time_ns=TIME + 7, length=1500)]


def read(path: Path) -> tuple[list[CapturedPacket], CaptureReader]:
    reader = CaptureReader(str(path), [])
    packets = list(reader.packets())
    reader.close()
    return packets, reader


def ours(path: Path, packets: list[CapturedPacket] = PACKETS) -> Path:
    writer = PcapngWriter(str(path), POINTS, names={A: "web", "fd00::2": "six"})
    writer.write(packets)
    writer.close([FileStatistics(received=1, dropped=0)] * 2)
    return path


def pcap(order: str, magic: int, linktype: int, *packets: tuple[int, int, bytes]) -> bytes:
    data = struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 262_144, linktype)
    for seconds, fraction, body in packets:
        data += struct.pack(f"{order}IIII", seconds, fraction, len(body), len(body)) + body
    return data


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    packets, reader = read(ours(tmp_path / "a.pcapng"))
    assert packets == PACKETS
    assert [point.label for point in reader.points] == ["web:eth0", "docker0"]
    assert reader.names == {A: "web", "fd00::2": "six"}
    assert reader.notes == []


def test_sections_one_after_the_other_are_read(tmp_path: Path) -> None:
    data = ours(tmp_path / "a.pcapng").read_bytes()
    (tmp_path / "b.pcapng").write_bytes(data + data)
    packets, reader = read(tmp_path / "b.pcapng")
    assert [item.point for item in packets] == [0, 1, 0, 1]
    assert len(reader.points) == 2


def test_a_compressed_file_is_read(tmp_path: Path) -> None:
    data = ours(tmp_path / "a.pcapng").read_bytes()
    (tmp_path / "a.pcapng.gz").write_bytes(gzip.compress(data))
    assert read(tmp_path / "a.pcapng.gz")[0] == PACKETS


def test_zstd_without_a_library_says_how_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dnet_tui.inspect.capture.files.capture_reader._ZSTD_MODULES", ())
    (tmp_path / "a.zst").write_bytes(b"\x28\xb5\x2f\xfd" + bytes(20))
    with pytest.raises(DnetError) as caught:
        CaptureReader(str(tmp_path / "a.zst"), [])
    assert "zstd -dc" in caught.value.hint


@pytest.mark.parametrize(
    ("order", "magic", "nanoseconds"),
    [
        ("<", 0xA1B2C3D4, 123_000),
        (">", 0xA1B2C3D4, 123_000),
        ("<", 0xA1B23C4D, 123),
        (">", 0xA1B23C4D, 123),
    ],
)
def test_pcap_of_any_byte_order_and_resolution_is_read(
    tmp_path: Path, order: str, magic: int, nanoseconds: int
) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap(order, magic, 1, (5, 123, FRAME)))
    (got,), reader = read(path)
    assert (got.time_ns, got.data, got.linktype) == (5_000_000_000 + nanoseconds, FRAME, ETHERNET)
    assert [point.label for point in reader.points] == ["a.pcap"]


def test_other_link_types_are_brought_to_ours(tmp_path: Path) -> None:
    body = FRAME[14:]
    cooked = struct.pack("!HHH8sH", 4, 1, 6, b"\2\x42\n\0\0\2", 0x0800) + body
    cases = {101: (RAW_IP, body, body), 0: (RAW_IP, b"\2\0\0\0" + body, body)}
    for kind, (linktype, data, expected) in cases.items():
        (tmp_path / "a.pcap").write_bytes(pcap("<", 0xA1B2C3D4, kind, (5, 0, data)))
        ((got,), _) = read(tmp_path / "a.pcap")
        assert (got.linktype, got.data) == (linktype, expected)
    (tmp_path / "a.pcap").write_bytes(pcap("<", 0xA1B2C3D4, 113, (5, 0, cooked)))
    ((got,), _) = read(tmp_path / "a.pcap")
    assert (got.data[6:], got.reception) == (FRAME[6:], OUTGOING)


def test_an_unknown_link_type_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.pcap").write_bytes(pcap("<", 0xA1B2C3D4, 147, (5, 0, FRAME)))
    packets, reader = read(tmp_path / "a.pcap")
    assert (packets, len(reader.notes)) == ([], 1)
    assert "link type 147" in reader.notes[0]


def test_what_ends_too_early_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    whole = ours(tmp_path / "a.pcapng", PACKETS * 2).read_bytes()
    (tmp_path / "b.pcapng").write_bytes(whole[: len(whole) - 2 * 108 - 60])
    packets, reader = read(tmp_path / "b.pcapng")
    assert 1 <= len(packets) < 4
    assert "cut off" in reader.notes[0]


def test_a_length_that_lies_is_not_believed(tmp_path: Path) -> None:
    head = pcap("<", 0xA1B2C3D4, 1)
    (tmp_path / "a.pcap").write_bytes(head + struct.pack("<IIII", 1, 1, MOST_BYTES + 1, 60) + b"x" * 100)
    packets, reader = read(tmp_path / "a.pcap")
    assert packets == []
    assert "16777217 bytes" in reader.notes[0]


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no capture")
    with pytest.raises(DnetError, match="no capture file"):
        CaptureReader(str(tmp_path / "notes.txt"), [])
    with pytest.raises(DnetError, match="No such file"):
        CaptureReader(str(tmp_path / "none"), [])


def test_broken_files_never_raise(tmp_path: Path) -> None:
    chance = random.Random(3)  # noqa: S311 - not a secret
    good = [ours(tmp_path / "a.pcapng").read_bytes(), pcap("<", 0xA1B2C3D4, 113, (5, 1, FRAME), (6, 1, FRAME))]
    path = tmp_path / "broken"
    for _ in range(1500):
        data = bytearray(chance.choice(good))
        for _ in range(chance.randrange(1, 6)):
            data[chance.randrange(4, len(data))] = chance.randrange(256)
        path.write_bytes(data[: chance.randrange(5, len(data) + 1)])
        read(path)


def test_two_files_share_their_points(tmp_path: Path) -> None:
    points: list[FilePoint] = []
    for name in ("a.pcap", "b.pcap"):
        (tmp_path / name).write_bytes(pcap("<", 0xA1B2C3D4, 1, (5, 0, FRAME)))
        reader = CaptureReader(str(tmp_path / name), points)
        list(reader.packets())
        reader.close()
    assert [item.label for item in points] == ["a.pcap", "b.pcap"]


@pytest.mark.parametrize(("count", "shown"), [(1 << 63, "9987-"), (0, "1970-")])
def test_a_time_that_no_calendar_has_is_cut_and_said(tmp_path: Path, count: int, shown: str) -> None:
    # Seconds as units, and an offset of years before the count began.
    options = struct.pack("<HHB3xHHqI", 9, 1, 0, 14, 8, -(1 << 40), 0)
    interface = struct.pack("<IIHHI", 1, 20 + len(options), ETHERNET, 0, 0) + options
    body = struct.pack("<IIIII", 0, count >> 32, count & 0xFFFFFFFF, len(FRAME), len(FRAME)) + FRAME
    body += bytes(-len(body) % 4)
    file = tmp_path / "odd.pcapng"
    file.write_bytes(
        struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
        + interface
        + struct.pack("<I", 20 + len(options))
        + struct.pack("<II", 6, 12 + len(body))
        + body
        + struct.pack("<I", 12 + len(body))
    )
    (packet,), reader = read(file)
    assert timestamp(packet.time_ns).startswith(shown)
    assert clock(packet.time_ns)
    assert reader.notes == ["odd.pcapng: 1 packets have times before 1970 or after the year 9987"]
