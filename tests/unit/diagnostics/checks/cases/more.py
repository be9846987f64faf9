"""Hosts for the checks that the other modules have no cases of: facts told, counters compared, real packets."""

from __future__ import annotations

from typing import Any

import msgspec

from dnet_tui.diagnostics.flows.probes import PlannedProbe, Prediction, ProbeAnswer, Sent, judge
from dnet_tui.diagnostics.operations.rule import InsertRule
from dnet_tui.diagnostics.operations.simulate import after
from dnet_tui.inspect.model import (
    Address,
    Engine,
    Link,
    Snapshot,
    Socket,
    TrafficFilter,
)
from dnet_tui.inspect.model.firewall import Table, Verdict
from unit.builders.factories import (
    HOST,
    UPLINK,
    WEB,
    docker_like_snapshot,
    with_namespace,
    with_sysctl,
)
from unit.builders.factories_firewall import chain, match, verdict
from unit.builders.factories_links import NF_CALL, adding, multi, namespace, on_the_inside, removed, without
from unit.builders.factories_names import container, counted, legacy, resolving, rootless
from unit.builders.factories_others import guarded, with_more_tables
from unit.builders.factories_startup import checksums
from unit.diagnostics.checks.cases.case import CheckCases, Given
from unit.diagnostics.checks.cases.rules import delete, flushed, insert, native, with_table
from unit.diagnostics.checks.cases.rules import legacy as legacy_table


def probed(prediction: Prediction, answer: ProbeAnswer) -> Given:
    """A healthy host, and a ping of web's that went so."""
    probe = PlannedProbe(
        kind="egress",
        namespace=WEB,
        source="web",
        target="outside",
        method="ping",
        address="198.51.100.77",
        prediction=prediction,
        by="rule 3",
    )
    return Given(docker_like_snapshot(), probes=judge([(probe, Sent(answer=answer))], HOST))


def filtered(place: Any, *actions: str, ifindex: int = UPLINK) -> Snapshot:
    """The host with one filter of traffic control that takes every packet."""
    found = TrafficFilter(ifindex=ifindex, place=place, kind="matchall", actions=actions)
    return with_namespace(docker_like_snapshot(), HOST, traffic_control=(found,))


def bridged(ports: tuple[str, ...] = (), policy: str = "drop") -> Snapshot:
    """The host with a table of the bridge family whose policy decides, but for what these ports send."""
    accepts = [(f'iifname "{name}" accept', (match("iif", name), verdict("accept"))) for name in ports]
    fwd = chain("fwd", accepts, hook="forward", priority=0, type="filter", policy=policy)
    return with_more_tables(docker_like_snapshot(), Table(family="bridge", name="x", backend="nftables", chains=(fwd,)))


def bare() -> Snapshot:
    """Web's address flushed, and its routes with it, as the kernel does."""
    unaddressed = without(docker_like_snapshot(), WEB, "addresses", lambda item: item.address.startswith("172.17."))
    return without(unaddressed, WEB, "routes", lambda _: True)


def second_address() -> Snapshot:
    """Web with an address more than its engine gave it."""
    link = namespace(docker_like_snapshot(), WEB).addresses[-1].ifindex
    other = Address(ifindex=link, family="ip", address="172.17.0.9", prefixlen=16)
    return adding(docker_like_snapshot(), WEB, "addresses", other)


def liberal(value: str, invalid: int) -> Given:
    """A minute in which so many invalid packets came, on a host that is liberal or not."""
    base = with_sysctl(resolving(), "net.netfilter.nf_conntrack_tcp_be_liberal", value)
    return Given(counted(base, 60, invalid=invalid), before=counted(base, 0))


def raced(failed: int) -> Given:
    """A minute in which so many connections failed to be entered."""
    return Given(counted(resolving(), 60, insert_failed=7 + failed), before=counted(resolving(), 0, insert_failed=7))


def fell_back(server: str = "8.8.8.8", *, put_in: bool = True) -> Snapshot:
    return container(resolving(), "web", resolver=legacy(server, fell_back=put_in))


def barred(snapshot: Snapshot) -> Snapshot:
    """Nobody may ask 8.8.8.8."""
    drop = "-d 8.8.8.8/32 -j DROP"
    rule = InsertRule(backend="iptables-nft", family="ip", table="filter", chain="FORWARD", spec=drop, position=1)
    return after(snapshot, [rule])


def managed_elsewhere() -> Snapshot:
    """No rule is left of a Docker that writes none by choice."""
    engines = (Engine(name="docker", iptables=False),)
    return msgspec.structs.replace(flushed(), engines=engines)


def replaced(spec: str, other: str, chain_name: str, table: str = "filter") -> Snapshot:
    """The host with one of the engine's rules written in other words."""
    broken = delete(spec, chain_name, table)
    rule = InsertRule(backend="iptables-nft", family="ip", table=table, chain=chain_name, spec=other, position=1)
    return after(broken, [rule])


