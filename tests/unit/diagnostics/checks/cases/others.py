"""Hosts for the checks of others' networks, Docker's settings and its protection: faults and near misses."""

from __future__ import annotations

from dnet_tui.inspect.model import Snapshot
from dnet_tui.inspect.model.firewall import Chain, Table
from unit.builders.factories import docker_like_snapshot
from unit.builders.factories_links import network
from unit.builders.factories_others import (
    beside,
    engine,
    guarded,
    guests,
    in_backend,
    refused,
    unruled,
    uplinks,
    with_more_tables,
)
from unit.builders.factories_startup import ended, logged
from unit.diagnostics.checks.cases.case import Build, CheckCases, tabled

INCOMPATIBLE = "iptables v1.8.7 (nf_tables): table `filter' is incompatible, use 'nft' tool."


FAULTS: dict[str, tuple[str, str, Build]] = {
    "Docker's policy stops a port of Podman's": ("drop-hits-others", "error", beside),
    "Docker's policy of ip6tables stops it": ("v6-drop-others", "error", lambda: beside(family="ip6")),
    "Docker's policy stops a virtual machine": ("drop-hits-others", "error", guests),
    "Docker's policy stops an instance of LXD's": ("drop-hits-others", "error", lambda: guests("lxd")),
    "no rules, and Docker may write none": ("iptables-false", "error", unruled),
    "no rules but a policy, and Docker may write none": ("iptables-false", "error", lambda: unruled(policy="drop")),
    "a daemon that ended over a refused table": (
        "iptables-incompatible",
        "error",
        lambda: ended(INCOMPATIBLE, refused()),
    ),
    "a refused table that a start met": ("iptables-incompatible", "warning", lambda: logged(INCOMPATIBLE, refused())),
    "Docker's iptables turned to the other backend": (
        "iptables-shadow",
        "warning",
        lambda: in_backend("iptables-legacy", iptables_backend="iptables-nft", iptables_program="/usr/sbin/iptables"),
    ),
    "answers that leave by the other uplink": ("rpf-source-routing", "warning", uplinks),
    "a request that the uplink's filter drops": ("rpf-source-routing", "error", lambda: uplinks(strict="1")),
}


def _own_rules() -> Snapshot:
    """Docker may write no rules; what it would have written is there all the same."""
    return engine(docker_like_snapshot(), iptables=False, firewall="")


def _unmasked() -> Snapshot:
    """Docker may write no rules, and its networks are told not to ask for masquerading."""
    base = unruled()
    for name in ("bridge", "app"):
        base = network(base, name, masquerade=False)
    return base


def _both_backends() -> Snapshot:
    """A second set of Docker's chains, in the backend that its daemon runs now."""
    base = in_backend("iptables-legacy", iptables_backend="iptables-nft")
    docker = Chain(name="DOCKER")
    return with_more_tables(base, Table(family="ip", name="mangle", backend="iptables-nft", chains=(docker,)))


NEAR_MISSES: dict[str, dict[str, Build]] = {
    "drop-hits-others": {
        "Podman beside a Docker that leaves the policy alone": lambda: beside("accept"),
        "a virtual machine beside such a Docker": lambda: guests(policy="accept"),
        "libvirt without a virtual machine": lambda: guests(port=False),
        "a virtual machine that is let out in IPv6 alone": lambda: guests("lxd", family="ip6"),
        "a bridge that no manager's rules speak of": lambda: guests("mine"),
    },
    "v6-drop-others": {
        "Podman's IPv6 beside such a Docker": lambda: beside("accept", "ip6"),
    },
    "iptables-false": {
        "Docker may write no rules, and somebody else did": _own_rules,
        "Docker may write no rules, and nobody asks for any": _unmasked,
    },
    "iptables-incompatible": {
        "an incompatible table that is compatible again": lambda: logged(INCOMPATIBLE),
    },
    "iptables-shadow": {
        "the same backend": lambda: in_backend("iptables-legacy", iptables_backend="iptables-legacy"),
        "a program that doesn't tell its backend": lambda: in_backend("iptables-legacy", iptables_backend=""),
        "chains in both backends": _both_backends,
        "a refused table is iptables-nft's": lambda: engine(refused("filter", "nat"), iptables_backend="iptables-nft"),
        "a daemon whose firewall is nftables": lambda: in_backend(
            "iptables-legacy", iptables_backend="iptables-nft", firewall="nftables"
        ),
    },
    "rpf-source-routing": {
        "two uplinks, and nobody says which one answers": lambda: uplinks(rule=""),
        "a policy rule for another address": lambda: uplinks(rule="192.0.2.77/32"),
        "a policy rule for the uplink that answers anyway": lambda: uplinks(rule="203.0.113.2/32", table=254),
        "a policy rule that leads to the main table": lambda: uplinks(table=254),
    },
    "drop-before-docker": {
        "Docker 28's guards that have dropped": lambda: guarded(900, 900),
    },
}

CASES: dict[str, CheckCases] = tabled(FAULTS, NEAR_MISSES)
