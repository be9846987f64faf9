"""A device that ARP is turned off on: it neither asks nor answers, and is no obstacle to who knows its way."""

from __future__ import annotations

import pytest

from dnet_tui.diagnostics.walk.api import walk
from dnet_tui.diagnostics.walk.packet import Packet, Walk
from dnet_tui.inspect.model import Neighbour, Snapshot
from dnet_tui.inspect.model.view import View
from unit.builders.factories import APP1, APP2, HOST, docker_like_snapshot, with_link, with_namespace
from unit.builders.factories_links import adding, namespace

ONE, TWO = "10.10.0.2", "10.10.0.3"
OFF = ("UP", "NOARP")


def forgetful(snapshot: Snapshot) -> Snapshot:
    """Nobody remembers anybody."""
    for ident in (HOST, APP1, APP2):
        snapshot = with_namespace(snapshot, ident, neighbours=())
    return snapshot


def between(snapshot: Snapshot) -> Walk:
    packet = Packet(src=ONE, dst=TWO, proto="tcp", sport=40000, dport=80, tcp_flags=("SYN",))
    return walk(View(snapshot), packet, origin=APP1)


def knowing(snapshot: Snapshot) -> Snapshot:
    """The first container with a permanent entry for the second one."""
    link = next(item for item in namespace(snapshot, APP1).links if item.name == "eth0")
    mac = next(item for item in namespace(snapshot, APP2).links if item.name == "eth0").mac
    entry = Neighbour(ifindex=link.ifindex, family="ip", address=TWO, mac=mac, state="PERMANENT")
    return adding(snapshot, APP1, "neighbours", entry)


@pytest.mark.parametrize("silent", [APP1, APP2])
def test_without_arp_on_either_side_there_is_no_way(silent: str) -> None:
    found = between(with_link(forgetful(docker_like_snapshot()), silent, "eth0", flags=OFF))
    assert found.end == "unreachable"
    by = found.obstacles[0].by
    assert (by.kind, by.text, by.namespace) == ("link", "eth0 has ARP turned off", silent)


@pytest.mark.parametrize("silent", [APP1, APP2])
def test_who_knows_the_way_needs_no_arp(silent: str) -> None:
    host = with_link(knowing(forgetful(docker_like_snapshot())), silent, "eth0", flags=OFF)
    assert between(host).end == between(docker_like_snapshot()).end != "unreachable"
