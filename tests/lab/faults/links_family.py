"""The faults of links, bridges, addresses, routes and containers, as cases of the matrix."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Interface
from typing import Any

from lab.faults.machinery import Argv, Case, commanded, everywhere, nothing
from lab.machines.docker_host import DockerHost
from lab.machines.docker_layout import MODES_SINCE, OUTSIDE_SERVER6
from lab.machines.hosts import UPLINK_ADDRESS, DemoHost, LabHost, python_argv
from lab.machines.image import HTTPD, IMAGE
from lab.machines.podman_host import PodmanHost
from lab.packets.plans import (
    CROSS,
    CROSS_OPEN,
    EGRESS,
    FROM_HOST,
    OK,
    OTHER_EGRESS,
    PUBLISHED,
    TIMEOUT,
    UNREACHABLE,
    Traffic,
    plan_of,
)
from lab.packets.traffic import Probe

WRONG_MAC = "02:00:00:00:00:99"
_VPN, _VPN_FAR = "vpn0", "vpn1"
_TABLE, _PRIORITY = "52", "5270"
"""Those of Tailscale."""

_DNS = 53
_MULTI_PORT = 8099

CUT_OFF = {EGRESS: TIMEOUT, PUBLISHED: TIMEOUT, FROM_HOST: TIMEOUT}
"""What fails when the host and a container don't find each other."""

_ECHO = """
import socket, sys
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind((sys.argv[1], 53))
print("ready", flush=True)
while True:
    data, sender = sock.recvfrom(512)
    sock.sendto(data, sender)
"""


@dataclass(frozen=True)
class Cable:
    """How a container is attached: its interface, the host's end of the veth, the bridge, its address and gateway."""

    inner: str
    veth: str
    bridge: str
    address: IPv4Interface
    gateway: str
    gateway_words: Argv
    """The arguments of ``ip address add`` that put the gateway's address on the bridge just as it is."""


def ip(host: LabHost, *arguments: str, place: str = "host") -> Any:
    """Return what ``ip -j`` says in a place."""
    return json.loads(host.run(*host.enter(place), "ip", "-j", "-d", *arguments).stdout or b"[]")


def cable(host: LabHost, name: str) -> Cable:
    """Look up how a container is attached by its first bridge port."""
    for link in ip(host, "link", "show", place=name):
        far = next((item for item in ip(host, "link", "show") if item["ifindex"] == link.get("link_index")), None)
        if far is None or "master" not in far:
            continue
        mine = ip(host, "-4", "address", "show", "dev", link["ifname"], place=name)[0]["addr_info"][0]
        held = ip(host, "-4", "address", "show", "dev", far["master"])[0]["addr_info"][0]
        words = [f"{held['local']}/{held['prefixlen']}"]
        words += ["brd", held["broadcast"]] if "broadcast" in held else []
        return Cable(
            inner=link["ifname"],
            veth=far["ifname"],
            bridge=far["master"],
            address=IPv4Interface(f"{mine['local']}/{mine['prefixlen']}"),
            gateway=held["local"],
            gateway_words=tuple(words),
        )
    raise AssertionError(f"{name} is on no bridge")


def inside(host: LabHost, name: str, *arguments: str) -> Argv:
    """Return ``ip`` in a container's network namespace."""
    return (*host.enter(name), "ip", *arguments)


def pair(host: LabHost) -> tuple[str, str]:
    """Return two containers of one network that may talk; the second one is not of the plan's probes, if possible."""
    return ("web", "api") if isinstance(host, DemoHost) else ("app1", "app2")


def neighbours(host: LabHost) -> Probe:
    """Return the probe between the two of :func:`pair`."""
    one, two = pair(host)
    return Probe(one, host.addresses[two], 80, answers=two)


Inject = Callable[[LabHost], tuple[Sequence[Argv], Sequence[Argv]]]


def put(build: Inject) -> Callable[[LabHost], AbstractContextManager[None]]:
    """Make the ``put`` of a case from what returns the commands for both ways."""

    def both(host: LabHost) -> AbstractContextManager[None]:
        inject, restore = build(host)
        return commanded(host, inject, restore)

    return both


def _bridge_down(host: LabHost) -> tuple[Sequence[Argv], Sequence[Argv]]:
    head = ("ip", "link", "set", "dev", host.target.bridge)
    return [(*head, "down")], [(*head, "up")]


def _bridge_no_ip(host: LabHost) -> tuple[Sequence[Argv], Sequence[Argv]]:
    web = cable(host, "web")
    remove = ("ip", "address", "del", web.gateway_words[0], "dev", web.bridge)
    return [remove], [("ip", "address", "add", *web.gateway_words, "dev", web.bridge)]


