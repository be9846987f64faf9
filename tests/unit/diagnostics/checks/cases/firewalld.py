"""Hosts for the checks of firewalld, Docker's nftables backend and br_netfilter: faults and near misses."""

from __future__ import annotations

from functools import partial

import msgspec

from dnet_tui.inspect.model import Snapshot
from dnet_tui.inspect.model.firewall import Table
from unit.builders.factories import docker_like_snapshot
from unit.builders.factories_firewall import chain, docker_filter, docker_nat, match, verdict
from unit.builders.factories_firewalld import (
    DISPATCHERS,
    RUNNING,
    bound,
    firewalld_host,
    iptables_forward,
    native,
    not_forwarding,
    tables,
    unswitched,
    zone_rules,
)
from unit.builders.factories_links import network
from unit.builders.factories_startup import ended, logged
from unit.diagnostics.checks.cases.case import Build, CheckCases, tabled

CONFLICT = "ZONE_CONFLICT: 'docker0' already bound to 'trusted'"


OLD_CONFLICT = "ZONE_CONFLICT: 'docker0' already bound to a zone"


REFUSED = "IPv4 forwarding is disabled: check your host's firewalling and set sysctl net.ipv4.ip_forward=1"


REFUSED6 = "IPv6 global forwarding is disabled: check your host's firewalling and set sysctls"


NO_MODULE = (
    "cannot restrict inter-container communication or run without the userland proxy: "
    "ensure that the br_netfilter kernel module is loaded"
)


DROP_ALL = ("-j DROP", (verdict("drop"),))


POLICY = Table(
    family="ip",
    name="filter",
    backend="iptables-nft",
    chains=(chain("FORWARD", hook="forward", priority=0, type="filter", policy="drop"),),
)
"""iptables' filter table without a rule."""


def apart(snapshot: Snapshot | None = None) -> Snapshot:
    """The network app with icc=false, as Docker writes it."""
    base = network(snapshot or docker_like_snapshot(), "app", icc=False)
    found = docker_filter()
    text = "-i br-app -o br-app -j DROP"
    drop = (text, (match("iif", "br-app"), match("oif", "br-app"), verdict("drop")))
    chains = tuple(
        chain(
            "FORWARD",
            [drop if rule.text.startswith("-i br-app -o br-app") else (rule.text, rule.exprs) for rule in item.rules],
            hook="forward",
            priority=0,
            type="filter",
            policy="drop",
        )
        if item.name == "FORWARD"
        else item
        for item in found.chains
    )
    return tables(base, msgspec.structs.replace(found, chains=chains), docker_nat())


def by_iptables(*bridges: str) -> Snapshot:
    """The host with firewalld's iptables backend, whose rules come before those that Docker has for each bridge."""
    found = docker_filter()
    forward = next(item for item in found.chains if item.name == "FORWARD")
    established = (match("ctstate", "RELATED", "ESTABLISHED", "DNAT"), verdict("accept"))
    dockers = [(rule.text, rule.exprs) for rule in forward.rules]
    rules = [
        *dockers[:2],
        ("-m conntrack --ctstate RELATED,ESTABLISHED,DNAT -j ACCEPT", established),
        ("-j FORWARD_dispatch", (verdict("jump", "FORWARD_dispatch"),)),
        ("-j REJECT", (verdict("reject"),)),
        *dockers[2:],
    ]
    zones = [(f"-i {name} -j FWD_docker", (match("iif", name), verdict("jump", "FWD_docker"))) for name in bridges]
    chains = (
        chain("FORWARD", rules, hook="forward", priority=0, type="filter", policy="drop"),
        chain("FORWARD_dispatch", zones),
        chain("FWD_docker", [("-j ACCEPT", (verdict("accept"),))]),
        *(item for item in found.chains if item.name != "FORWARD"),
    )
    base = msgspec.structs.replace(docker_like_snapshot(), firewalld=RUNNING)
    return tables(base, msgspec.structs.replace(found, chains=chains), docker_nat())


def reloaded(*more: Table) -> Snapshot:
    """Docker's rules are gone, firewalld's stand."""
    base = msgspec.structs.replace(docker_like_snapshot(), firewalld=RUNNING)
    return tables(base, zone_rules(), *more)


