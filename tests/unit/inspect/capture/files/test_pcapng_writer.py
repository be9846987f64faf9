from __future__ import annotations

import os
import resource
import shutil
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dnet_tui.inspect.capture.files.pcapng_blocks import FileInterface, FileStatistics
from dnet_tui.inspect.capture.files.pcapng_writer import PcapngWriter
from dnet_tui.inspect.capture.packet import ETHERNET, CapturedPacket
from dnet_tui.inspect.errors import DnetError
from unit.builders.packets import TIME, ethernet, icmp, ipv4, packet

FRAME = ethernet(ipv4(1, icmp(8, 0, b"x" * 56, 5, 1)))
WEB = FileInterface(name="web:eth0", description="web", linktype=ETHERNET, snaplen=262144, filter="icmp")
BRIDGE = FileInterface(name="docker0", description="network bridge", linktype=ETHERNET, snaplen=262144)


def blocks(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The file's blocks as (type, body); AssertionError when one isn't whole."""
    at = 0
    while at < len(data):
        kind, total = struct.unpack_from("=II", data, at)
        assert total % 4 == 0
        assert at + total <= len(data)
        assert struct.unpack_from("=I", data, at + total - 4) == (total,)
        yield kind, data[at + 8 : at + total - 4]
        at += total


def options(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    at = 0
    while True:
        code, size = struct.unpack_from("=HH", data, at)
        if code == 0:
            assert at + 4 == len(data)
            return found
        found[code] = data[at + 4 : at + 4 + size]
        at += 4 + size + -size % 4


def written(path: Path) -> list[tuple[int, bytes]]:
    return list(blocks(path.read_bytes()))


def write(path: Path, *packets: CapturedPacket) -> None:
    writer = PcapngWriter(str(path), [WEB, BRIDGE])
    writer.write(packets)
    writer.close([FileStatistics(received=len(packets), dropped=3), FileStatistics(received=0, dropped=0)])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.pcapng"


def test_the_section_comes_first_then_every_point(path: Path) -> None:
    write(path)
    (first, head), (_, web), (_, bridge), *_ = written(path)
    assert first == 0x0A0D0D0A
    assert struct.unpack_from("=IHHq", head) == (0x1A2B3C4D, 1, 0, -1)
    assert struct.unpack_from("=HHI", web) == (ETHERNET, 0, 262144)
    assert options(web[8:]) == {2: b"web:eth0", 3: b"web", 9: b"\x09", 11: b"\0icmp"}
    assert options(bridge[8:])[3] == b"network bridge"


@pytest.mark.parametrize(
    ("reception", "flags"), [(0, 0b00101), (1, 0b01101), (2, 0b01001), (3, 0b10001), (4, 0b00010), (7, 0b00001)]
)
def test_a_packet_keeps_its_time_bytes_point_and_direction(path: Path, reception: int, flags: int) -> None:
    write(path, packet(FRAME[:61], reception=reception, point=1, length=1500))
    body = next(body for kind, body in written(path) if kind == 6)
    point, high, low, captured, original = struct.unpack_from("=IIIII", body)
    assert (point, high << 32 | low, captured, original) == (1, TIME, 61, 1500)
    assert body[20 : 20 + 61] == FRAME[:61]
    assert options(body[20 + 64 :]) == {2: struct.pack("=I", flags)}


def test_the_end_tells_the_drops_of_every_point(path: Path) -> None:
    write(path, packet(FRAME))
    last = [body for kind, body in written(path) if kind == 5]
    assert [struct.unpack_from("=I", body)[0] for body in last] == [0, 1]
    said = options(last[0][12:])
    assert struct.unpack("=Q", said[4]) == (4,)
    assert struct.unpack("=Q", said[5]) == (3,)


@pytest.mark.skipif(shutil.which("tcpdump") is None, reason="tcpdump isn't installed")
def test_tcpdump_reads_it_with_true_nanoseconds(path: Path) -> None:
    write(path, packet(FRAME), packet(FRAME, point=1, time_ns=TIME + 1))
    done = subprocess.run(
        ["tcpdump", "-n", "-tt", "--nano", "-r", str(path)], capture_output=True, text=True, check=True, timeout=30
    )
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["1790000000.123456789", "1790000000.123456790"]
    assert all("ICMP echo request, id 5, seq 1, length 64" in line for line in lines)


def test_a_new_file_is_for_its_owner_only(path: Path) -> None:
    write(path)
    assert path.stat().st_mode & 0o077 == 0


def test_hostile_names_are_neutralised(path: Path) -> None:
    name = FileInterface(name="a\x1b[2J", description="b\n", linktype=ETHERNET, snaplen=96)
    PcapngWriter(str(path), [name]).close()
    said = options(written(path)[1][1][8:])
    assert said[2] == rb"a\x1b[2J"
    assert said[3] == rb"b\x0a"


FULL = 700_001
"""Bytes of a file at which the disk is full, in the middle of a packet."""


@contextmanager
def disk(size: int) -> Iterator[None]:
    """No file can grow beyond this size: the kernel refuses in the middle of a write, as on a full disk.

    Only within: pytest's own output may be a larger file.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_whole_packets_and_says_so(path: Path) -> None:
    writer = PcapngWriter(str(path), [WEB])
    with disk(FULL), pytest.raises(DnetError, match="what was captured before is whole") as caught:
        writer.write(packet(b"x" * 1400) for _ in range(1000))
    assert caught.value.hint
    whole = [kind for kind, _ in written(path)]
    assert FULL - 2000 < path.stat().st_size <= FULL
    assert whole.count(6) == writer.packets > 400


def test_a_file_goes_on_without_a_hole_when_there_is_room_again(path: Path) -> None:
    writer = PcapngWriter(str(path), [WEB])
    with disk(FULL), pytest.raises(DnetError):
        writer.write(packet(b"x" * 1000) for _ in range(FULL // 500))
    before = writer.packets
    writer.write([packet(FRAME)])
    writer.close([FileStatistics(received=1, dropped=0)])
    whole = [kind for kind, _ in written(path)]
    assert whole.count(6) == before + 1
    assert whole[-1] == 5


def test_a_file_is_closed_even_if_its_end_cannot_be_written(path: Path) -> None:
    writer = PcapngWriter(str(path), [WEB])
    fd = writer._fd
    writer.write(packet(b"x" * 1000) for _ in range(240))
    with disk(1000), pytest.raises(DnetError):
        writer.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)
    assert written(path)


def test_a_file_that_cannot_be_opened_is_an_error_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(DnetError, match="No such file or directory"):
        PcapngWriter(str(tmp_path / "no" / "x.pcapng"), [WEB])
