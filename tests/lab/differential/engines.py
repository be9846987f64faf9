"""Every pair of endpoints of a host that an engine made: the packets to send, and their judgement."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address, ip_interface
from typing import Literal

from dnet_tui.actions.demo.sandbox import Sandbox
from dnet_tui.actions.demo.topology import DEMO
from dnet_tui.diagnostics.walk.l3.routing import lookup
from dnet_tui.diagnostics.walk.namespace_index import NamespaceIndex
from dnet_tui.diagnostics.walk.packet import Packet
from dnet_tui.inspect.model import Namespace, Snapshot
from lab.differential.host import observe_in
from lab.differential.judge import Court, Judgement
from lab.differential.send import EXTRA_UDP
from lab.differential.spec import HOST, OUTSIDE, HostSpec, Probe, Proto
from lab.machines.docker_layout import UPLINK_ADDRESS6

Family = Literal["ip", "ip6"]

FAMILIES: tuple[Family, ...] = ("ip", "ip6")
UPLINKS = (DEMO.uplink_address.partition("/")[0], UPLINK_ADDRESS6)
LOOPBACKS = {"ip": "127.0.0.1", "ip6": "::1"}

ENDPOINTS: tuple[tuple[Proto, int], ...] = (("tcp", 80), ("tcp", 81), ("udp", EXTRA_UDP), ("udp", 54), ("icmp", 0))
"""What is sent to every address: to a port that may be open, and to one that isn't."""


def places_of(snapshot: Snapshot, pids: dict[str, int]) -> dict[str, str]:
    """The namespaces of a host by place: one name for each, with the file by which it is entered."""
    by_inode = {ns.id: ns for ns in snapshot.namespaces}
    host = next(ns.id for ns in snapshot.namespaces if ns.kind == "host")
    found = {HOST: "", OUTSIDE: f"/run/netns/{DEMO.outside}"}
    taken = {host}
    for container in snapshot.containers:
        if container.netns in by_inode and container.netns not in taken and container.name in pids:
            taken.add(container.netns or "")
            found[container.name] = f"/proc/{pids[container.name]}/ns/net"
    return found


def probes_of(snapshot: Snapshot, places: dict[str, str], first: int = 1) -> tuple[Probe, ...]:
    """A packet of each kind from every place to every address, and to every published port; numbered from ``first``.

    IPv6 goes between all that have it.  To a published port go the outside,
    the host itself (by its loopback as well) and every container, its own
    among them, by the host's addresses near and far.
    """
    spaces = _spaces(snapshot, places)
    wanted: list[tuple[str, str, Proto, int]] = []
    for family in FAMILIES:
        having = {name: ns for name, ns in spaces.items() if _addresses(ns, family)}
        published = sorted(set(_published(snapshot, family)))
        for origin, here in having.items():
            for target, ns in having.items():
                addresses = _near(here, ns, family) if target == HOST else _addresses(ns, family)
                for address in addresses if target != origin else ():
                    wanted += [(origin, address, proto, port) for proto, port in ENDPOINTS]
            if HOST in having:
                near = _near(here, having[HOST], family)
                wanted += [(origin, address, proto, port) for address in near for proto, port in published]
        wanted += [(HOST, LOOPBACKS[family], proto, port) for proto, port in published]
    probes: list[Probe] = []
    for origin, dst, proto, port in wanted:
        src = dst if dst in LOOPBACKS.values() else _source(spaces[origin], dst)
        if src:
            number = len(probes) + first
            probes.append(Probe(number=number, origin=origin, src=src, dst=dst, proto=proto, dport=port))
    return tuple(probes)


def _published(snapshot: Snapshot, family: Family) -> Iterator[tuple[Proto, int]]:
    """The published ports; by IPv6 only where they are not bound to an IPv4 address."""
    for item in (item for container in snapshot.containers for item in container.published):
        if item.proto != "sctp" and (family == "ip" or ":" in item.host_ip or not item.host_ip):
            yield ("tcp" if item.proto == "tcp" else "udp"), item.host_port


def judged(
    sandbox: Sandbox, snapshot: Snapshot, pids: dict[str, int], environment: dict[str, str], *, first: int = 1
) -> Iterator[Judgement]:
    """Send every packet on a host, and judge what the walk says of it on a snapshot of just before.

    A host that is asked again needs another ``first`` number, as its conntrack remembers the earlier packets.
    """
    places = places_of(snapshot, pids)
    spec = HostSpec(existing=places, probes=probes_of(snapshot, places, first))
    court = Court(spec, observe_in(sandbox, spec, environment))
    return (court.judge(probe) for probe in spec.probes)


def _spaces(snapshot: Snapshot, places: dict[str, str]) -> dict[str, Namespace]:
    names = {c.netns: c.name for c in reversed(snapshot.containers) if c.netns and c.name in places}
    found: dict[str, Namespace] = {}
    for ns in snapshot.namespaces:
        name = HOST if ns.kind == "host" else OUTSIDE if DEMO.outside in ns.names else names.get(ns.id, "")
        if name in places:
            found[name] = ns
    return found


def _addresses(ns: Namespace, family: Family) -> list[str]:
    return [item.address for item in ns.addresses if item.family == family and item.scope == "global"]


def _near(origin: Namespace, host: Namespace, family: Family) -> list[str]:
    """The host's addresses that matter from here: the uplink's, its own networks', and one of another's."""
    addresses = _addresses(host, family)
    links = [a for a in origin.addresses if a.family == family and a.scope == "global"]
    near = [item for item in addresses if any(ip_address(item) in ip_interface(a.cidr).network for a in links)]
    uplink = [item for item in addresses if item in UPLINKS]
    others = [item for item in addresses if item not in {*uplink, *near}]
    return list(dict.fromkeys([*uplink, *near, *others[:1]]))


def _source(ns: Namespace, dst: str) -> str:
    """The address that the kernel would choose; empty where there is none to choose."""
    family: Family = "ip6" if ":" in dst else "ip"
    anywhere = "::" if family == "ip6" else "0.0.0.0"  # noqa: S104 - "not chosen yet"
    answer = lookup(NamespaceIndex(ns), Packet(family=family, src=anywhere, dst=dst, proto="udp"))
    on_link = [a.address for a in ns.addresses if a.ifindex == answer.ifindex and a.family == family]
    # IPv6 prefers an address of the destination's scope to the outgoing link's (RFC 6724, rule 2).
    chosen = [item for item in on_link if not item.startswith("fe80:")]
    return answer.source or next(iter([*chosen, *_addresses(ns, family)]), "")
