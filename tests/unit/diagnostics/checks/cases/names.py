"""Hosts for the checks of names, conntrack and proxies: faults and near misses."""

from __future__ import annotations

import msgspec

from dnet_tui.diagnostics.operations.rule import InsertRule
from dnet_tui.diagnostics.operations.simulate import after
from dnet_tui.inspect.model import Resolver, Snapshot, Socket
from dnet_tui.inspect.model.firewall import Firewall
from unit.builders.factories import ANY, APP1, with_namespace
from unit.builders.factories_names import (
    SERVER,
    container,
    embedded,
    legacy,
    podman_names,
    proxied,
    published_udp,
    resolving,
    stub,
    translated,
    udp,
)
from unit.diagnostics.checks.cases.case import Build, CheckCases, tabled

_DROP_OUT = f"-d {SERVER}/32 -p udp -m udp --dport 53 -j DROP"


def rule(snapshot: Snapshot, chain: str, spec: str, table: str = "filter") -> Snapshot:
    insert = InsertRule(backend="iptables-nft", family="ip", table=table, chain=chain, spec=spec, position=1)
    return after(snapshot, [insert])


def unled() -> Snapshot:
    """App1's rules that lead to Docker's resolver were flushed."""
    return with_namespace(resolving(), APP1, firewall=Firewall())


def nobody_to_ask(*, hosts: tuple[str, ...] = (SERVER,)) -> Snapshot:
    snapshot = resolving()
    for name in ("app1", "app2"):
        snapshot = container(snapshot, name, resolver=embedded(""))
    own = Resolver(source="/etc/resolv.conf", servers=hosts)
    return msgspec.structs.replace(snapshot, host=msgspec.structs.replace(snapshot.host, resolver=own))


def fell_back(*, barred: bool) -> Snapshot:
    snapshot = container(resolving(), "web", resolver=legacy("8.8.8.8", fell_back=True))
    return rule(snapshot, "FORWARD", "-d 8.8.8.8/32 -j DROP") if barred else snapshot


DNSMASQ = Socket(proto="udp", address=ANY, port=53, process="dnsmasq", pid=99)


AARDVARK = Socket(proto="udp", address="10.10.0.1", port=53, process="aardvark-dns")


FAULTS: dict[str, tuple[str, Build]] = {
    "the host's own rules drop its questions": ("dns-upstream", lambda: rule(resolving(), "OUTPUT", _DROP_OUT)),
    "the answers are dropped": (
        "dns-upstream",
        lambda: rule(resolving(), "INPUT", f"-s {SERVER}/32 -p udp -m udp --sport 53 -j DROP"),
    ),
    "no process listens at the host's stub": ("dns-upstream", lambda: stub(listening=False)),
    "the container's rules are gone": ("dns-nat-gone", unled),
    "no server was there at the start": ("dns-none", nobody_to_ask),
    "dnsmasq holds port 53": ("aardvark-conflict", lambda: podman_names(DNSMASQ)),
    "a published port 53 takes the questions": (
        "aardvark-conflict",
        lambda: rule(
            podman_names(AARDVARK),
            "PREROUTING",
            "-p udp -m udp --dport 53 -m addrtype --dst-type LOCAL -j DNAT --to-destination 172.17.0.2:53",
            "nat",
        ),
    ),
    "a client's packets lead to the old address": ("udp-stale-ct", lambda: published_udp(udp("172.17.0.77"))),
    "a client's packets end at the host": ("udp-stale-ct", lambda: published_udp(udp("203.0.113.2", 5353))),
    "a client's packets end at a dockerd that only holds the port": (
        "udp-stale-ct",
        lambda: published_udp(udp("203.0.113.2", 5353), holder="dockerd"),
    ),
    "the proxy died": ("proxy-mismatch", lambda: proxied(8081)),
    "ports to one server run out": ("snat-ports", lambda: translated(60_000)),
}