FAULTS: dict[str, tuple[str, str, Build]] = {
    **{
        f"a bridge in no zone, by {name}": (
            "zone-missing",
            "error",
            partial(firewalld_host, "docker0", dispatcher=name),
        )
        for name in DISPATCHERS
    },
    "a bridge in no zone of the iptables backend": ("zone-missing", "error", lambda: by_iptables("docker0")),
    "strict forward ports": (
        "strict-fwd-ports",
        "warning",
        lambda: firewalld_host("docker0", "br-app", strict=True),
    ),
    "a reload that Docker didn't hear of": ("firewalld-reload", "error", reloaded),
    "a reload with FORWARD's policy left": (
        "firewalld-reload",
        "error",
        lambda: reloaded(POLICY),
    ),
    "docker0 bound to another zone": ("zone-conflict", "warning", lambda: bound("docker0", "trusted")),
    "a network's bridge bound to another zone, Docker of before 28.1": (
        "zone-conflict",
        "warning",
        lambda: bound("br-app", "internal", firewall=""),
    ),
    "a daemon that ended over a zone": (
        "zone-conflict",
        "error",
        lambda: ended(CONFLICT, firewalld_host("docker0", "br-app")),
    ),
    "a daemon that ended over a zone that isn't named": (
        "zone-conflict",
        "error",
        lambda: ended(OLD_CONFLICT, firewalld_host("docker0", "br-app")),
    ),
    "FORWARD's policy under Docker's nftables": (
        "nftmode-iptables-drop",
        "error",
        lambda: native(iptables_forward()),
    ),
    "a last rule of FORWARD under Docker's nftables": (
        "nftmode-iptables-drop",
        "error",
        lambda: native(iptables_forward(DROP_ALL, policy="accept")),
    ),
    "FORWARD's policy of the legacy backend under Docker's nftables": (
        "nftmode-iptables-drop",
        "error",
        lambda: native(msgspec.structs.replace(iptables_forward(), backend="iptables-legacy")),
    ),
    "Docker's nftables on a host that doesn't forward": (
        "nftmode-fwd-off",
        "error",
        lambda: not_forwarding(native()),
    ),
    "a daemon that ended because nothing is forwarded": (
        "nftmode-fwd-off",
        "error",
        lambda: ended(REFUSED, not_forwarding(native())),
    ),
    "icc off without br_netfilter": ("icc-no-brnf", "warning", lambda: unswitched(apart())),
    "a daemon that ended for want of br_netfilter": (
        "icc-no-brnf",
        "error",
        lambda: ended(NO_MODULE, unswitched(docker_like_snapshot())),
    ),
}


NEAR_MISSES: dict[str, dict[str, Build]] = {
    "zone-missing": {
        "no firewalld": docker_like_snapshot,
        "firewalld with all bridges in its zone": lambda: firewalld_host("docker0", "br-app"),
        "firewalld with bridges by a wildcard": lambda: firewalld_host("docker+", "br-+"),
        "the iptables backend with all bridges": lambda: by_iptables("docker0", "br-app"),
    },
    "strict-fwd-ports": {
        "strict forward ports and nothing published": lambda: msgspec.structs.replace(
            firewalld_host("docker0", "br-app", strict=True),
            containers=tuple(msgspec.structs.replace(item, published=()) for item in docker_like_snapshot().containers),
        ),
    },
    "firewalld-reload": {
        "firewalld that only runs": lambda: msgspec.structs.replace(docker_like_snapshot(), firewalld=RUNNING),
    },
    "zone-conflict": {
        "a bridge in Docker's own zone, permanently": lambda: bound("docker0", "docker"),
        "a zone of an interface that isn't Docker's": lambda: bound("eth0", "work"),
        "a bridge in another zone, of a Docker that leaves firewalld alone": lambda: bound(
            "docker0", "trusted", firewall="iptables"
        ),
        "a bridge in another zone, of a Docker of which nothing is known": lambda: bound(
            "docker0", "trusted", iptables=None
        ),
        "a conflict in the log of a daemon that runs": lambda: logged(CONFLICT, firewalld_host("docker0", "br-app")),
    },
    "nftmode-iptables-drop": {
        "Docker's nftables": native,
        "Docker's nftables, and iptables that accepts": lambda: native(iptables_forward(policy="accept")),
        "Docker's nftables, and what iptables was given back": lambda: native(
            iptables_forward(
                *(
                    (f"{way} {name} -j ACCEPT", (match(field, name), verdict("accept")))
                    for name in ("br-app", "docker0")
                    for way, field in (("-i", "iif"), ("-o", "oif"))
                )
            )
        ),
    },
    "nftmode-fwd-off": {
        "Docker's nftables, and a refusal in the log that is over": lambda: logged(REFUSED, native()),
        "Docker's nftables, and a refusal of IPv6 on a host that has none": lambda: logged(REFUSED6, native()),
    },
    "icc-no-brnf": {
        "icc off with br_netfilter": apart,
        "icc on without br_netfilter": lambda: unswitched(docker_like_snapshot()),
        "a refusal in the log of a daemon that runs, with the module there": lambda: logged(
            NO_MODULE, docker_like_snapshot()
        ),
    },
}

CASES: dict[str, CheckCases] = tabled(FAULTS, NEAR_MISSES)
