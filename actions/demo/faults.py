"""Faults that can be put into a private host, and taken out again without trace.  Pure data.

Each one is the real-world cause of the check of the same name.  They are
parametrised by a :class:`FaultTarget`, so that they fit the demo's bridges and a
real engine's alike.  ``restore`` puts every rule back to the very position it
had and every sysctl to the value of a healthy host.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dnet_tui.inspect.errors import DnetError, UsageError

Commands = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, kw_only=True)
class FaultLocation:
    """A rule of ``iptables-save`` text; ``number`` is its position in its chain, from 1, as iptables counts."""

    table: str
    chain: str
    number: int
    words: tuple[str, ...]

    @property
    def removal(self) -> Commands:
        """The command that deletes the rule."""
        return (("iptables-nft", "-w", "-t", self.table, "-D", self.chain, *self.words),)

    @property
    def comeback(self) -> Commands:
        """The command that puts the rule back where it stood."""
        return (("iptables-nft", "-w", "-t", self.table, "-I", self.chain, str(self.number), *self.words),)


@dataclass(frozen=True, kw_only=True)
class FaultTarget:
    """The network a fault hits, and where its rules stand; None says that the rule isn't there."""

    bridge: str
    subnet: str
    uplink: str = "eth0"
    masquerade: FaultLocation | None = None
    isolation: FaultLocation | None = None

    @classmethod
    def on(cls, saved: str, *, bridge: str, subnet: str, uplink: str = "eth0") -> FaultTarget:
        """Return the target for a network, with its rules found in ``iptables-save`` text.

        Knows the rules of Docker (until 27 the jump to isolation stands in
        FORWARD, since 28 in DOCKER-FORWARD) and of netavark, which
        masquerades in a chain for each network.
        """
        rules = tuple(places(saved))
        own = {
            rule.words[3]
            for rule in rules
            if (rule.table, rule.chain) == ("nat", "POSTROUTING") and rule.words[:3] == ("-s", subnet, "-j")
        }
        docker = ("-s", subnet, "!", "-o", bridge, "-j", "MASQUERADE")
        masquerades = (
            rule
            for rule in rules
            if rule.table == "nat"
            and (
                (rule.chain == "POSTROUTING" and rule.words == docker)
                or (rule.chain in own and rule.words == _NETAVARK)
            )
        )
        isolations = (rule for rule in rules if rule.table == "filter" and rule.words in _ISOLATIONS)
        return cls(
            bridge=bridge,
            subnet=subnet,
            uplink=uplink,
            masquerade=next(masquerades, None),
            isolation=next(isolations, None),
        )


_NETAVARK = ("!", "-d", "224.0.0.0/4", "-j", "MASQUERADE")
_ISOLATIONS = (("-j", "DOCKER-ISOLATION-STAGE-1"), ("-j", "NETAVARK_ISOLATION_1"))


