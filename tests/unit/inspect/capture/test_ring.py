"""The walk through a ring's blocks, over memory laid out here as the kernel lays it out; the lab has the real one."""

from __future__ import annotations

import struct
import sys
from types import SimpleNamespace
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from dnet_tui.inspect.capture.files.pcapng_blocks import packet_block
from dnet_tui.inspect.capture.packet import ETHERNET, SNAPLEN
from dnet_tui.inspect.capture.ring import LOOKED_AT, Ring
from unit.builders.packets import MAC_A, MAC_B, ethernet, ipv4, udp

FRAME = ethernet(ipv4(17, udp(b"abc")))
BLOCKS = 4
BLOCK = LOOKED_AT.size


def ring(*, loopback: bool = False, snaplen: int = SNAPLEN) -> Any:
    made: Any = Ring.__new__(Ring)
    made.__dict__.update(
        SimpleNamespace(
            linktype=ETHERNET,
            received=0,
            snaplen=snaplen,
            _memory=bytearray(BLOCK * BLOCKS),
            _blocks=BLOCKS,
            _block=0,
            _block_size=BLOCK,
            _rest=None,
            _skip_outgoing=loopback,
        ).__dict__
    )
    return made


def frame(
    data: bytes,
    *,
    reception: int = 0,
    status: int = 1,
    tci: int = 0,
    tpid: int = 0,
    length: int = 0,
    time_ns: int = 5_000_000_009,
    mac: int = 82,
) -> bytes:
    """One struct tpacket3_hdr, its sockaddr_ll and the bytes, with the offset of the next left at its end."""
    size = mac + len(data) + -(mac + len(data)) % 8
    sec, nsec = divmod(time_ns, 1_000_000_000)
    lengths = len(data), length or len(data)
    head = struct.pack("=6IHHIIHH8x", size, sec, nsec, *lengths, status, mac, mac + 14, 0, tci, tpid, 0)
    address = struct.pack("=HHiHBB8s", 17, 0x0008, 2, 1, reception, 6, b"")
    return (head + address).ljust(mac, b"\0") + data + b"\0" * (size - mac - len(data))


def fill(made: Any, block: int, *frames: bytes) -> None:
    head = struct.pack("=IIIIIIQ", 2, 0, 1, len(frames), 48, 0, block).ljust(48, b"\0")
    body = head + b"".join(frames)
    made._memory[block * BLOCK : block * BLOCK + len(body)] = body


def written(made: Any, point: int = 0, enough: int = sys.maxsize) -> Any:
    maker = made.block_maker(point)
    made.read_blocks(maker, enough)
    return maker.take()


def statuses(made: Any) -> list[int]:
    return [struct.unpack_from("=I", made._memory, block * BLOCK + 8)[0] for block in range(BLOCKS)]


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
    blocks = written(fast, 2)
    assert blocks.data == b"".join(map(packet_block, packets))
    assert (blocks.packets, blocks.first_ns, blocks.last_ns) == (4, packets[0].time_ns, packets[-1].time_ns)
    assert statuses(fast) == [0, 0, 0, 0]


def test_blocks_of_loopback_hold_each_packet_once() -> None:
    made = ring(loopback=True)
    fill(made, 0, frame(FRAME, reception=4))
    fill(made, 1, frame(FRAME, reception=4), frame(FRAME, reception=0))
    assert written(made).packets == 1


@st.composite
def shapes(draw: st.DrawFn) -> list[bytes]:
    """Frames in runs that are alike, among others, on both sides of a second and of a time's upper half."""
    moment = draw(st.sampled_from((5_000_000_009, 5_999_999_000, (1 << 32) - 40, 3 * (1 << 32) - 2_000)))
    found = []
    for _ in range(draw(st.integers(1, 6))):
        size = draw(st.integers(14, 300))
        more: dict[str, int] = {
            "reception": draw(st.sampled_from((0, 3, 4))),
            "status": draw(st.sampled_from((1, 1, 1, 9, 0x11))),
            "mac": draw(st.sampled_from((88, 88, 88, 82, 90))),
            "length": draw(st.sampled_from((0, 0, 1500))),
        }
        for number in range(draw(st.sampled_from((1, 2, 25, 60)))):
            moment += draw(st.sampled_from((0, 7, 31)))
            found.append(frame(bytes((number * 7 + byte) % 256 for byte in range(size)), time_ns=moment, **more))
    return found


