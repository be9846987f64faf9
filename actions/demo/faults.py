"""Faults that can be put into a private host, and taken out again without trace.  Pure data.

Each one is the real-world cause of the check of the same name.  They are
parametrised by a :class:`FaultTarget`, so that they fit the demo's bridges and a
real engine's alike.  ``restore`` puts every rule back to the very position it
had and every sysctl to the value of a healthy host.
"""

from __future__ import annotations

from collections.abc import Callable

from dnet_tui.actions.demo.fault import Commands, Fault, FaultLocation, FaultTarget, places
from dnet_tui.actions.demo.host_faults import HOST_FAULTS
from dnet_tui.inspect.errors import DnetError, UsageError

__all__ = ["EVERY_FAULT", "FAULTS", "Commands", "Fault", "FaultLocation", "FaultTarget", "fault", "places"]


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
"""The faults of an engine's rules and switches, in the order of the catalogue of checks."""

EVERY_FAULT: tuple[Fault, ...] = FAULTS + HOST_FAULTS
"""All that the demo host can be given."""


def fault(name: str) -> Fault:
    """Return the fault with that id; raises UsageError, with the ids there are, when there is none."""
    for item in EVERY_FAULT:
        if item.id == name:
            return item
    raise UsageError(f"no such fault: {name}", f"one of: {', '.join(item.id for item in EVERY_FAULT)}")