CASES: dict[str, CheckCases] = {
    "model-contradicted": CheckCases(
        fires={"a ping that should not be answered is": lambda: probed("blocked", "answered")},
        near_misses={
            "a ping that went as it should": lambda: probed("answered", "answered"),
            "a ping that nobody could say anything of": lambda: probed("unknown", "timeout"),
            "a ping that was not sent": lambda: probed("answered", "not-sent"),
        },
    ),
    "tc-drop": CheckCases(
        fires={"a filter that drops all that comes in": lambda: filtered("ingress", "gact drop")},
        near_misses={
            "a filter that lets all pass": lambda: filtered("ingress", "gact pass"),
            "a filter on a device that isn't on the way": lambda: filtered("ingress", "gact drop", ifindex=99),
        },
    ),
    "bridge-family-drop": CheckCases(
        fires={"a policy that drops bridged frames": bridged},
        near_misses={
            "a policy that drops the frames of others": lambda: bridged(("veth77c3d4e", "veth99e5f60", "veth5f0a1b2")),
            "a table that accepts": lambda: bridged(policy="accept"),
        },
    ),
    "ctr-no-ip": CheckCases(
        fires={"an address that was flushed": bare}, near_misses={"an address more": second_address}
    ),
    "gw-choice": CheckCases(
        fires={"a container that leaves by an internal network": on_the_inside},
        near_misses={"a container on two networks with a way out": lambda: multi(strict="0")},
    ),
    "invalid-rst": CheckCases(
        fires={"many stray packets": lambda: liberal("0", 600)},
        near_misses={"few stray packets": lambda: liberal("0", 30), "a liberal host": lambda: liberal("1", 600)},
    ),
    "ct-race": CheckCases(
        fires={"connections that fail in a race": lambda: raced(120)}, near_misses={"a few of them": lambda: raced(5)}
    ),
    "direct-blocked": CheckCases(
        fires={"more was kept out since": lambda: Given(guarded(905, 900), before=guarded(900, 900))},
        near_misses={"it was kept out before": lambda: Given(guarded(900, 900), before=guarded(900, 900))},
    ),
    "unpublished-drop": CheckCases(
        fires={"more was kept out since": lambda: Given(guarded(900, 907), before=guarded(900, 900))},
        near_misses={"it was kept out before": lambda: Given(guarded(900, 900), before=guarded(900, 900))},
    ),
    "dns-fallback": CheckCases(
        fires={"public servers that Docker put in, and that a rule keeps out": lambda: barred(fell_back())},
        near_misses={"the same servers, named by the host": lambda: fell_back(put_in=False)},
    ),
    "csum-offload": CheckCases(fires={"wrong checksums": lambda: checksums(WEB, bad=400)}),
    "rootless-port": CheckCases(
        fires={"port 80 for a user": lambda: rootless(80)},
        near_misses={"port 80 where users may have it": lambda: rootless(80, start="80")},
    ),
    "veth-down": CheckCases(
        near_misses={
            "a veth of nobody's that is down": lambda: adding(
                docker_like_snapshot(), HOST, "links", Link(ifindex=88, name="veth88", kind="veth", up=False)
            )
        }
    ),
    "rules-flushed": CheckCases(near_misses={"an engine that writes no rules by choice": managed_elsewhere}),
    "ip-forward-off": CheckCases(
        near_misses={
            "every interface forwards all the same": lambda: with_sysctl(
                docker_like_snapshot(), "net.ipv4.ip_forward", "0"
            )
        }
    ),
    "fwd-off-uplink": CheckCases(
        near_misses={
            "another interface that doesn't forward": lambda: with_sysctl(
                docker_like_snapshot(), "net.ipv4.conf.lo.forwarding", "0"
            )
        }
    ),
    "two-backends": CheckCases(near_misses={"two that accept": lambda: with_table(legacy_table(policy="accept"))}),
    "foreign-base-drop": CheckCases(
        near_misses={"another program's table that accepts": lambda: with_table(native(Verdict(kind="accept")))}
    ),
    "fwd-jump-missing": CheckCases(
        near_misses={
            "the same in other words": lambda: replaced(
                "-i docker0 ! -o docker0 -j ACCEPT", "-s 172.17.0.0/16 ! -o docker0 -j ACCEPT", "FORWARD"
            )
        }
    ),
    "nfcall-drop": CheckCases(
        near_misses={
            "no rule for what stays within, and frames pass by iptables": lambda: with_sysctl(
                after(docker_like_snapshot(), [removed("-i br-app -o br-app -j ACCEPT")]), NF_CALL, "0"
            )
        }
    ),
    "nat-jump-missing": CheckCases(
        near_misses={
            "a jump without a condition": lambda: replaced(
                "-m addrtype --dst-type LOCAL -j DOCKER", "-j DOCKER", "PREROUTING", "nat"
            )
        }
    ),
    "stale-dnat": CheckCases(
        near_misses={
            "a rule for another port": lambda: insert(
                "! -i docker0 -p tcp -m tcp --dport 9999 -j DNAT --to-destination 172.30.0.77:80", "DOCKER", "nat"
            )
        }
    ),
    "app-listen": CheckCases(
        near_misses={
            "a program that listens at the container's address": lambda: with_namespace(
                docker_like_snapshot(), WEB, sockets=(Socket(proto="tcp", address="172.17.0.2", port=80),)
            )
        }
    ),
}
