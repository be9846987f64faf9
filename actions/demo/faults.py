"""Faults that can be put into a private host, and taken out again without trace.  Pure data.

Each one is the real-world cause of the check of the same name.  They are
parametrised by a :class:`Target`, so that they fit the demo's bridges and a
real engine's alike.  ``restore`` puts every rule back to the very position it
had and every sysctl to the value of a healthy host.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dnet_tui.inspect.errors import DnetError, UsageError

Commands = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Target:
    """The network a fault hits, and where its rules stand.

    Positions count from 1, as iptables does; 0 says that the rule isn't there.
    """

    bridge: str
    subnet: str
    uplink: str = "eth0"
    masquerade_position: int = 0
    isolation_position: int = 0

    @classmethod
    def on(cls, saved: str, *, bridge: str, subnet: str, uplink: str = "eth0") -> Target:
        """Return the target for a network, with its rules' positions found in ``iptables-save`` text."""
        return cls(
            bridge=bridge,
            subnet=subnet,
            uplink=uplink,
            masquerade_position=position(saved, "nat", "POSTROUTING", _masquerade(bridge, subnet)),
            isolation_position=position(saved, "filter", "FORWARD", _ISOLATION),
        )

    @property
    def masquerade(self) -> tuple[str, ...]:
        """The words of the network's MASQUERADE rule."""
        return _masquerade(self.bridge, self.subnet)


def _masquerade(bridge: str, subnet: str) -> tuple[str, ...]:
    return ("-s", subnet, "!", "-o", bridge, "-j", "MASQUERADE")


_ISOLATION = ("-j", "DOCKER-ISOLATION-STAGE-1")


def position(saved: str, table: str, chain: str, spec: tuple[str, ...]) -> int:
    """Return the number of the rule ``spec`` in a chain of ``iptables-save`` text; 0 when it isn't there."""
    current = ""
    number = 0
    for line in saved.splitlines():
        if line.startswith("*"):
            current, number = line[1:].strip(), 0
            continue
        words = line.split()
        if words and words[0].startswith("["):  # counters
            words = words[1:]
        if current == table and words[:2] == ["-A", chain]:
            number += 1
            if tuple(words[2:]) == spec:
                return number
    return 0


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault: how to put it in, and how to take it out.

    ``breaks`` names the traffic that must fail (or, for ``exposure``, pass)
    while it is in, in the words of the findings' symptoms.
    """

    id: str
    description: str
    breaks: tuple[str, ...]
    inject: Callable[[Target], Commands]
    restore: Callable[[Target], Commands]


def _sysctl(key: str) -> tuple[Callable[[Target], Commands], Callable[[Target], Commands]]:
    """Return the pair that switches a forwarding sysctl off and on; ``{bridge}``, ``{uplink}`` are filled in."""

    def write(target: Target, value: str) -> Commands:
        # A device's name may hold dots, which sysctl(8) wants as slashes when the separator is a dot.
        names = {"bridge": target.bridge.replace(".", "/"), "uplink": target.uplink.replace(".", "/")}
        return (("sysctl", "-q", "-w", f"{key.format(**names)}={value}"),)

    return (lambda target: write(target, "0"), lambda target: write(target, "1"))


def _present(number: int, what: str, target: Target) -> int:
    if not number:
        raise DnetError(f"{target.bridge} has no {what} that could be taken away")
    return number


def _drop_masquerade(target: Target) -> Commands:
    _present(target.masquerade_position, "MASQUERADE rule", target)
    return ((*_NAT, "-D", "POSTROUTING", *target.masquerade),)


def _add_masquerade(target: Target) -> Commands:
    number = _present(target.masquerade_position, "MASQUERADE rule", target)
    return ((*_NAT, "-I", "POSTROUTING", str(number), *target.masquerade),)


def _drop_isolation(target: Target) -> Commands:
    _present(target.isolation_position, "isolation jump", target)
    return ((*_FILTER, "-D", "FORWARD", *_ISOLATION),)


def _add_isolation(target: Target) -> Commands:
    number = _present(target.isolation_position, "isolation jump", target)
    return ((*_FILTER, "-I", "FORWARD", str(number), *_ISOLATION),)


_NAT = ("iptables-nft", "-w", "-t", "nat")
_FILTER = ("iptables-nft", "-w", "-t", "filter")
_REJECT = ("-j", "REJECT", "--reject-with", "icmp-port-unreachable")

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
        inject=_drop_masquerade,
        restore=_add_masquerade,
    ),
    Fault(
        id="isolation-missing",
        description="the jump to the isolation chain is gone: separate networks reach each other",
        breaks=("exposure",),
        inject=_drop_isolation,
        restore=_add_isolation,
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
)
"""Every fault, in the order of the catalogue of checks."""


def fault(name: str) -> Fault:
    """Return the fault with that id; raises UsageError, with the ids there are, when there is none."""
    for item in FAULTS:
        if item.id == name:
            return item
    raise UsageError(f"no such fault: {name}", f"one of: {', '.join(item.id for item in FAULTS)}")
