"""The tests of ``-m u32``, read as iptables prints them."""

from __future__ import annotations

import pytest

from dnet_tui.inspect.text.u32_tests import U32Test, parse_u32


def test_steps_and_ranges() -> None:
    assert parse_u32("0x0>>0x16&0x3c@0xc=0x1:0x5,0x7 && 6&0xFF=1") == (
        U32Test(0, ((">>", 0x16), ("&", 0x3C), ("@", 0xC)), ((1, 5), (7, 7))),
        U32Test(6, (("&", 0xFF),), ((1, 1),)),
    )


@pytest.mark.parametrize(
    "text",
    ["", "0x0", "0x0=", "0x0&=1", "=1", "0x0=1&&", "0x0+1=1", "0x1ffffffff=0", "9999999999=0", "&&".join(["0=0"] * 11)],
)
def test_what_is_no_test(text: str) -> None:
    assert parse_u32(text) is None
