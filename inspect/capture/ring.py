"""One AF_PACKET receive ring (TPACKET_V3): packets of one interface, straight from the kernel's memory.

The layout is that of linux/if_packet.h and Documentation/networking/packet_mmap.rst.
The kernel fills blocks and hands each over when it is full or
some milliseconds old (:class:`RingBlocks`); we read it and hand it back.  The ring *is* the bounded
buffer: a reader that falls behind loses packets in the kernel, which counts
them, and never grows.

Opening a ring needs CAP_NET_RAW in the namespace of the calling thread; after
that it may be used from any one thread.  It sets the interface promiscuous
(unless told not to) until it is closed, as tcpdump does: without that, a
bridge shows only what concerns the host itself.  Mind that a promiscuous
bridge also takes frames it would otherwise leave alone, which can hide a
hairpin fault while it is watched.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
import socket
import struct
import sys
from typing import Final, NamedTuple

from dnet_tui.inspect.capture.bpf import BpfProgram, accept_all, pack
from dnet_tui.inspect.capture.enter_namespace import PERMISSION_HINT
from dnet_tui.inspect.capture.packet import ETHERNET, OUTGOING, RAW_IP, SNAPLEN, CapturedPacket
from dnet_tui.inspect.capture.ring_blocks import FRAME_HEADER, VLAN_VALID, BlockMaker, with_tag
from dnet_tui.inspect.capture.written_packet import WrittenPacket, written_packets
from dnet_tui.inspect.errors import CannotInspectError, DnetError
from dnet_tui.inspect.text.sanitize import clean


class RingBlocks(NamedTuple):
    """The blocks of a ring: their size, and after how many milliseconds one is handed over though it isn't full.

    It may take twice that long.
    """

    size: int
    retire_ms: int

    @property
    def surely(self) -> float:
        """Seconds from a packet's arrival until its block has surely been handed over."""
        return (2 * self.retire_ms + 10) / 1000


LOOKED_AT: Final = RingBlocks(256 << 10, 25)
"""For packets that somebody waits to see."""

ONLY_WRITTEN: Final = RingBlocks(1 << 20, 100)
"""For packets that are only written: being woken seldom costs less."""

RING_BYTES: Final = 8 << 20
"""Kernel memory of one ring unless told otherwise."""

_FRAME: Final = 2048  # nominal only: frames of TPACKET_V3 are as long as their packet

_SOL_PACKET, _ADD_MEMBERSHIP, _RX_RING, _STATISTICS, _VERSION, _RESERVE = 263, 1, 5, 6, 10, 12
_TPACKET_V3, _PROMISCUOUS, _ETH_P_ALL = 2, 1, 0x0003
_SO_ATTACH_FILTER, _SIOCGIFNAME, _SIOCGIFFLAGS = 26, 0x8910, 0x8913
_TO_USER = 0x01

_ETHERNET_ROOM = 6
"""Bytes left free before an Ethernet header, so that frames begin at a multiple of 8 (the kernel's own place is 82)."""

_BLOCK_HEADER = struct.Struct("=8xIII")  # tpacket_block_desc: block_status, num_pkts, offset_to_first_pkt
_STATUS_AT: Final = 8

_LINKTYPES: Final = {  # ARPHRD_* of linux/if_arp.h
    1: ETHERNET,
    772: ETHERNET,  # loopback
    65534: RAW_IP,  # none: tun, WireGuard
    768: RAW_IP,  # ipip
    769: RAW_IP,  # ip6tnl
    776: RAW_IP,  # sit
}
_LOOPBACK: Final = 772


class Interface:
    """A packet socket on one interface that receives nothing yet: it knows the interface's name and link type.

    Made in a thread that is in the interface's namespace.
    """

    def __init__(self, ifindex: int) -> None:
        self.ifindex = ifindex
        try:
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        except PermissionError as error:
            raise CannotInspectError("packet sockets are not permitted.", PERMISSION_HINT) from error
        try:
            self.name = _name_of(self.socket, ifindex)
            self.socket.bind((self.name, 0))  # no protocol: tied to the device, but deaf
            self.hardware = int(self.socket.getsockname()[3])
            self.linktype = _linktype(self.name, self.hardware)
        except OSError as error:
            self.socket.close()
            raise _cannot_open(error) from error
        except DnetError:
            self.socket.close()
            raise


