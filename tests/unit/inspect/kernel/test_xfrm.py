"""The number of IPsec policies, from the kernel's answer (linux/xfrm.h)."""

from __future__ import annotations

import struct

import pytest

from dnet_tui.inspect.kernel.netlink import attribute
from dnet_tui.inspect.kernel.xfrm import parse_policy_count


def test_the_directions_are_added_up_and_single_sockets_left_out() -> None:
    assert parse_policy_count(b"\0\0\0\0" + attribute(1, struct.pack("=6I", 1, 2, 3, 10, 20, 30))) == 6


@pytest.mark.parametrize("body", [b"", b"\0\0\0\0", b"\0\0\0\0" + attribute(1, b"\1\0\0\0")])
def test_an_answer_without_the_numbers_is_not_none_at_all(body: bytes) -> None:
    with pytest.raises(OSError, match="number of policies"):
        parse_policy_count(body)