def places(saved: str) -> Iterator[FaultLocation]:
    """Yield every rule of ``iptables-save`` text; words in quotes are split like others."""
    table = ""
    numbers: Counter[str] = Counter()
    for line in saved.splitlines():
        if line.startswith("*"):
            table = line[1:].strip()
            numbers.clear()
            continue
        words = line.split()
        if words and words[0].startswith("["):  # counters
            words = words[1:]
        if words[:1] == ["-A"]:
            chain = words[1]
            numbers[chain] += 1
            yield FaultLocation(table=table, chain=chain, number=numbers[chain], words=tuple(words[2:]))


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault: how to put it in, and how to take it out.

    ``breaks`` names the traffic that must fail (or, for ``exposure``, pass)
    while it is in, in the words of the findings' symptoms.
    """

    id: str
    description: str
    breaks: tuple[str, ...]
    inject: Callable[[FaultTarget], Commands]
    restore: Callable[[FaultTarget], Commands]


def _sysctl(key: str) -> tuple[Callable[[FaultTarget], Commands], Callable[[FaultTarget], Commands]]:
    """Return the pair that switches a forwarding sysctl off and on; ``{bridge}``, ``{uplink}`` are filled in."""

    def write(target: FaultTarget, value: str) -> Commands:
        # A device's name may hold dots, which sysctl(8) wants as slashes when the separator is a dot.
        names = {"bridge": target.bridge.replace(".", "/"), "uplink": target.uplink.replace(".", "/")}
        return (("sysctl", "-q", "-w", f"{key.format(**names)}={value}"),)

    return (lambda target: write(target, "0"), lambda target: write(target, "1"))


def _masquerade(target: FaultTarget) -> FaultLocation:
    if target.masquerade is None:
        raise DnetError(f"{target.bridge} has no MASQUERADE rule that could be taken away")
    return target.masquerade


def _isolation(target: FaultTarget) -> FaultLocation:
    if target.isolation is None:
        raise DnetError(f"{target.bridge} has no isolation jump that could be taken away")
    return target.isolation


_FILTER = ("iptables-nft", "-w", "-t", "filter")
_REJECT = ("-j", "REJECT", "--reject-with", "icmp-port-unreachable")

_NAT = ("iptables-nft", "-w", "-t", "nat")
_EXEMPT = ("ip", "exempt")
_EARLY = ("{", "type", "filter", "hook", "prerouting", "priority", "-300", ";", "}")
_NEW = ("-m", "conntrack", "--ctstate", "NEW")
_UFW = "ufw-user-forward"
_WEB = ("-p", "tcp", "-m", "multiport", "--dports", "80,443", "-j", "REDIRECT", "--to-ports", "3128")


def _forwarded(target: FaultTarget) -> tuple[str, ...]:
    return ("dir", "fwd", "src", target.subnet, "dst", "0.0.0.0/0")


_IP_FORWARD = _sysctl("net.ipv4.ip_forward")
_BRIDGE = _sysctl("net.ipv4.conf.{bridge}.forwarding")
_UPLINK = _sysctl("net.ipv4.conf.{uplink}.forwarding")

FAULTS: tuple[Fault, ...] = (
    Fault(
        id="ip-forward-off",
        description="IPv4 forwarding is off for the whole host, as after `sysctl --system` with a hardening profile",
        breaks=("egress", "published"),
        inject=_IP_FORWARD[0],
        restore=_IP_FORWARD[1],
    ),
    Fault(
        id="fwd-off-bridge",
        description="forwarding is off on one bridge: its containers reach nothing beyond it",
        breaks=("egress",),
        inject=_BRIDGE[0],
        restore=_BRIDGE[1],
    ),
    Fault(
        id="fwd-off-uplink",
        description="forwarding is off on the uplink: replies from outside die there",
        breaks=("egress", "published"),
        inject=_UPLINK[0],
        restore=_UPLINK[1],
    ),
    Fault(
        id="masq-missing",
        description="one network's MASQUERADE rule is gone: its packets leave with private addresses",
        breaks=("egress",),
        inject=lambda target: _masquerade(target).removal,
        restore=lambda target: _masquerade(target).comeback,
    ),
    Fault(
        id="isolation-missing",
        description="the jump to the isolation chain is gone: separate networks reach each other",
        breaks=("exposure",),
        inject=lambda target: _isolation(target).removal,
        restore=lambda target: _isolation(target).comeback,
    ),
    Fault(
        id="drop-before-docker",
        description="a REJECT stands in FORWARD above the engine's rules",
        breaks=("egress", "published"),
        inject=lambda _: ((*_FILTER, "-I", "FORWARD", "1", *_REJECT),),
        restore=lambda _: ((*_FILTER, "-D", "FORWARD", *_REJECT),),
    ),
    Fault(
        id="user-chain-drop",
        description="DOCKER-USER drops what comes in by the uplink, replies included",
        breaks=("egress", "published"),
        inject=lambda target: ((*_FILTER, "-I", "DOCKER-USER", "-i", target.uplink, "-j", "DROP"),),
        restore=lambda target: ((*_FILTER, "-D", "DOCKER-USER", "-i", target.uplink, "-j", "DROP"),),
    ),
    Fault(
        id="policy-drop",
        description="a rule of ufw's lets one network's containers open no connection to the outside",
        breaks=("egress",),
        inject=lambda target: (
            (*_FILTER, "-N", _UFW),
            (*_FILTER, "-A", _UFW, "-i", target.bridge, "-o", target.uplink, *_NEW, *_REJECT),
            (*_FILTER, "-I", "FORWARD", "1", "-j", _UFW),
        ),
        restore=lambda _: (
            (*_FILTER, "-D", "FORWARD", "-j", _UFW),
            (*_FILTER, "-F", _UFW),
            (*_FILTER, "-X", _UFW),
        ),
    ),
    Fault(
        id="hijack",
        description="a proxy's redirect of web traffic forgets to say by which interface it comes",
        breaks=("egress",),
        inject=lambda _: ((*_NAT, "-I", "PREROUTING", "1", *_WEB),),
        restore=lambda _: ((*_NAT, "-D", "PREROUTING", *_WEB),),
    ),
    Fault(
        id="notrack",
        description="what one network's containers send is exempt from connection tracking",
        breaks=("egress", "published"),
        inject=lambda target: (
            ("nft", "add", "table", *_EXEMPT),
            ("nft", "add", "chain", *_EXEMPT, "early", *_EARLY),
            ("nft", "add", "rule", *_EXEMPT, "early", "iifname", target.bridge, "notrack"),
        ),
        restore=lambda _: (("nft", "delete", "table", *_EXEMPT),),
    ),
    Fault(
        id="xfrm-block",
        description="an IPsec policy blocks what is forwarded from one network",
        breaks=("egress", "published"),
        inject=lambda target: (("ip", "xfrm", "policy", "add", *_forwarded(target), "action", "block"),),
        restore=lambda target: (("ip", "xfrm", "policy", "delete", *_forwarded(target)),),
    ),
    Fault(
        id="blackhole",
        description="a policy rule drops what one network's containers send anywhere",
        breaks=("egress", "published"),
        inject=lambda target: (("ip", "rule", "add", "pref", "90", "iif", target.bridge, "blackhole"),),
        restore=lambda target: (("ip", "rule", "del", "pref", "90", "iif", target.bridge, "blackhole"),),
    ),
)
"""Every fault, in the order of the catalogue of checks."""


def fault(name: str) -> Fault:
    """Return the fault with that id; raises UsageError, with the ids there are, when there is none."""
    for item in FAULTS:
        if item.id == name:
            return item
    raise UsageError(f"no such fault: {name}", f"one of: {', '.join(item.id for item in FAULTS)}")