class Ring:
    """The ring of one interface.  ``dropped`` is the kernel's count as of the last :meth:`count_drops`."""

    def __init__(
        self,
        interface: Interface,
        program: BpfProgram | None = None,
        *,
        snaplen: int = SNAPLEN,
        promiscuous: bool = True,
        size: int = RING_BYTES,
        blocks: RingBlocks = LOOKED_AT,
    ) -> None:
        """Start to receive; ``program`` is attached before the first packet can arrive.

        Raises:
            DnetError: the kernel refused, or the interface went away.
        """
        self.name = interface.name
        self.linktype = interface.linktype
        self.received = 0
        self.dropped = 0
        self.snaplen = snaplen
        self._socket = interface.socket
        self._skip_outgoing = interface.hardware == _LOOPBACK  # or each packet would show twice
        self._block = 0
        self._rest: tuple[int, int] | None = None
        self._block_size = blocks.size  # holds three of the largest (64 KiB) segmentation-offloaded packets
        try:
            self._socket.setsockopt(_SOL_PACKET, _VERSION, _TPACKET_V3)
            if interface.linktype == ETHERNET:
                self._socket.setsockopt(_SOL_PACKET, _RESERVE, _ETHERNET_ROOM)
            self._attach(program or accept_all(snaplen))
            self._blocks = self._map(max(4, size // blocks.size), blocks)
            self._memory = mmap.mmap(self._socket.fileno(), self._blocks * blocks.size)
            if promiscuous:
                request = struct.pack("=iHH8s", interface.ifindex, _PROMISCUOUS, 0, b"")
                self._socket.setsockopt(_SOL_PACKET, _ADD_MEMBERSHIP, request)
            self._socket.bind((self.name, _ETH_P_ALL))
        except OSError as error:
            self._socket.close()
            raise _cannot_open(error) from error

    def _attach(self, program: BpfProgram) -> None:
        code = ctypes.create_string_buffer(pack(program))
        # struct sock_fprog { unsigned short len; struct sock_filter *filter; }
        header = struct.pack("@HP", len(program), ctypes.addressof(code))
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, header)

    def _map(self, number: int, blocks: RingBlocks) -> int:
        """Ask for a ring of that many blocks, or half of them while memory is short."""
        frames = blocks.size // _FRAME
        while True:
            request = struct.pack("=7I", blocks.size, number, _FRAME, number * frames, blocks.retire_ms, 0, 0)
            try:
                self._socket.setsockopt(_SOL_PACKET, _RX_RING, request)
            except OSError as error:
                if error.errno != errno.ENOMEM or number <= 4:
                    raise
                number //= 2
            else:
                return number

    def fileno(self) -> int:
        """The socket, for ``poll``: readable when a block is ready, in error when the interface went down."""
        return self._socket.fileno()

    def read(self, point: int = 0) -> list[CapturedPacket]:
        """Every packet that is ready now, oldest first, marked with ``point``.  Never waits."""
        packets: list[CapturedPacket] = []
        for _ in range(self._blocks):  # at most once around: a flood must not keep us here
            if (ready := self._ready()) is None:
                break
            self._read_block(packets, *ready, point)
            self._give_back()
        self.received += len(packets)
        return packets

    def read_blocks(self, maker: BlockMaker, enough: int) -> None:
        """The same as blocks of a pcapng file, without a packet being made, until ``maker`` has that many bytes.

        What is left of a block then comes first the next time.
        """
        before = maker.packets
        for _ in range(self._blocks):
            if maker.size >= enough or (ready := self._rest or self._ready()) is None:
                break
            at, left = maker.add(self._memory, *ready, enough)
            self._rest = (at, left) if left else None
            if not left:
                self._give_back()
        self.received += maker.packets - before

    def read_written(self, maker: BlockMaker, point: int) -> list[WrittenPacket]:
        """The same as :meth:`read`, for packets that are only written."""
        self.read_blocks(maker, sys.maxsize)
        blocks = maker.take()
        return written_packets(blocks, point, self.linktype) if blocks is not None else []

    def block_maker(self, point: int = 0) -> BlockMaker:
        """What :meth:`read_blocks` wants."""
        return BlockMaker(point, self.snaplen, self._block_size, skip_outgoing=self._skip_outgoing)

    def _ready(self) -> tuple[int, int] | None:
        """Where the first frame of the next block is, and how many there are; None while the kernel has the block."""
        base = self._block * self._block_size
        status, count, first = _BLOCK_HEADER.unpack_from(self._memory, base)
        return (base + first, count) if status & _TO_USER else None

    def _give_back(self) -> None:
        """The kernel may fill the block again."""
        struct.pack_into("=I", self._memory, self._block * self._block_size + _STATUS_AT, 0)
        self._block = (self._block + 1) % self._blocks

    def _read_block(self, packets: list[CapturedPacket], at: int, count: int, point: int) -> None:
        memory, linktype, unpack = self._memory, self.linktype, FRAME_HEADER.unpack_from
        for _ in range(count):
            step, sec, nsec, size, length, status, mac, tci, tpid, reception = unpack(memory, at)
            start = at + mac
            at += step
            if reception == OUTGOING and self._skip_outgoing:
                continue
            data = memory[start : start + size]
            if status & VLAN_VALID and size >= 12:
                data = with_tag(data, status, tci, tpid)[: self.snaplen]
                length += 4
            packets.append(CapturedPacket(sec * 1_000_000_000 + nsec, point, reception, linktype, length, data))

    def count_drops(self) -> int:
        """Update and return ``dropped``: packets that matched but found the ring full."""
        raw = self._socket.getsockopt(_SOL_PACKET, _STATISTICS, 12)  # tpacket_stats_v3; reading it sets it to zero
        self.dropped += struct.unpack("=III", raw)[1]
        return self.dropped

    def quiesce(self) -> None:
        """Take no further packet; what has arrived is still handed over within :attr:`RingBlocks.surely`."""
        self._attach(accept_all(0))

    def is_gone(self) -> bool:
        """Whether the interface left its namespace.  Clears the socket's error: call it when ``poll`` shows one.

        A packet socket whose device is only down starts again by itself when the device comes up.
        """
        self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        return not self._socket.getsockname()[0]

    def is_up(self) -> bool:
        """Whether the interface is administratively up."""
        try:
            answer = fcntl.ioctl(self._socket.fileno(), _SIOCGIFFLAGS, struct.pack("=16s24x", os.fsencode(self.name)))
        except OSError:
            return False
        return bool(struct.unpack_from("=H", answer, 16)[0] & 1)  # IFF_UP

    def close(self) -> None:
        """Free the ring and the socket; promiscuous mode ends with it."""
        self._memory.close()
        self._socket.close()


def _name_of(sock: socket.socket, ifindex: int) -> str:
    """The present name of a device in the socket's own namespace: a snapshot's may be old."""
    answer = fcntl.ioctl(sock.fileno(), _SIOCGIFNAME, struct.pack("=16xi20x", ifindex))
    return answer[:16].split(b"\0", 1)[0].decode("utf-8", "surrogateescape")


def _linktype(name: str, hardware: int) -> int:
    if hardware not in _LINKTYPES:
        raise DnetError(
            f"{clean(name)} is of a kind (ARPHRD {hardware}) whose frames dnet-tui can't read.",
            "Capture at the device below it, or use tcpdump.",
        )
    return _LINKTYPES[hardware]


def _cannot_open(error: OSError) -> DnetError:
    if error.errno in (errno.ENODEV, errno.ENXIO):
        return DnetError("the interface is gone.", "What used it has ended since the snapshot was taken: try again.")
    return DnetError(f"{error.strerror or error}.")