def alike(count: int, step_ns: int, **more: int) -> list[bytes]:
    return [
        frame(bytes([number]) * 41, time_ns=5_999_999_000 + number * step_ns, mac=88, **more) for number in range(count)
    ]


@given(shapes(), st.booleans())
@example(alike(100, 1), False)
@example(alike(100, 31), False)  # a new second
@example(alike(100, 1, reception=4), True)
@example([*alike(40, 1), *alike(40, 1, reception=3)], True)
def test_frames_that_are_alike_are_written_as_any_others(frames: list[bytes], loopback: bool) -> None:
    slow, fast, merged = (ring(loopback=loopback) for _ in range(3))
    for made in (slow, fast, merged):
        fill(made, 0, *frames)
    packets = slow.read(1)
    single = merged.read_written(merged.block_maker(1), 1)
    assert [item.captured() for item in single] == packets
    assert [item.data for item in single] == list(map(packet_block, packets))
    found = written(fast, 1)
    if found is None:
        assert not packets
        return
    assert found.data == b"".join(map(packet_block, packets))
    assert found.packets == len(packets) == fast.received
    assert (found.first_ns, found.last_ns) == (packets[0].time_ns, packets[-1].time_ns)


def test_content_that_looks_like_a_frame_is_not_taken_for_one() -> None:
    # Where a run of small frames ends, a large one holds what their headers would look like there.
    small = frame(b"x" * 40, mac=88)
    frames = [small] * 30 + [frame(small * 30, mac=88), *[small] * 30]
    slow, fast = ring(), ring()
    fill(slow, 0, *frames)
    fill(fast, 0, *frames)
    blocks = written(fast)
    assert (blocks.packets, blocks.data) == (61, b"".join(map(packet_block, slow.read())))


def test_blocks_are_taken_a_few_at_a_time_and_the_rest_stays_in_the_ring() -> None:
    made = ring()
    for block in range(3):
        fill(made, block, frame(FRAME, time_ns=block + 1))
    assert written(made, enough=1).first_ns == 1
    assert statuses(made) == [0, 1, 1, 0]
    assert written(made).packets == 2
    assert statuses(made) == [0, 0, 0, 0]


def test_what_is_left_of_a_block_comes_first_the_next_time() -> None:
    frames = [frame(FRAME, time_ns=number) for number in range(1, 700)]
    made = ring()
    fill(made, 0, *frames)
    fill(made, 1, frame(FRAME, time_ns=700))
    maker = made.block_maker()
    seen = []
    while made.read_blocks(maker, 1) or maker.size:
        blocks = maker.take()
        seen.append((blocks.packets, blocks.first_ns))
        assert statuses(made)[1] == 1 or sum(number for number, _ in seen) == made.received == 700
    assert seen == [(256, 1), (256, 257), (187, 513), (1, 700)]
    assert statuses(made) == [0, 0, 0, 0]


def test_blocks_are_made_in_the_same_memory_again_once_they_were_taken() -> None:
    made = ring()
    maker = made.block_maker()
    for number in range(6):
        fill(made, number % BLOCKS, *alike(90, number + 1), frame(bytes([number]) * 60_000), frame(FRAME))
        made.read_blocks(maker, sys.maxsize)
        blocks = maker.take()
        assert (blocks.packets, bytes(blocks.data[28:32])) == (92, bytes(4))
        assert bytes([number]) * 60_000 in bytes(blocks.data)
        assert maker.take() is None
