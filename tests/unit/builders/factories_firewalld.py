"""The small Docker host beside firewalld, and with the rules of Docker's nftables backend.  Constructed, not recorded.

firewalld's chains are cut down to those that containers' packets meet, in the
form of its ``core/nftables.py``; the names of the chain that gives packets to
zones are those of its releases.  Docker 29's table is that of
tests/lab/rulesets, which publishes app1's port 80 on 8080.
"""

from __future__ import annotations

from typing import Any

import msgspec

from dnet_tui.inspect.model import Firewalld, FirewalldZone, PublishedPort, Snapshot
from dnet_tui.inspect.model.firewall import AnyExpr, Chain, Firewall, Table
from unit.builders.factories import ANY, HOST, docker_like_snapshot, with_namespace, with_sysctl
from unit.builders.factories_firewall import chain, docker_filter, docker_nat, match, verdict
from unit.builders.factories_links import NF_CALL, namespace
from unit.builders.nft_listings import table

RUNNING = Firewalld(
    pid=900, settled=True, backend="nftables", default_zone="public", strict_forward_ports=False, zones=()
)

DISPATCHERS = ("filter_FORWARD_ZONES", "filter_FORWARD_POLICIES", "filter_FORWARD_dispatch")
"""What gives forwarded packets to zones: firewalld 1.3, 2.0 to 2.4, and 2.5."""

SWITCHES = (NF_CALL, "net.bridge.bridge-nf-call-ip6tables")

_REJECT = ("reject with icmpx admin-prohibited", (verdict("reject"),))


def engine(snapshot: Snapshot, **changes: object) -> Snapshot:
    """The snapshot with its engine's settings changed."""
    return msgspec.structs.replace(snapshot, engines=(msgspec.structs.replace(snapshot.engines[0], **changes),))


def tables(snapshot: Snapshot, *found: Table) -> Snapshot:
    """The snapshot with other tables on the host."""
    return with_namespace(snapshot, HOST, firewall=Firewall(tables=found))


def zone_rules(*bridges: str, dispatcher: str = DISPATCHERS[-1], strict: bool = False, more: Any = ()) -> Table:
    """``inet firewalld`` with these bridges in its zone docker; all else is rejected by the default zone.

    ``more`` are rules of the default zone's chain, before its own.
    """
    dnat = match("ctstate", "DNAT")
    forward: list[tuple[str, tuple[AnyExpr, ...]]] = [
        ("ct state established,related accept", (match("ctstate", "ESTABLISHED", "RELATED"), verdict("accept"))),
        ("ct status dnat jump filter_FORWARD_dnat", (dnat, verdict("jump", "filter_FORWARD_dnat")))
        if strict
        else ("ct status dnat accept", (dnat, verdict("accept"))),
        (f"jump {dispatcher}", (verdict("jump", dispatcher),)),
        _REJECT,
    ]
    zones = [
        (f'iifname "{name}" jump filter_FWD_docker', (match("iif", name), verdict("jump", "filter_FWD_docker")))
        for name in bridges
    ]
    return Table(
        family="inet",
        name="firewalld",
        backend="nftables",
        chains=(
            chain("filter_FORWARD", forward, hook="forward", priority=10, type="filter", policy="accept"),
            chain(dispatcher, [*zones, ("jump filter_FWD_public", (verdict("jump", "filter_FWD_public"),))]),
            chain("filter_FWD_docker", [("accept", (verdict("accept"),))]),
            chain("filter_FWD_public", [*more, _REJECT]),
            *((chain("filter_FORWARD_dnat", [_REJECT]),) if strict else ()),
        ),
    )


def firewalld_host(*bridges: str, firewalld: Firewalld | None = RUNNING, **how: Any) -> Snapshot:
    """The healthy host where firewalld was told these bridges."""
    base = msgspec.structs.replace(docker_like_snapshot(), firewalld=firewalld)
    base = engine(base, firewall="iptables+firewalld", iptables=True)
    return tables(base, docker_filter(), docker_nat(), zone_rules(*bridges, **how))


def bound(bridge: str, zone: str, **changes: Any) -> Snapshot:
    """The healthy host whose firewalld has a bridge in a zone, permanently."""
    zones = (FirewalldZone(name="public"), FirewalldZone(name=zone, interfaces=(bridge,)))
    return engine(
        firewalld_host("docker0", "br-app", firewalld=msgspec.structs.replace(RUNNING, zones=zones)), **changes
    )


def native(*more: Table, **changes: Any) -> Snapshot:
    """The healthy host under Docker 29's nftables backend, with what else is loaded."""
    base = docker_like_snapshot()
    port = (PublishedPort(host_ip=ANY, host_port=8080, proto="tcp", container_port=80),)
    ports = {"web": (), "app1": port}
    containers = tuple(
        msgspec.structs.replace(item, published=ports.get(item.name, item.published)) for item in base.containers
    )
    base = msgspec.structs.replace(base, containers=containers)
    settings = {"version": "29.1.0", "firewall": "nftables", "iptables": True, "ip_forward": True} | changes
    return tables(engine(base, **settings), table("docker_29", "ip docker-bridges"), *more)


def iptables_forward(
    *rules: tuple[str, tuple[AnyExpr, ...]], policy: str = "drop", more: tuple[Chain, ...] = ()
) -> Table:
    """Iptables' filter table as Docker leaves it after a change of backend: DOCKER-USER, and the policy."""
    jump = ("-j DOCKER-USER", (verdict("jump", "DOCKER-USER"),))
    forward = chain("FORWARD", [jump, *rules], hook="forward", priority=0, type="filter", policy=policy)
    return Table(family="ip", name="filter", backend="iptables-nft", chains=(forward, chain("DOCKER-USER"), *more))


def unswitched(snapshot: Snapshot) -> Snapshot:
    """The host without br_netfilter."""
    for key in SWITCHES:
        snapshot = with_sysctl(snapshot, key, None)
    return snapshot


def not_forwarding(snapshot: Snapshot) -> Snapshot:
    """The host with forwarding off."""
    for key in namespace(snapshot, HOST).sysctls:
        if key.endswith((".forwarding", "ip_forward")):
            snapshot = with_sysctl(snapshot, key, "0")
    return snapshot
