"""What rules have put on lists of recent addresses: counted by address, and still there for the answer."""

from __future__ import annotations

import pytest

from dnet_tui.diagnostics.operations.rule import InsertRule
from dnet_tui.diagnostics.operations.simulate import after
from dnet_tui.diagnostics.walk.api import reply, walk
from dnet_tui.diagnostics.walk.match.remembered import times_remembered
from dnet_tui.diagnostics.walk.packet import Packet
from dnet_tui.inspect.model.view import View
from unit.builders.factories import HOST, docker_like_snapshot, with_namespace

MINE, OTHER = "10.0.0.1", "10.0.0.2"


def put(sign: str, side: str, address: str) -> str:
    return f"{sign}{HOST} recent r1 {side} {address}"


@pytest.mark.parametrize(
    ("remembered", "exact", "times"),
    [
        ((), True, 0),
        ((put("+", "src", MINE), put("+", "dst", MINE)), True, 2),
        ((put("+", "src", OTHER),), True, 0),
        ((put("+", "src", OTHER),), False, None),  # the list holds networks
        ((put("?", "src", MINE),), True, None),
        ((put("-", "src", MINE),), True, None),
        ((put("+", "src", MINE).replace("r1", "r2"),), True, 0),
    ],
)
def test_an_address_is_counted_by_itself_whichever_side_it_was_on(
    remembered: tuple[str, ...], exact: bool, times: int | None
) -> None:
    packet = Packet(src=MINE, dst=OTHER, proto="udp", remembered=remembered)
    assert times_remembered(packet, HOST, "r1", "src", exact=exact) == times


@pytest.mark.parametrize(("hitcount", "end"), [(2, "dropped"), (3, "delivered")])
def test_what_the_first_packet_put_there_counts_for_its_answer(hitcount: int, end: str) -> None:
    """A host that talks to itself: both have one source, and are counted as they come in (xt_recent)."""
    rule = {"backend": "iptables-nft", "family": "ip", "table": "filter", "chain": "INPUT"}
    put_there = "-m recent --set --name r1 --rsource"
    checked = f"-m recent --rcheck --hitcount {hitcount} --name r1 --rsource -j DROP"
    steps = [InsertRule(**rule, spec=spec, position=1) for spec in (checked, put_there)]  # type: ignore[arg-type]
    view = View(with_namespace(after(docker_like_snapshot(), steps), HOST, recent=()))
    packet = Packet(src="127.0.0.1", dst="127.0.0.1", proto="udp", sport=40000, dport=53)
    way = walk(view, packet, origin=HOST)
    assert way.end in {"delivered", "refused"}
    back = reply(view, way)
    assert [item for item in back.start.remembered if " r1 " in item] == [put("+", "src", "127.0.0.1")]
    assert back.end == end
