"""Reads what decides over packets at devices below netfilter: tc's filters, and BPF programs on tcx.

In the calling thread's namespace; only questions are asked.  One dump tells
which links have a place for filters at all, and only those are asked for
them.  Programs on tcx (Linux 6.6) appear in no dump: each link is asked by
BPF_PROG_QUERY, which takes CAP_NET_ADMIN over the machine.  A kernel without
tcx has none; one that doesn't tell may have some.  Who has that capability in
a user namespace alone isn't told either, but nobody in there can attach any.

Sources: rtnetlink(7), linux/rtnetlink.h; bpf(2), kernel/bpf/tcx.c.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Literal

from dnet_tui.inspect.kernel.netlink import NetlinkSocket
from dnet_tui.inspect.kernel.netns import read_small
from dnet_tui.inspect.kernel.traffic_control_parse import (
    parse_dropping_qdiscs,
    parse_filters,
    parse_places,
    request,
)
from dnet_tui.inspect.model import Link
from dnet_tui.inspect.model.traffic_control import TrafficFilter

_GETTFILTER, _GETQDISC = 46, 38
_BPF = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "ppc64le": 361, "s390x": 351}
"""The number of bpf(2) by machine."""
_PROG_QUERY = 16
_TCX: tuple[tuple[Literal["ingress", "egress"], int], ...] = (("ingress", 46), ("egress", 47))
"""BPF_TCX_INGRESS and BPF_TCX_EGRESS."""
_ROOM = 16
_DENIED = frozenset({errno.EPERM, errno.EACCES})
_NET_ADMIN = 12
"""CAP_NET_ADMIN, linux/capability.h."""


def read_traffic_control(sock: NetlinkSocket) -> tuple[TrafficFilter, ...]:
    """The filters of tc at all the namespace's links, by link and place in the order the kernel asks them.

    After them come the qdiscs that drop what they are given.

    Raises:
        OSError: the kernel refused; in one without traffic control nothing is found instead.
    """
    dump = sock.dump(_GETQDISC, bytes(20))
    filters = tuple(
        found
        for place in parse_places(dump.bodies)
        for found in parse_filters(place, sock.dump(_GETTFILTER, request(place)).bodies)
    )
    return (*filters, *parse_dropping_qdiscs(dump.bodies))


def read_programs(links: Iterable[Link]) -> tuple[TrafficFilter, ...]:
    """The programs on tcx, which come before tc's own filters; none in a kernel without it.

    Raises:
        PermissionError: the kernel doesn't tell whether there are any.
    """
    return tuple(_programs(links))


def _programs(links: Iterable[Link]) -> Iterator[TrafficFilter]:
    number = _BPF.get(platform.machine())
    if number is None:
        return
    ask = _Question(number)
    for link in links:
        if link.kind == "loopback":
            continue  # a container network's packets don't cross it
        for place, attach in _TCX:
            ids = ask.ids(link.ifindex, attach)
            if ids is None:
                return  # a kernel without tcx
            for program in ids:
                yield TrafficFilter(ifindex=link.ifindex, place=place, kind="tcx", program=f"id {program}")


class _Question:
    """BPF_PROG_QUERY, asked again and again with the same memory."""

    def __init__(self, number: int) -> None:
        self._ids = (ctypes.c_uint32 * _ROOM)()
        self._raw = bytearray(64)
        attr = (ctypes.c_char * len(self._raw)).from_buffer(self._raw)
        self._arguments = ctypes.c_long(number), ctypes.c_int(_PROG_QUERY), attr, ctypes.c_uint(len(self._raw))
        self._call = _libc().syscall
        self._where = ctypes.addressof(self._ids)

    def ids(self, ifindex: int, attach: int) -> tuple[int, ...] | None:
        """The ids of the programs at a place; None where the kernel doesn't know such a place.

        Raises:
            PermissionError: it won't tell.
        """
        # union bpf_attr, query: target_ifindex, attach_type, query_flags, attach_flags, prog_ids, count.
        struct.pack_into("=IIIIQI", self._raw, 0, ifindex, attach, 0, 0, self._where, _ROOM)
        failed = self._call(*self._arguments) != 0
        count = int(struct.unpack_from("=I", self._raw, 24)[0])
        error = ctypes.get_errno() if failed else 0
        if error in _DENIED and not has_capability(_NET_ADMIN):
            raise PermissionError(error, "programs on tcx are shown to root alone")
        if failed and count <= _ROOM:
            return None  # more than there is room for is an error as well, which tells how many
        return tuple(self._ids[: min(count, _ROOM)])


def has_capability(number: int) -> bool:
    """Whether this thread has a capability in its own user namespace (proc(5), CapEff)."""
    for line in read_small("/proc/thread-self/status").splitlines():
        if line.startswith(b"CapEff:"):
            return bool(int(line.split()[1], 16) >> number & 1)
    return False


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
