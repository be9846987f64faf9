"""tc's answers, built as the kernel builds them (this kind of kernel may lack matchall and gact)."""

from __future__ import annotations

import struct

import pytest

from dnet_tui.inspect.kernel.netlink import attribute
from dnet_tui.inspect.kernel.rtnetlink.parse_links import parse_link_table
from dnet_tui.inspect.kernel.traffic_control_parse import FilterLocation, parse_filters, parse_places, request

INGRESS = FilterLocation(7, 0xFFFFFFF2, "ingress")


def message(handle: int, parent: int, info: int, *attrs: bytes) -> bytes:
    return struct.pack("=BxxxiIII", 0, 7, handle, parent, info) + b"".join(attrs)


def action(kind: bytes, control: int, *more: bytes) -> bytes:
    parameters = attribute(2, struct.pack("=IIiii", 1, 0, control, 1, 1))
    return attribute(1, attribute(1, kind + b"\0") + attribute(2, parameters + b"".join(more)))


def filtered(kind: bytes, options: bytes, *, handle: int = 1, info: int = (10 << 16) | 0x0300) -> bytes:
    return message(handle, INGRESS.parent, info, attribute(1, kind + b"\0"), attribute(2, options))


def test_only_qdiscs_that_can_have_filters_are_places() -> None:
    def qdisc(kind: bytes, handle: int, parent: int) -> bytes:
        return message(handle, parent, 0, attribute(1, kind + b"\0"))

    assert parse_places([qdisc(b"noqueue", 0, 0xFFFFFFFF), qdisc(b"fq_codel", 0x10000, 0x20001), b"short"]) == ()
    assert [place.place for place in parse_places([qdisc(b"clsact", 0xFFFF0000, 0xFFFFFFF1)])] == ["ingress", "egress"]
    assert parse_places([qdisc(b"ingress", 0xFFFF0000, 0xFFFFFFF1)]) == (FilterLocation(7, 0xFFFF0000, "ingress"),)
    assert parse_places([qdisc(b"htb", 0x10000, 0xFFFFFFFF)]) == (FilterLocation(7, 0x10000, "root"),)
    assert request(INGRESS) == struct.pack("=BxxxiIII", 0, 7, 0, 0xFFFFFFF2, 0)


@pytest.mark.parametrize(
    ("control", "words"), [(2, "gact drop"), (0, "gact pass"), (-1, "gact continue"), (3, "gact pipe"), (9, "gact 0x9")]
)
def test_what_a_plain_action_does(control: int, words: str) -> None:
    (found,) = parse_filters(INGRESS, [filtered(b"matchall", attribute(2, action(b"gact", control)))])
    assert (found.kind, found.actions, found.unmodelled) == ("matchall", (words,), False)
    assert (found.protocol, found.priority, found.place, found.ifindex) == (3, 10, "ingress", 7)


def test_what_is_not_modelled_says_so() -> None:
    by_chance = action(b"gact", 2, attribute(3, b"\0" * 8))
    for options in (
        attribute(2, by_chance),
        attribute(2, action(b"mirred", 4)),
        attribute(2, action(b"gact", 2)) + attribute(3, struct.pack("=I", 2)),  # skip_sw
        attribute(2, b"\1\0"),
    ):
        (found,) = parse_filters(INGRESS, [filtered(b"matchall", options)])
        assert found.unmodelled
    (unknown,) = parse_filters(INGRESS, [filtered(b"tcindex", attribute(2, action(b"gact", 2)))])
    assert unknown.unmodelled


def test_a_programs_name_and_id_are_kept() -> None:
    options = attribute(7, b"cil_from_ctr\0") + attribute(11, struct.pack("=I", 42))
    (found,) = parse_filters(INGRESS, [filtered(b"bpf", options)])
    assert found.program == "cil_from_ctr id 42"


def test_heads_and_hash_tables_are_no_filters() -> None:
    table = attribute(4, struct.pack("=I", 1))
    bodies = [filtered(b"u32", table, handle=0x80000000), filtered(b"matchall", b"", handle=0), b"short"]
    assert parse_filters(INGRESS, bodies) == ()


def test_an_xdp_program_comes_with_its_link() -> None:
    header = struct.pack("=BxHiII", 0, 1, 2, 1, 0)
    xdp = attribute(2, b"\2") + attribute(4, struct.pack("=I", 9))
    (link,) = parse_link_table([header + attribute(3, b"eth0\0") + attribute(43, xdp)]).links
    assert link.xdp == "generic id 9"
    (plain,) = parse_link_table([header + attribute(3, b"eth0\0") + attribute(43, attribute(2, b"\0"))]).links
    assert plain.xdp == ""


def test_of_very_many_filters_the_rest_is_one_that_nobody_can_decide() -> None:
    bodies = [filtered(b"u32", attribute(1, struct.pack("=I", 1)), handle=0x80000800 + number) for number in range(100)]
    found = parse_filters(INGRESS, bodies)
    assert len(found) == 64
    assert (found[-1].kind, found[-1].unmodelled) == ("37 more filters", True)
    assert len(parse_filters(INGRESS, bodies[:64])) == 64
    assert not any(item.unmodelled for item in parse_filters(INGRESS, bodies[:64]))
