"""Breakages that no check is made for: whatever they break, the doctor must not call the host healthy.

Each is put into a host of its own, real packets say whether traffic still
goes as it did, and the doctor's verdict is held against that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from lab.faults.links_family import WRONG_MAC, cable, inside, neighbours
from lab.faults.machinery import Argv, doctor, serious
from lab.machines.docker_host import DockerHost
from lab.machines.hosts import OUTSIDE_SERVER, LabHost
from lab.machines.names import NAME_SERVER
from lab.packets.plans import OK, plan_of
from lab.packets.traffic import LIMIT, SILENCE, Probe, Went, went

_ELSEWHERE = "198.51.100.0/24"
"""Where the internet's server of the lab is."""

Inject = Callable[[LabHost], Sequence[Argv]]


@dataclass(frozen=True)
class Place:
    """Where ``web`` is, in the words that commands need."""

    bridge: str
    veth: str
    inner: str
    address: str
    cidr: str
    gateway: str
    subnet: str
    uplink: str


def place(host: LabHost) -> Place:
    """Look up where ``web`` is."""
    web = cable(host, "web")
    return Place(
        bridge=web.bridge,
        veth=web.veth,
        inner=web.inner,
        address=str(web.address.ip),
        cidr=str(web.address),
        gateway=web.gateway,
        subnet=str(web.address.network),
        uplink=host.target.uplink,
    )


def rule(*words: str) -> Inject:
    """A rule on the host; ``BRIDGE``, ``ADDRESS`` and so on stand for those of ``web``."""
    return lambda host: [("iptables-nft", "-w", *filled(host, words))]


def own(*words: str) -> Inject:
    """A command in the network namespace of ``web``."""
    return lambda host: [(*host.enter("web"), *filled(host, words))]


def _ip(*words: str) -> Inject:
    return lambda host: [("ip", *filled(host, words))]


def inner_ip(*lines: str) -> Inject:
    """``ip`` in the network namespace of ``web``."""
    return lambda host: [inside(host, "web", *filled(host, line.split())) for line in lines]


def nft(text: str) -> Inject:
    """Rules of native nftables on the host."""
    return lambda host: [("nft", *filled(host, (text,)))]


def filled(host: LabHost, words: Sequence[str]) -> tuple[str, ...]:
    """Words with the names of ``web``'s place in them."""
    names = {name.upper(): value for name, value in vars(place(host)).items()}
    filled = []
    for word in words:
        for name, value in names.items():
            word = word.replace(name, value)  # noqa: PLW2901 - each name in turn
        filled.append(word)
    return tuple(filled)


def _marked(host: LabHost) -> Sequence[Argv]:
    mark = rule("-t", "mangle", "-A", "PREROUTING", "-i", "BRIDGE", "-j", "MARK", "--set-mark", "7")(host)
    return [*mark, ("ip", "rule", "add", "fwmark", "7", "blackhole")]


def _limited(_: LabHost) -> Sequence[Argv]:
    head = ("iptables-nft", "-w", "-I", "FORWARD")
    limit = ("-m", "limit", "--limit", "1/hour", "--limit-burst", "1")
    return [(*head, "1", *limit, "-j", "ACCEPT"), (*head, "2", "-j", "DROP")]


