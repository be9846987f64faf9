"""The walk through a ring's blocks, over memory laid out here as the kernel lays it out; the lab has the real one."""

from __future__ import annotations

import struct
from types import SimpleNamespace
from typing import Any

from dnet_tui.inspect.capture.files.pcapng_blocks import packet_block
from dnet_tui.inspect.capture.packet import ETHERNET, SNAPLEN
from dnet_tui.inspect.capture.ring import _BLOCK, Ring
from unit.builders.packets import MAC_A, MAC_B, ethernet, ipv4, udp

FRAME = ethernet(ipv4(17, udp(b"abc")))
BLOCKS = 4


def ring(*, loopback: bool = False, snaplen: int = SNAPLEN) -> Any:
    made: Any = Ring.__new__(Ring)
    made.__dict__.update(
        SimpleNamespace(
            linktype=ETHERNET,
            received=0,
            snaplen=snaplen,
            _memory=bytearray(_BLOCK * BLOCKS),
            _blocks=BLOCKS,
            _block=0,
            _skip_outgoing=loopback,
        ).__dict__
    )
    return made


def frame(data: bytes, *, reception: int = 0, status: int = 1, tci: int = 0, tpid: int = 0, length: int = 0) -> bytes:
    """One struct tpacket3_hdr, its sockaddr_ll and the bytes, with the offset of the next left at its end."""
    mac = 82
    size = mac + len(data) + -(mac + len(data)) % 16
    head = struct.pack(
        "=6IHHIIHH8x", size, 5, 9, len(data), length or len(data), status, mac, mac + 14, 0, tci, tpid, 0
    )
    address = struct.pack("=HHiHBB8s", 17, 0x0008, 2, 1, reception, 6, b"")
    return (head + address).ljust(mac, b"\0") + data + b"\0" * (size - mac - len(data))


def fill(made: Any, block: int, *frames: bytes) -> None:
    head = struct.pack("=IIIIIIQ", 2, 0, 1, len(frames), 48, 0, block).ljust(48, b"\0")
    body = head + b"".join(frames)
    made._memory[block * _BLOCK : block * _BLOCK + len(body)] = body


def statuses(made: Any) -> list[int]:
    return [struct.unpack_from("=I", made._memory, block * _BLOCK + 8)[0] for block in range(BLOCKS)]


def test_packets_come_with_time_direction_and_length() -> None:
    made = ring()
    fill(made, 0, frame(FRAME), frame(FRAME[:20], reception=4, length=1500))
    first, second = made.read(3)
    assert (first.time_ns, first.point, first.direction, first.length, first.data) == (
        5_000_000_009,
        3,
        "in",
        len(FRAME),
        FRAME,
    )
    assert (second.direction, second.length, second.data) == ("out", 1500, FRAME[:20])


def test_blocks_are_read_in_turn_and_given_back() -> None:
    made = ring()
    fill(made, 0, frame(b"a" * 14))
    fill(made, 1, frame(b"b" * 14))
    assert [packet.data[:1] for packet in made.read()] == [b"a", b"b"]
    assert statuses(made) == [0, 0, 0, 0]
    assert made.read() == []
    fill(made, 3, frame(b"d" * 14))
    assert made.read() == []  # block 2 comes first
    fill(made, 2, frame(b"c" * 14))
    assert [packet.data[:1] for packet in made.read()] == [b"c", b"d"]
    assert made.received == 4


def test_a_full_ring_is_read_once_around() -> None:
    made = ring()
    for block in range(BLOCKS):
        fill(made, block, frame(b"x" * 14))
    assert len(made.read()) == BLOCKS


def test_an_empty_block_is_given_back() -> None:
    made = ring()
    fill(made, 0)
    assert made.read() == []
    assert statuses(made)[0] == 0


def test_a_tag_the_kernel_took_out_is_put_back() -> None:
    made = ring()
    fill(made, 0, frame(FRAME, status=1 | 0x10, tci=0x2005), frame(FRAME, status=1 | 0x50, tci=7, tpid=0x88A8))
    first, second = made.read()
    assert first.data == MAC_B + MAC_A + b"\x81\x00\x20\x05" + FRAME[12:]
    assert first.length == len(FRAME) + 4
    assert second.data[12:16] == b"\x88\xa8\x00\x07"


def test_a_tag_does_not_make_a_packet_longer_than_the_snap_length() -> None:
    made = ring(snaplen=20)
    fill(made, 0, frame(FRAME[:20], status=1 | 0x10, tci=5, length=60))
    (packet,) = made.read()
    assert (len(packet.data), packet.length) == (20, 64)


def test_loopback_shows_each_packet_once() -> None:
    made = ring(loopback=True)
    fill(made, 0, frame(FRAME, reception=4), frame(FRAME, reception=0))
    assert [packet.reception for packet in made.read()] == [0]


def test_blocks_are_the_very_bytes_that_the_packets_would_be_written_as() -> None:
    frames = (
        frame(FRAME),
        frame(FRAME[:21], reception=4, length=1500),
        frame(FRAME, status=1 | 0x10, tci=0x2005),
        frame(FRAME, reception=3),
    )
    slow, fast = ring(), ring()
    fill(slow, 0, *frames)
    fill(fast, 0, *frames)
    packets = slow.read(2)
    (blocks,) = fast.read_blocks(fast.block_maker(2))
    assert blocks.data == b"".join(map(packet_block, packets))
    assert (blocks.packets, blocks.first_ns, blocks.last_ns) == (4, packets[0].time_ns, packets[-1].time_ns)
    assert statuses(fast) == [0, 0, 0, 0]


def test_blocks_of_loopback_hold_each_packet_once() -> None:
    made = ring(loopback=True)
    fill(made, 0, frame(FRAME, reception=4))
    fill(made, 1, frame(FRAME, reception=4), frame(FRAME, reception=0))
    assert [blocks.packets for blocks in made.read_blocks(made.block_maker())] == [1]
