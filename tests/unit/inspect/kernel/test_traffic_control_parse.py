"""tc's answers, built as the kernel builds them (this kind of kernel may lack matchall and gact)."""

from __future__ import annotations

import struct

import pytest

from dnet_tui.inspect.kernel.netlink import attribute
from dnet_tui.inspect.kernel.rtnetlink.parse_links import parse_link_table
from dnet_tui.inspect.kernel.traffic_control_parse import (
    FilterLocation,
    parse_dropping_qdiscs,
    parse_filters,
    parse_places,
    request,
)

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


_ROOT = 0xFFFFFFFF


def qdisc(kind: bytes, options: bytes = b"", parent: int = _ROOT) -> bytes:
    return message(0x10000, parent, 0, attribute(1, kind + b"\0"), attribute(2, options))


def tbf(rate: int, buffer: int, limit: int) -> bytes:
    """TCA_TBF_PARMS: struct tc_tbf_qopt, its buffer in ticks of 64 ns."""
    speed = struct.pack("=BBHhHI", 0, 1, 0, 0, 0, rate)
    return attribute(1, speed + bytes(12) + struct.pack("=III", limit, buffer, 0))


@pytest.mark.parametrize(
    ("body", "words", "unmodelled"),
    [
        (qdisc(b"blackhole"), "drops everything", False),
        (qdisc(b"pfifo", struct.pack("=I", 0)), "drops everything", False),
        (qdisc(b"pfifo_head_drop", struct.pack("=I", 0)), "drops everything", False),
        (qdisc(b"bfifo", struct.pack("=I", 20)), "drops everything", False),
        (qdisc(b"bfifo", struct.pack("=I", 600)), "drops packets of more than 600 bytes", True),
        (qdisc(b"tbf", tbf(125_000, 1250, 3000)), "drops everything", False),  # 80 µs at 1 Mbit/s: 10 bytes
        (qdisc(b"netem", struct.pack("=6I", 0, 1000, 0xFFFFFFFF, 0, 0, 0)), "drops everything", False),
        (qdisc(b"blackhole", parent=0x10001), "drops everything", True),  # of a class
        (qdisc(b"pfifo", struct.pack("=I", 10)), "", False),
        (qdisc(b"pfifo"), "", False),
        (qdisc(b"tbf", tbf(12_500_000, 125_000, 3000)), "", False),
        (qdisc(b"netem", struct.pack("=6I", 0, 1000, 0x7FFFFFFF, 0, 0, 0)), "", False),
        (qdisc(b"fq_codel"), "", False),
    ],
)
def test_which_qdiscs_drop_what_they_are_given(body: bytes, words: str, unmodelled: bool) -> None:
    found = parse_dropping_qdiscs([body, b"short"])
    assert [(item.qdisc, item.unmodelled, item.place) for item in found] == (
        [(words, unmodelled, "root")] if words else []
    )