UNLISTED: Mapping[str, Inject] = {
    "the container's own OUTPUT drops": own("iptables-nft", "-A", "OUTPUT", "-p", "tcp", "-j", "DROP"),
    "the container's own nftables drop": own(
        "nft", "add table inet own; add chain inet own i { type filter hook input priority 0; policy drop; }"
    ),
    "a blackhole in the container": inner_ip(f"route add blackhole {_ELSEWHERE}"),
    "a policy rule in the container": inner_ip(f"rule add to {_ELSEWHERE} prohibit"),
    "an unreachable route to it": _ip("route", "add", "unreachable", "ADDRESS"),
    "a blackhole on the host": _ip("route", "add", "blackhole", _ELSEWHERE),
    "mangle drops what is forwarded": rule("-t", "mangle", "-A", "FORWARD", "-i", "BRIDGE", "-j", "DROP"),
    "mangle drops at the end": rule("-t", "mangle", "-A", "POSTROUTING", "-o", "BRIDGE", "-j", "DROP"),
    "raw drops": rule("-t", "raw", "-A", "PREROUTING", "-i", "BRIDGE", "-j", "DROP"),
    "raw keeps it from being tracked": rule("-t", "raw", "-I", "PREROUTING", "-i", "BRIDGE", "-j", "CT", "--notrack"),
    "another conntrack zone": rule("-t", "raw", "-I", "PREROUTING", "-i", "BRIDGE", "-j", "CT", "--zone", "5"),
    "a source that nobody has": rule(
        "-t", "nat", "-I", "POSTROUTING", "-s", "ADDRESS", "-j", "SNAT", "--to-source", "192.0.2.99"
    ),
    "nat ends before its rules": rule("-t", "nat", "-I", "POSTROUTING", "-j", "ACCEPT"),
    "the host's OUTPUT drops": rule("-A", "OUTPUT", "-o", "BRIDGE", "-j", "DROP"),
    "a lifetime of one hop": rule("-t", "mangle", "-A", "PREROUTING", "-i", "BRIDGE", "-j", "TTL", "--ttl-set", "1"),
    "a wrong neighbour in the container": inner_ip(f"neigh replace GATEWAY lladdr {WRONG_MAC} dev INNER nud permanent"),
    "no ARP in the container": inner_ip("link set dev INNER arp off"),
    "no ARP at the bridge": _ip("link", "set", "dev", "BRIDGE", "arp", "off"),
    "another MAC address of the bridge": _ip("link", "set", "dev", "BRIDGE", "address", "02:00:00:00:00:77"),
    "the uplink is down": _ip("link", "set", "dev", "UPLINK", "down"),
    "a router that isn't there": _ip("route", "replace", "default", "via", "203.0.113.77"),
    "a policy rule for its network": _ip("rule", "add", "from", "SUBNET", "blackhole"),
    "a policy rule for its bridge": _ip("rule", "add", "iif", "BRIDGE", "prohibit"),
    "its address on the host": _ip("address", "add", "ADDRESS/32", "dev", "lo"),
    "a source by the route that nobody answers": inner_ip(
        "address add 10.99.99.9/32 dev INNER", "route replace default via GATEWAY src 10.99.99.9"
    ),
    "an address of its own elsewhere": inner_ip("address add 198.51.100.99/24 dev INNER"),
    "a narrower mask": inner_ip("address del CIDR dev INNER", "address add ADDRESS/32 dev INNER"),
    "a limit before a drop": _limited,
    "a mark that a policy rule asks for": _marked,
    "no ARP across bridges": nft(
        "add table bridge x; add chain bridge x p { type filter hook prerouting priority 0; }; "
        "add rule bridge x p ether type arp drop"
    ),
    "no ARP up to the host": nft(
        "add table arp x; add chain arp x p { type filter hook input priority 0; }; add rule arp x p drop"
    ),
    "a drop at the device": nft(
        "add table netdev x; add chain netdev x p { type filter hook ingress device VETH priority 0; policy drop; }"
    ),
    "a drop by a set": nft(
        "add table inet y; add set inet y s { type ipv4_addr; }; add element inet y s { ADDRESS }; "
        "add chain inet y f { type filter hook forward priority -5; }; add rule inet y f ip saddr @s drop"
    ),
    "a drop of what begins towards it": rule("-I", "FORWARD", "-p", "tcp", "--syn", "-o", "BRIDGE", "-j", "DROP"),
}
"""What is done to a healthy host, in words, and how."""


@dataclass(frozen=True)
class Outcome:
    """What real packets and the doctor said of a host that something was done to."""

    broke: tuple[str, ...]
    findings: tuple[str, ...]
    serious: tuple[str, ...]
    undecided: tuple[str, ...]

    @property
    def told(self) -> bool:
        """Whether a reader of the report learns that something is amiss, or at least that it can't be told."""
        return bool(self.findings or self.undecided)


def probes(host: LabHost) -> dict[Probe, Went]:
    """What goes in which way on the healthy host: more than what the plan tells faults apart by."""
    more = [neighbours(host), Probe("web", OUTSIDE_SERVER, 0, "icmp"), Probe("host", "web", 0, "icmp")]
    if isinstance(host, DockerHost):
        more += [Probe("host", "127.0.0.1", 8081, answers="web"), Probe("web", NAME_SERVER, 53, "dns")]
    return {**plan_of(host).healthy, **dict.fromkeys(more, OK)}


def try_on(host: LabHost, inject: Inject) -> Outcome:
    """Do it to a host that is then thrown away."""
    healthy = probes(host)
    for argv in inject(host):
        host.run(*argv)

    def send(probe: Probe) -> str:
        try:
            return went(host, probe, LIMIT if healthy[probe] is OK else SILENCE).value
        except AssertionError as error:  # such as an answer by the wrong one
            return str(error)

    with ThreadPoolExecutor(max_workers=12) as pool:
        seen = dict(zip(healthy, pool.map(send, healthy), strict=True))
    report = doctor(host)
    return Outcome(
        broke=tuple(f"{probe.source} → {probe.to} {how}" for probe, how in seen.items() if how != healthy[probe].value),
        findings=tuple(item["check"] for item in report["findings"]),
        serious=tuple(item["check"] for item in serious(report)),
        undecided=_undecided(report),
    )


def _undecided(report: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(item["id"] for item in report["checks"] if item["outcome"] in {"unknown", "crashed"})
