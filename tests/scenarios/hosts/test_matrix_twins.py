"""The matrix of whole hosts: containers that no packet can tell apart stand for each other, and no others."""

from __future__ import annotations

import importlib.util
import random
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import msgspec
import pytest

from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.trace.endpoints import find
from dnet_tui.diagnostics.trace.matrix import matrix
from dnet_tui.diagnostics.trace.twins import Twins
from dnet_tui.inspect.iptables.save_text import parse_save
from dnet_tui.inspect.model import (
    BridgePort,
    FdbEntry,
    Namespace,
    Neighbour,
    NextHop,
    PolicyRule,
    Route,
    Snapshot,
    TrafficFilter,
    Unread,
    known_items,
    require,
)
from dnet_tui.inspect.model.firewall import Element, Firewall, NamedSet
from dnet_tui.tui.reports.terminal import OutputStyle
from dnet_tui.tui.reports.trace.matrix_text import matrix_text
from unit.builders.factories import with_link, with_namespace

HOST = "net:[1]"
FIRST, OTHER = 5, 7
"""Two unpublished containers of the synthetic host, on the same bridge: 10.1.0.7 and 10.1.0.9."""


def _synthetic() -> ModuleType:
    path = Path(__file__).resolve().parents[3] / "bench" / "synthetic.py"
    spec = importlib.util.spec_from_file_location("bench_synthetic", path)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    sys.modules["bench_synthetic"] = found
    spec.loader.exec_module(found)
    return found


SYNTHETIC = _synthetic()


def base() -> Snapshot:
    found: Snapshot = SYNTHETIC.host(10, 2)
    return found


def _address(number: int) -> str:
    return f"10.{number % 2}.0.{number + 2}"


def ruled(*specs: str, chain: str = "FORWARD", namespace: str = HOST) -> Snapshot:
    """The host with rules before all others of a chain of filter."""
    snapshot = base()
    own = next(ns for ns in known_items(snapshot.namespaces) if ns.id == namespace)
    firewall = require(own.firewall)
    assert isinstance(firewall, Firewall)
    text = "\n".join(["*filter", f":{chain} ACCEPT [0:0]", *(f"-A {chain} {spec}" for spec in specs), "COMMIT", ""])
    more = parse_save(text, backend="iptables-legacy", family="ip")
    together = msgspec.structs.replace(firewall, tables=(*firewall.tables, *more))
    return with_namespace(snapshot, namespace, firewall=together)


def listing(*members: str) -> Snapshot:
    snapshot = ruled("-m set --match-set chosen src -j DROP")
    own = next(ns for ns in known_items(snapshot.namespaces) if ns.id == HOST)
    firewall = require(own.firewall)
    assert isinstance(firewall, Firewall)
    chosen = NamedSet(name="chosen", type="hash:ip", elements=tuple(Element(key=(item,)) for item in members))
    return with_namespace(snapshot, HOST, firewall=msgspec.structs.replace(firewall, ipsets=(chosen,)))


def inside(number: int = FIRST, **changes: object) -> Snapshot:
    return with_namespace(base(), f"net:[{number + 2}]", **changes)


def outside(**changes: object) -> Snapshot:
    return with_namespace(base(), HOST, **changes)


def host_has(field: str, item: object) -> Snapshot:
    own = next(ns for ns in known_items(base().namespaces) if ns.id == HOST)
    return outside(**{field: (*known_items(getattr(own, field)), item)})


def _route(dst: str, *, ifindex: int = 2, gateway: str | None = None) -> Route:
    return Route(family="ip", table=254, type="unicast", dst=dst, hops=(NextHop(ifindex=ifindex, gateway=gateway),))


ONE = f"net:[{FIRST + 2}]"
A, B = _address(FIRST), _address(OTHER)
MAC = "02:00:00:00:00:99"


def space(ident: str) -> Namespace:
    return next(ns for ns in known_items(base().namespaces) if ns.id == ident)


def remembered(ifindex: int, address: str) -> Neighbour:
    return Neighbour(ifindex=ifindex, family="ip", address=address, mac=MAC, state="PERMANENT")


def filtered() -> TrafficFilter:
    ifindex = 1000 + FIRST
    return TrafficFilter(ifindex=ifindex, place="ingress", kind="matchall", protocol=3, actions=("gact drop",))


def checked() -> dict[str, str]:
    found = space(HOST).sysctls
    return {**getattr(found, "values", {}), "net.ipv4.conf.br-0001.rp_filter": "1"}


def port(**changes: object) -> Snapshot:
    return with_link(base(), HOST, f"veth{FIRST}", **changes)