def _veth_orphan(host: LabHost) -> tuple[Sequence[Argv], Sequence[Argv]]:
    web = cable(host, "web")
    head = ("ip", "link", "set", "dev", web.veth)
    return [(*head, "nomaster")], [(*head, "master", web.bridge)]


def _veth_down(host: LabHost) -> tuple[Sequence[Argv], Sequence[Argv]]:
    head = ("ip", "link", "set", "dev", cable(host, "web").veth)
    return [(*head, "down")], [(*head, "up")]


def _inner_down(host: LabHost) -> tuple[Sequence[Argv], Sequence[Argv]]:
    web = cable(host, "web")
    route = inside(host, "web", "route", "add", *_default_words(host))
    link = ("link", "set", "dev", web.inner)
    return [inside(host, "web", *link, "down")], [inside(host, "web", *link, "up"), route]


def _isolated(host: LabHost) -> tuple[Sequence[Argv], Sequence[Argv]]:
    ports = [cable(host, name).veth for name in pair(host)]
    head = ("bridge", "link", "set", "dev")
    on, off = ([(*head, port, "isolated", word) for port in ports] for word in ("on", "off"))
    return on, off


def _not_forwarding(host: LabHost) -> tuple[Sequence[Argv], Sequence[Argv]]:
    web = cable(host, "web")
    kind = ("ip", "link", "set", "dev", web.bridge, "type", "bridge")
    port = ("ip", "link", "set", "dev", web.veth)
    replug = [(*port, "nomaster"), (*port, "master", web.bridge)]
    inject = [(*kind, "stp_state", "1", "forward_delay", "3000"), *replug]
    ports = [link["ifname"] for link in ip(host, "link", "show", "master", web.bridge)]
    forward = [("bridge", "link", "set", "dev", name, "state", "3") for name in ports]
    return inject, [(*kind, "stp_state", "0"), (*kind, "forward_delay", "1500"), *forward]


def _flood_off(host: LabHost) -> tuple[Sequence[Argv], Sequence[Argv]]:
    """Keep broadcasts from the second of the pair, and let the first forget it."""
    one, two = (cable(host, name) for name in pair(host))
    head = ("bridge", "link", "set", "dev", two.veth, "bcast_flood")
    forget = inside(host, pair(host)[0], "neigh", "flush", "dev", one.inner)
    return [(*head, "off"), forget], [(*head, "on")]


def _stale_neigh(host: LabHost) -> tuple[Sequence[Argv], Sequence[Argv]]:
    web = cable(host, "web")
    words = (str(web.address.ip), "lladdr", WRONG_MAC, "dev", web.bridge, "nud", "permanent")
    remove = ("ip", "neigh", "del", str(web.address.ip), "dev", web.bridge)
    return [("ip", "neigh", "replace", *words)], [remove]


def _dup_ip(host: LabHost) -> tuple[Sequence[Argv], Sequence[Argv]]:
    one, two = pair(host)
    taken, inner = cable(host, two).address, cable(host, one).inner
    first, second = (inside(host, one, "address", verb, str(taken), "dev", inner) for verb in ("add", "del"))
    return [first], [second]


def _policy_route(host: LabHost) -> tuple[Sequence[Argv], Sequence[Argv]]:
    route = ("default", "via", _router(host), "dev", host.target.uplink, "table", _TABLE)
    rule = ("lookup", _TABLE, "pref", _PRIORITY)
    add = [("ip", "route", "add", *route), ("ip", "rule", "add", *rule)]
    return add, [("ip", "rule", "del", *rule), ("ip", "route", "del", *route)]


def _more_specific(host: LabHost) -> tuple[Sequence[Argv], Sequence[Argv]]:
    words = (f"{cable(host, 'web').address.ip}/32", "via", _router(host), "dev", host.target.uplink)
    return [("ip", "route", "add", *words)], [("ip", "route", "del", *words)]


def _router(host: LabHost) -> str:
    gateway: str = ip(host, "route", "show", "default")[0]["gateway"]
    return gateway


def _overlap(host: LabHost) -> tuple[Sequence[Argv], Sequence[Argv]]:
    network = cable(host, "web").address.network
    half = next(network.subnets(prefixlen_diff=1))
    mine = f"{half.network_address + 9}/{half.prefixlen}"
    return [
        ("ip", "link", "add", _VPN, "type", "veth", "peer", "name", _VPN_FAR),
        ("ip", "link", "set", "dev", _VPN, "up"),
        ("ip", "link", "set", "dev", _VPN_FAR, "up"),
        ("ip", "address", "add", mine, "dev", _VPN),
    ], [("ip", "link", "delete", _VPN)]


