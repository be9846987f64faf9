"""IPsec policies and their number, from the kernel's answer (linux/xfrm.h)."""

from __future__ import annotations

import socket
import struct

import pytest

from dnet_tui.inspect.kernel.netlink import attribute
from dnet_tui.inspect.kernel.xfrm import parse_policies, parse_policy_count
from dnet_tui.inspect.model.routing import XfrmPolicy, XfrmTemplate


def test_the_directions_are_added_up_and_single_sockets_left_out() -> None:
    assert parse_policy_count(b"\0\0\0\0" + attribute(1, struct.pack("=6I", 1, 2, 3, 10, 20, 30))) == 6


@pytest.mark.parametrize("body", [b"", b"\0\0\0\0", b"\0\0\0\0" + attribute(1, b"\1\0\0\0")])
def test_an_answer_without_the_numbers_is_not_none_at_all(body: bytes) -> None:
    with pytest.raises(OSError, match="number of policies"):
        parse_policy_count(body)


def told(
    direction: int, *, action: int = 0, priority: int = 0, dport: int = 0, more: bytes = b"", cut: int | None = None
) -> bytes:
    """A policy of 172.17.0.0/16 to anywhere, as XFRM_MSG_NEWPOLICY has it."""
    ports = struct.pack("!4H", dport, 0xFFFF if dport else 0, 0, 0)
    family = socket.AF_INET if direction < 3 else 0
    ends = bytes(16) + socket.inet_aton("172.17.0.0") + bytes(12)
    selector = ends + ports + struct.pack("=HBBB3xiI", family, 0, 16, 17 if dport else 0, 2, 0)
    rest = struct.pack("=II4B4x", priority, 8, direction, action, 0, 0)
    return (selector + bytes(64 + 32) + rest + more)[:cut]


def test_a_policy_says_what_it_is_for_and_what_it_does() -> None:
    (found,) = parse_policies([told(2, action=1, priority=7, dport=53)])
    assert found == XfrmPolicy(
        family="ip",
        direction="fwd",
        action="block",
        priority=7,
        src="172.17.0.0/16",
        dst="0.0.0.0/0",
        proto=17,
        dport=(53, 0xFFFF),
        ifindex=2,
    )


def test_the_oldest_comes_first() -> None:
    assert [item.direction for item in parse_policies([told(0), told(1), told(2)])] == ["fwd", "out", "in"]


def test_templates_say_how_packets_are_transformed() -> None:
    there, here = socket.inet_aton("192.0.2.2") + bytes(12), socket.inet_aton("192.0.2.1") + bytes(12)
    template = (
        there + struct.pack("=IB3xH2x", 0, 50, socket.AF_INET) + here + struct.pack("=IBBBx3I", 9, 1, 0, 1, 0, 0, 0)
    )
    (found,) = parse_policies([told(1, more=attribute(5, template + template))])
    wanted = XfrmTemplate(proto="esp", mode="tunnel", src="192.0.2.1", dst="192.0.2.2", reqid=9, optional=True)
    assert found.templates == (wanted, wanted)


def test_marks_interfaces_and_types_are_told() -> None:
    more = attribute(21, struct.pack("=II", 5, 0xFF)) + attribute(31, struct.pack("=I", 4)) + attribute(16, b"\1")
    (found,) = parse_policies([told(0, more=more)])
    assert (found.mark, found.if_id, found.other) == ((5, 0xFF), 4, ("sub type",))


@pytest.mark.parametrize("body", [told(3), told(5), told(1, cut=100), b""])
def test_what_is_a_sockets_own_or_cut_short_is_left_out(body: bytes) -> None:
    assert parse_policies([body]) == ()