DIFFERENCES: dict[str, Callable[[], Snapshot]] = {
    "a rule for one": lambda: ruled(f"-s {A}/32 -j DROP"),
    "a rule for all but one": lambda: ruled(f"! -s {A}/32 -i br-0001 -j DROP"),
    "a range": lambda: ruled(f"-m iprange --dst-range {A}-{B} -j DROP"),
    "half the subnet": lambda: ruled("-s 10.1.0.8/29 -j REJECT"),
    "a port of the bridge": lambda: ruled(f"-m physdev --physdev-in veth{FIRST} -j DROP"),
    "ports by a pattern": lambda: ruled("-m physdev --physdev-in veth7+ -j DROP"),
    "one port each": lambda: ruled(
        f"-m physdev --physdev-in veth{FIRST} -j DROP", f"-m physdev --physdev-in veth{OTHER} -j ACCEPT"
    ),
    "single bits": lambda: ruled("-s 10.0.0.1/255.0.0.1 -j DROP"),
    "a set of one": lambda: listing(A),
    "a set of two": lambda: listing(A, B),
    "an input rule": lambda: ruled(f"-s {A} -j DROP", chain="INPUT"),
    "a rule inside": lambda: ruled("-j DROP", chain="INPUT", namespace=ONE),
    "a rule inside for another": lambda: ruled(f"-s {B} -j DROP", chain="INPUT", namespace=ONE),
    "a port that is down": lambda: port(up=False),
    "an isolated port": lambda: port(port=BridgePort(state="forwarding", isolated=True)),
    "a blocking port": lambda: port(port=BridgePort(state="blocking")),
    "a port without its bridge": lambda: port(master=None),
    "a device that is down inside": lambda: with_link(base(), ONE, "eth0", up=False),
    "a small mtu": lambda: with_link(base(), ONE, "eth0", mtu=1000),
    "no listener": lambda: inside(sockets=()),
    "no default route": lambda: inside(routes=()),
    "no address": lambda: inside(addresses=()),
    "an unread section": lambda: inside(routes=Unread(reason="denied")),
    "a route around": lambda: host_has("routes", _route(f"{A}/32", gateway="203.0.113.9")),
    "a route inside": lambda: inside(routes=(*space(ONE).routes, _route(f"{B}/32", gateway="10.1.0.3"))),
    "a policy rule": lambda: host_has(
        "policy_rules", PolicyRule(family="ip", priority=9, table=254, src=f"{A}/32", action="blackhole")
    ),
    "a wrong neighbour": lambda: host_has("neighbours", remembered(11, A)),
    "a neighbour inside": lambda: inside(neighbours=(remembered(2, B),)),
    "a forwarding entry": lambda: host_has("fdb", FdbEntry(ifindex=1000 + OTHER, mac=MAC, master=11, state="static")),
    "an address twice": lambda: inside(OTHER, addresses=space(ONE).addresses),
    "a filter on its port": lambda: host_has("traffic_control", filtered()),
    "a reverse-path check": lambda: outside(sysctls=checked()),
    "nothing": base,
}


@pytest.mark.parametrize("difference", DIFFERENCES)
def test_a_pair_stands_only_for_those_that_fare_the_same(difference: str) -> None:
    snapshot = DIFFERENCES[difference]()
    assert matrix(HostContext(snapshot)) == matrix(HostContext(snapshot), by_twins=False)


@pytest.mark.parametrize("seed", range(3))
def test_several_differences_at_once(seed: int) -> None:
    """Of two at random the second is laid over the first's containers or host."""
    chance = random.Random(seed)  # noqa: S311 - chance, not secrecy
    names = chance.sample(sorted(DIFFERENCES), 2)
    first, second = (DIFFERENCES[name]() for name in names)
    plain = {ns.id: ns for ns in known_items(base().namespaces)}
    changed = {ns.id: ns for ns in known_items(second.namespaces) if ns != plain[ns.id]}
    spaces = tuple(changed.get(ns.id, ns) for ns in known_items(first.namespaces))
    snapshot = msgspec.structs.replace(first, namespaces=spaces)
    assert matrix(HostContext(snapshot)) == matrix(HostContext(snapshot), by_twins=False)


def test_containers_that_nothing_tells_apart_are_one_class() -> None:
    case = HostContext(base())
    places = [find(case, f"c{number}") for number in range(10)]
    classes = Twins(case).classes(places)
    assert classes["c5"] == classes["c7"] == classes["c9"]  # on the second bridge, not published
    assert len(set(classes.values())) == 5  # c0, c4 and c8 publish a port; those of the first bridge; these
    told = Twins(HostContext(DIFFERENCES["a rule for one"]())).classes(places)
    assert told["c5"] != told["c7"] == told["c9"]


def test_a_host_of_many_is_told_in_a_few_rows() -> None:
    text = matrix_text(matrix(HostContext(SYNTHETIC.host(40, 2))), OutputStyle(width=80))
    assert len(text.splitlines()) < 40
    assert "that behave the same): c" in text
    assert "and " in text