def _default(host: LabHost, gateway: str) -> Argv:
    words = list(_default_words(host))
    words[words.index("via") + 1] = gateway
    return inside(host, "web", "route", "replace", *words)


def _default_words(host: LabHost) -> Argv:
    """The default route of ``web`` just as it is; Podman gives it a metric."""
    said = host.run(*inside(host, "web", "-4", "route", "show", "default")).stdout.decode()
    return tuple(said.splitlines()[0].split())


def _no_gateway(host: LabHost) -> tuple[Sequence[Argv], Sequence[Argv]]:
    add = inside(host, "web", "route", "add", *_default_words(host))
    return [inside(host, "web", "route", "del", "default")], [add]


def _no_route(host: LabHost) -> Traffic:
    """What ``web`` notices itself when it has no default route."""
    there = {EGRESS: UNREACHABLE, CROSS: UNREACHABLE}
    return {**there, CROSS_OPEN: UNREACHABLE} if _modern(host) else there


def _no_address(host: LabHost) -> tuple[Sequence[Argv], Sequence[Argv]]:
    """Take ``web`` its address, and with it, as the kernel does, its routes."""
    web = cable(host, "web")
    words = (str(web.address), "brd", str(web.address.network.broadcast_address), "dev", web.inner)
    back = [inside(host, "web", "address", "add", *words), inside(host, "web", "route", "add", *_default_words(host))]
    return [inside(host, "web", "address", "del", str(web.address), "dev", web.inner)], back


def _absent_gateway(host: LabHost) -> tuple[Sequence[Argv], Sequence[Argv]]:
    web = cable(host, "web")
    last = str(web.address.network.broadcast_address - 1)
    return [_default(host, last)], [_default(host, web.gateway)]


def _idle_gateway(host: LabHost) -> tuple[Sequence[Argv], Sequence[Argv]]:
    web = cable(host, "web")
    return [_default(host, host.addresses["api"])], [_default(host, web.gateway)]


def _bridged_drop(host: LabHost) -> tuple[Sequence[Argv], Sequence[Argv]]:
    bridge = cable(host, pair(host)[0]).bridge
    words = ("-i", bridge, "-o", bridge, "-j", "ACCEPT")
    head = ("iptables-nft", "-w", "-t", "filter")
    rules = [line.split()[2:] for line in host.rules().splitlines() if line.startswith("-A FORWARD ")]
    number = str([tuple(rule) for rule in rules].index(words) + 1)
    return [(*head, "-D", "FORWARD", *words)], [(*head, "-I", "FORWARD", number, *words)]


def _bridge_family(_: LabHost) -> tuple[Sequence[Argv], Sequence[Argv]]:
    table = ("bridge", "stranger")
    hook = ("{", "type", "filter", "hook", "forward", "priority", "0", ";", "}")
    return [
        ("nft", "add", "table", *table),
        ("nft", "add", "chain", *table, "bridged", *hook),
        ("nft", "add", "rule", *table, "bridged", "ether", "type", "ip", "drop"),
    ], [("nft", "delete", "table", *table)]


@contextmanager
def _rpf_multinet(host: LabHost) -> Iterator[None]:
    """A container on two networks, published by the one and leaving by the other, where filtering is strict."""
    run = ["run", "--detach", "--name=multi", "--hostname=multi", "--stop-timeout=0", "--network=db"]
    key = "net.ipv4.conf.br-db.rp_filter"
    host.run("docker", *run, f"--publish={_MULTI_PORT}:80", IMAGE, *HTTPD)
    try:
        # Docker publishes by the network that is the way out, app; so the way out is changed by hand.
        host.run("docker", "network", "connect", "app", "multi")
        pid = host.run("docker", "inspect", "--format={{.State.Pid}}", "multi").stdout.decode().strip()
        host.run("nsenter", "-t", pid, "-n", "ip", "route", "replace", "default", "via", "10.20.0.1")
        with commanded(host, [("sysctl", "-q", "-w", f"{key}=1")], [("sysctl", "-q", "-w", f"{key}=0")]):
            yield
    finally:
        host.run("docker", "rm", "--force", "--volumes", "multi")


