"""Recorded swarms of one node: their places by name, and what a trace between them says.  No host is needed."""

from __future__ import annotations

import msgspec
import pytest

from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.trace.endpoints import find
from dnet_tui.diagnostics.trace.trace import trace
from dnet_tui.inspect.model import Address, Snapshot, known_items
from dnet_tui.inspect.model.view import View
from dnet_tui.tui.app.present.map.map_tree import rows
from dnet_tui.tui.reports.lists.map_text import host_map
from dnet_tui.tui.reports.terminal import OutputStyle
from lab.recordings import swarm_records as records
from unit.builders.factories import with_namespace

NAMES = records.names()


@pytest.mark.parametrize("name", NAMES)
def test_the_traces_say_what_they_said_on_the_host(name: str) -> None:
    assert records.said(records.snapshot(name)) == records.spec(name).traces


@pytest.mark.parametrize("name", NAMES)
def test_the_map_and_the_app_name_its_networks(name: str) -> None:
    host = records.snapshot(name)
    shown = host_map(View(host), OutputStyle())
    assert "br0 in overlay network ov  10.77.0.1/24" in shown
    assert "net:[" not in shown
    cells = [" ".join(part.text for cell in row.cells for part in cell) for row in rows(host, None)]
    assert any("overlay network ov" in text for text in cells)
    assert any("ingress sandbox" in text for text in cells)
    assert not any("net:[" in text for text in cells)


def with_ipvs(host: Snapshot) -> tuple[Snapshot, str]:
    """The host as a kernel with IPVS has it (constructed): the load balancer has the service's address."""
    network = next(net for net in known_items(host.networks) if net.name == "ov")
    balancer = next(ns for ns in known_items(host.namespaces) if ns.role == "load-balancer" and ns.serves == network.id)
    address = network.virtual[0].address
    link = next(item for item in known_items(balancer.links) if item.name == "eth0")
    alias = Address(ifindex=link.ifindex, family="ip", address=address, prefixlen=32)
    local = next(route for route in known_items(balancer.routes) if route.type == "local" and "10.77" in route.dst)
    changed = with_namespace(
        host,
        balancer.id,
        addresses=(*known_items(balancer.addresses), alias),
        routes=(*known_items(balancer.routes), msgspec.structs.replace(local, dst=f"{address}/32")),
    )
    return changed, address


@pytest.mark.parametrize("name", NAMES)
def test_with_ipvs_the_packet_comes_to_the_load_balancer_and_no_further(name: str) -> None:
    host, address = with_ipvs(records.snapshot(name))
    plain = msgspec.structs.replace(
        host, networks=tuple(msgspec.structs.replace(net, virtual=()) for net in known_items(host.networks))
    )
    for snapshot in (host, plain):  # whether a manager tells of the service or not
        case = HostContext(snapshot)
        found = trace(case, find(case, "ov1"), find(case, address))
        assert (found.verdict, found.arrives) == ("unknown", None)
        assert found.decided_by is not None
        assert "IPVS" in found.decided_by.text
    assert "load balancer of ov" in {case.view.label(hop.namespace) for hop in found.forward.hops}


@pytest.mark.parametrize("name", NAMES)
def test_a_plain_namespace_refuses_where_nobody_listens(name: str) -> None:
    host = records.snapshot(name)
    case = HostContext(host)
    found = trace(case, find(case, "ov1"), find(case, "ov2"), port=81)
    assert found.verdict == "refused"
