"""The drawing follows a walked packet: its links, their addresses, NAT, and where it ends."""

from __future__ import annotations

import msgspec
import pytest

from dnet_tui.inspect.model import Snapshot
from dnet_tui.tui.app.present.map import map_tree
from dnet_tui.tui.app.present.map.topology import drawing
from dnet_tui.tui.app.present.styled_text import plain
from unit.builders.factories import HOST, docker_like_snapshot, with_namespace


def drawn(snapshot: Snapshot, row: str) -> str:
    return "\n".join(plain(para.line) for para in drawing(snapshot, row))


def row(snapshot: Snapshot, name: str) -> str:
    return next(item.id for item in map_tree.rows(snapshot, None) if name in plain(item.cells[0]))


def in_order(text: str, *words: str) -> bool:
    places = [text.index(word) for word in words]
    return places == sorted(places)


@pytest.mark.parametrize("name", ["web eth0", "veth5f0a1b2", "docker0"])
def test_a_container_its_port_and_its_bridge_have_the_same_way_out(name: str) -> None:
    snapshot = docker_like_snapshot()
    text = drawn(snapshot, row(snapshot, name))
    assert in_order(
        text, "eth0@if6  172.17.0.2/16", "veth5f0a1b2@if5", "port of", "docker0", "NAT: 172.17.0.2", "outside"
    )
    assert "becomes 203.0.113.2" in text
    assert "0.0.0.0:8080 → web:80/tcp" in text


def test_without_nat_the_address_stays_and_nothing_is_made_up() -> None:
    snapshot = docker_like_snapshot()
    host = next(ns for ns in snapshot.namespaces if ns.id == HOST)
    tables = tuple(table for table in host.firewall.tables if table.name != "nat")
    snapshot = with_namespace(snapshot, HOST, firewall=msgspec.structs.replace(host.firewall, tables=tables))
    text = drawn(snapshot, row(snapshot, "web eth0"))
    assert "NAT" not in text
    assert "as 172.17.0.2" in text


def test_where_the_packet_ends_the_drawing_ends_and_says_by_what() -> None:
    snapshot = docker_like_snapshot()
    host = next(ns for ns in snapshot.namespaces if ns.id == HOST)
    values = {**host.sysctls.values, "net.ipv4.ip_forward": "0", "net.ipv4.conf.docker0.forwarding": "0"}
    snapshot = with_namespace(snapshot, HOST, sysctls=msgspec.structs.replace(host.sysctls, values=values))
    text = drawn(snapshot, row(snapshot, "web eth0"))
    assert "ends here" in text
    assert "203.0.113.2/24" not in text
    assert "outside, as" not in text


def test_the_others_on_a_bridge_are_named_and_what_leads_nowhere_is_not_drawn() -> None:
    snapshot = docker_like_snapshot()
    assert "Also on it: app2" in drawn(snapshot, row(snapshot, "br-app"))
    assert drawn(snapshot, "host") == ""
    assert drawn(snapshot, "link:net:[1]:999") == ""


def test_all_lines_of_a_box_are_of_one_width() -> None:
    snapshot = docker_like_snapshot()
    text = drawn(snapshot, row(snapshot, "web eth0"))
    sides = {len(line) for line in text.splitlines() if line[:1] in "┌│└" and line}
    assert len(sides) == 1