NEAR_MISSES: dict[str, dict[str, Build]] = {
    "dns-upstream": {
        "systemd-resolved's stub, asked from the host": stub,
        "an internal network and rules that drop": lambda: rule(
            _internal(resolving()), "OUTPUT", "-p tcp --dport 53 -j DROP"
        ),
        "a server given by option that is on the container's own loopback": lambda: container(
            resolving(), "app1", resolver=embedded("127.0.0.1", overrides="nameservers")
        ),
        "a second server that can be reached": lambda: container(
            container(
                rule(resolving(), "OUTPUT", _DROP_OUT), "app1", resolver=embedded(f"host({SERVER}) host(203.0.113.54)")
            ),
            "app2",
            resolver=embedded(f"host({SERVER}) host(203.0.113.54)"),
        ),
        "an engine that doesn't write down whom it asks": lambda: container(
            rule(resolving(), "OUTPUT", "-p tcp --dport 53 -j DROP"),
            "app1",
            resolver=Resolver(source="/lab/resolv.conf", servers=("127.0.0.11",)),
        ),
    },
    "dns-none": {
        "an internal network whose resolver has no upstream server": lambda: _internal(nobody_to_ask()),
        "a host that itself has no server": lambda: nobody_to_ask(hosts=()),
    },
    "dns-nat-gone": {
        "a resolver of the container's own": lambda: with_namespace(
            container(resolving(), "app1", resolver=Resolver(source="/lab/resolv.conf", servers=("127.0.0.1",))),
            APP1,
            firewall=Firewall(),
        ),
    },
    "dns-fallback": {
        "public servers that can be reached": lambda: fell_back(barred=False),
    },
    "aardvark-conflict": {
        "aardvark-dns beside a dnsmasq": lambda: podman_names(DNSMASQ, AARDVARK),
        "aardvark-dns on another port": lambda: podman_names(DNSMASQ, msgspec.structs.replace(AARDVARK, port=5353)),
        "a Podman network without names beside a dnsmasq": lambda: podman_names(DNSMASQ, dns=False),
        "a program that can't be named on port 53": lambda: podman_names(msgspec.structs.replace(DNSMASQ, process="")),
    },
    "udp-stale-ct": {
        "an unreplied connection that leads to the container": lambda: published_udp(udp("172.17.0.2")),
        "a connection that a docker-proxy serves": lambda: published_udp(udp("203.0.113.2", 5353), served=True),
        "a connection that is answered": lambda: published_udp(udp("203.0.113.2", 5353, "seen-reply")),
        "a container's own connection by the host's address": lambda: published_udp(
            udp("203.0.113.2", 5353, src="10.10.0.2")
        ),
        "a port that no rule leads on": lambda: published_udp(udp("203.0.113.2", 5353), led=False, served=True),
        "a published port that dockerd holds and that no rule leads on": lambda: published_udp(
            udp("203.0.113.2", 5353), led=False, holder="dockerd"
        ),
    },
    "proxy-mismatch": {
        "every proxy there": lambda: proxied(8080),
        "a proxy of another name that listens": lambda: proxied(listening=True),
    },
    "snat-ports": {
        "many connections to many servers": lambda: translated(20_000, 20_000, 20_000),
        "many connections to one server": lambda: translated(30_000),
    },
}


def _internal(snapshot: Snapshot) -> Snapshot:
    networks = tuple(
        msgspec.structs.replace(item, internal=True, masquerade=False) if item.name == "app" else item
        for item in snapshot.networks
    )
    snapshot = msgspec.structs.replace(snapshot, networks=networks)
    for ident in (APP1, "net:[4026532401]"):
        ns = next(item for item in snapshot.namespaces if item.id == ident)
        routes = tuple(item for item in ns.routes if item.dst != "0.0.0.0/0")
        snapshot = with_namespace(snapshot, ident, routes=routes)
    return snapshot


CASES: dict[str, CheckCases] = tabled(FAULTS, NEAR_MISSES)