@contextmanager
def _names_kept_away(host: LabHost) -> Iterator[None]:
    """A name server on the bridge's address, as aardvark-dns, and an INPUT rule that takes new packets from there."""
    web = cable(host, "web")
    drop = ("INPUT", "-i", web.bridge, "-m", "conntrack", "--ctstate", "NEW", "-j", "DROP")
    head = ("iptables-nft", "-w", "-t", "filter")
    server = host.sandbox.popen([*python_argv(_ECHO), web.gateway], stdout=subprocess.PIPE, new_session=True)
    try:
        assert server.stdout is not None
        assert server.stdout.readline() == b"ready\n"
        with commanded(host, [(*head, "-I", *drop)], [(*head, "-D", *drop)]):
            yield
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.communicate()


def _asks_names(host: LabHost) -> Probe:
    return Probe("web", cable(host, "web").gateway, _DNS, "udp")


def _ip6_off(_: LabHost) -> tuple[Sequence[Argv], Sequence[Argv]]:
    key = "net.ipv6.conf.all.forwarding"
    return [("sysctl", "-q", "-w", f"{key}=0")], [("sysctl", "-q", "-w", f"{key}=1")]


def only(kind: type[LabHost], reason: str) -> Callable[[LabHost], str]:
    """Make a ``cannot`` for faults that only one kind of host can have."""
    return lambda host: "" if isinstance(host, kind) else reason


def _modern(host: LabHost) -> bool:
    return isinstance(host, DockerHost) and host.release >= MODES_SINCE


def _own_rule_for_the_bridge(host: LabHost) -> str:
    if isinstance(host, PodmanHost) or _modern(host):
        return "the engine writes no rule of its own for what stays within a bridge"
    return ""


def _needs_docker(host: LabHost) -> str:
    return "" if isinstance(host, DockerHost) else "it is put in by Docker's own commands"


def _both(host: LabHost) -> Traffic:
    """All that goes wrong when the host does not find any container."""
    lost = {**CUT_OFF, OTHER_EGRESS: TIMEOUT}
    return {**lost, CROSS: TIMEOUT} if isinstance(host, PodmanHost) else lost


def _hijacked(host: LabHost) -> tuple[Sequence[Argv], Sequence[Argv]]:
    """Do as a DHCP client that takes a veth for a network card, and prefers it to the uplink."""
    veth = cable(host, "web").veth
    way = ip(host, "-4", "route", "show", "default")[0]
    own = ("default", "via", way["gateway"], "dev", way["dev"])
    address = ("169.254.7.9/16", "dev", veth, "scope", "link")
    learnt = ("default", "dev", veth, "proto", "dhcp", "scope", "link", "src", "169.254.7.9", "metric", "200")
    return [
        ("ip", "route", "add", *own, "metric", "300"),
        ("ip", "route", "del", *own, "metric", "0"),
        ("ip", "address", "add", *address),
        ("ip", "route", "add", *learnt),
    ], [
        ("ip", "address", "del", "169.254.7.9/16", "dev", veth),
        ("ip", "route", "add", *own),
        ("ip", "route", "del", *own, "metric", "300"),
    ]


def _outwards(_: LabHost) -> Traffic:
    """What goes wrong when the host has lost its way out; the probes from outside come from beside it."""
    return {EGRESS: TIMEOUT, OTHER_EGRESS: TIMEOUT}


def _alone(host: LabHost) -> Traffic:
    """What goes wrong when the host does not find ``web``."""
    return {**CUT_OFF, CROSS: TIMEOUT} if isinstance(host, PodmanHost) else CUT_OFF


def _case(
    check: str,
    build: Inject,
    traffic: Callable[[LabHost], Traffic],
    *,
    cured: Callable[[LabHost], Traffic] = nothing,
    cannot: Callable[[LabHost], str] = everywhere,
    named: str = "",
    passes: bool = False,
) -> Case:
    return Case(id=check, put=put(build), traffic=traffic, cured=cured, cannot=cannot, named=named, passes=passes)


def _neighbours_fail(host: LabHost) -> Traffic:
    return {neighbours(host): TIMEOUT}


def _neighbours_pass(host: LabHost) -> Traffic:
    return {neighbours(host): OK}


def _no_api(host: LabHost) -> str:
    return "" if "api" in host.addresses else "the target has no neighbour to mistake for its gateway"


_IP6_EGRESS = Probe("six1", OUTSIDE_SERVER6, proto="icmp", family="ip6")
_MULTI = Probe("outside", UPLINK_ADDRESS, _MULTI_PORT, answers="multi")

