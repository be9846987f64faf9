"""Traces on recorded hosts: outside and any address beyond the same route, the matrix by twins and pair by pair."""

from __future__ import annotations

from functools import cache

import pytest

from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.trace.endpoints import find
from dnet_tui.diagnostics.trace.matrix import matrix
from dnet_tui.diagnostics.trace.outside import is_outside
from dnet_tui.diagnostics.trace.trace import trace
from dnet_tui.diagnostics.walk.l3.routing import lookup
from dnet_tui.diagnostics.walk.namespace_index import index_of
from dnet_tui.diagnostics.walk.packet import Packet, Walk
from dnet_tui.inspect.errors import DnetError
from dnet_tui.inspect.model import known_items
from lab.recordings import fault_records as records

OTHERS = ("8.8.4.4", "93.184.216.34", "203.0.113.77", "192.0.2.1", "2606:4700::1111", "3fff:1::1")
"""Addresses that somebody may type instead of ``outside``."""


def _route(case: HostContext, place: str, address: str) -> str:
    ns = case.view.namespaces[place]
    six = ":" in address
    packet = Packet(family="ip6" if six else "ip", src="::" if six else "0.0.0.0", dst=address, proto="tcp")  # noqa: S104
    return lookup(index_of(case.view, ns), packet).by.text


@cache
def recorded(name: str, fault: str) -> HostContext:
    return HostContext(records.snapshot(name, fault))


def _alike(case: HostContext, place: str, address: str, outside: str) -> bool:
    """Whether a place and the host have the same route to two addresses."""
    ends = {find(case, place).namespace, case.view.host.id if case.view.host else ""}
    if (":" in address) != (":" in outside) or not is_outside(case, address):
        return False
    return all(_route(case, end, address) == _route(case, end, outside) for end in ends)


def _fate(walk: Walk | None) -> tuple[str, ...]:
    if walk is None:
        return ()
    by = walk.decided_by
    where = (by.kind, by.namespace, by.rule.chain, str(by.rule.number)) if by is not None and by.rule else ()
    return (walk.end, walk.exits, walk.last_namespace, *where, *(f"{hop.stage} {hop.interface}" for hop in walk.hops))


@pytest.mark.parametrize(
    ("name", "fault"), [(name, fault) for name in records.names() for fault in records.load(name).faults]
)
def test_any_address_by_the_same_route_fares_as_outside_does(name: str, fault: str) -> None:
    case = recorded(name, fault)
    compared = 0
    for item in known_items(case.snapshot.containers)[:4]:
        for address in OTHERS:
            try:
                ends = find(case, item.name), find(case, "outside"), find(case, address)
            except DnetError:
                continue
            for flip in (False, True):
                first, second = ((ends[1], ends[0]), (ends[2], ends[0])) if flip else (ends[:2], ends[::2])
                try:
                    plain = trace(case, *first)
                except DnetError:
                    continue
                outside = plain.forward.start.src if flip else plain.forward.start.dst
                if not _alike(case, item.name, address, outside):
                    continue
                named = trace(case, *second)
                assert _fate(named.forward) == _fate(plain.forward)
                assert _fate(named.answer) == _fate(plain.answer)
                assert (named.verdict, named.intended) == (plain.verdict, plain.intended)
                compared += 1
    assert compared or not ends


@pytest.mark.parametrize("name", ["docker", "docker-six", "podman"])
def test_recorded_hosts_have_the_same_matrix_pair_by_pair(name: str) -> None:
    snapshot = records.snapshot(name, records.HEALTHY)
    assert matrix(HostContext(snapshot)) == matrix(HostContext(snapshot), by_twins=False)