LINKS: tuple[Case, ...] = (
    _case("bridge-down", _bridge_down, _alone),
    _case("bridge-no-ip", _bridge_no_ip, _alone),
    _case("veth-orphan", _veth_orphan, _alone),
    _case("veth-down", _veth_down, _alone),
    _case(
        "veth-down-inside",
        _inner_down,
        lambda host: {**_alone(host), **_no_route(host)},
        named="veth-down",
    ),
    _case("port-isolated", _isolated, _neighbours_fail, cured=_neighbours_pass),
    _case("port-not-fwd", _not_forwarding, _alone, passes=True),
    _case("flood-off", _flood_off, _neighbours_fail, cured=_neighbours_pass, passes=True),
    _case("stale-neigh", _stale_neigh, _alone),
    Case(
        id="dup-ip",
        put=put(_dup_ip),
        traffic=lambda host: {Probe(pair(host)[0], host.addresses[pair(host)[1]], 80, answers=pair(host)[0]): OK},
    ),
    _case("policy-route", _policy_route, _both),
    _case("more-specific-route", _more_specific, _alone),
    _case("subnet-overlap", _overlap, _alone),
    _case(
        "ctr-no-gw",
        _no_gateway,
        lambda host: {**_no_route(host), PUBLISHED: TIMEOUT},
    ),
    _case(
        "ctr-no-ip",
        _no_address,
        lambda host: {**_alone(host), **_no_route(host)},
        cannot=lambda host: "no engine says which address it gave" if isinstance(host, DemoHost) else "",
    ),
    _case(
        "ctr-wrong-gw",
        _absent_gateway,
        lambda _: {EGRESS: TIMEOUT, PUBLISHED: TIMEOUT, CROSS: TIMEOUT},
    ),
    _case(
        "ctr-wrong-gw-idle",
        _idle_gateway,
        lambda _: {EGRESS: TIMEOUT, PUBLISHED: TIMEOUT},
        cannot=_no_api,
        named="ctr-wrong-gw",
    ),
    _case("link-hijack", _hijacked, _outwards),
    Case(
        id="rpf-multinet",
        put=_rpf_multinet,
        traffic=lambda _: {_MULTI: TIMEOUT},
        cured=lambda _: {_MULTI: OK},
        cannot=_needs_docker,
    ),
    _case("nfcall-drop", _bridged_drop, _neighbours_fail, cured=_neighbours_pass, cannot=_own_rule_for_the_bridge),
    _case("bridge-family-drop", _bridge_family, _neighbours_fail, cured=_neighbours_pass),
    Case(
        id="input-drop",
        put=_names_kept_away,
        traffic=lambda host: {_asks_names(host): TIMEOUT},
        cured=lambda host: {_asks_names(host): OK},
        cannot=lambda host: "aardvark-dns is there already" if isinstance(host, PodmanHost) else "",
    ),
    _case(
        "ip6-fwd-off",
        _ip6_off,
        lambda _: {_IP6_EGRESS: TIMEOUT},
        cured=lambda _: {_IP6_EGRESS: OK},
        cannot=lambda host: "" if _modern(host) else "the host's networks have no IPv6",
    ),
)
"""In the order of the catalogue of checks.  Those without an engine's proxy have a host of their own."""

HAIRPIN = Probe("web", UPLINK_ADDRESS, 8080, answers="web")
BY_HOST_PORT = Probe("near", UPLINK_ADDRESS, 8080, answers="web")
LOOPBACK = Probe("host", "127.0.0.1", 8080, answers="web")


def _hairpin(host: LabHost) -> tuple[Sequence[Argv], Sequence[Argv]]:
    head = ("bridge", "link", "set", "dev", cable(host, "web").veth, "hairpin")
    return [(*head, "off")], [(*head, "on")]


def _sysctl(key: str) -> Inject:
    return lambda _: ([("sysctl", "-q", "-w", f"{key}=0")], [("sysctl", "-q", "-w", f"{key}=1")])


PROXYLESS: tuple[Case, ...] = (
    _case(
        "nfcall-off-noproxy",
        _sysctl("net.bridge.bridge-nf-call-iptables"),
        lambda _: {BY_HOST_PORT: TIMEOUT},
        cured=lambda _: {BY_HOST_PORT: OK},
    ),
    _case("hairpin-off", _hairpin, lambda _: {HAIRPIN: TIMEOUT}, cured=lambda _: {HAIRPIN: OK}),
    _case(
        "localnet-off",
        _sysctl("net.ipv4.conf.docker0.route_localnet"),
        lambda _: {LOOPBACK: TIMEOUT},
        cured=lambda _: {LOOPBACK: OK},
    ),
)
"""The faults of a Docker that runs without its userland proxy."""


def healthy_traffic(host: LabHost) -> Traffic:
    """Return what passes on a healthy host without a proxy, the ways back through published ports included."""
    return {**plan_of(host).healthy, HAIRPIN: OK, BY_HOST_PORT: OK, LOOPBACK: OK}
