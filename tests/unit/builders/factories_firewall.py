"""Hand-built firewall tables for unit tests, rule by rule as Docker 20.10 writes them.  No parser involved."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from dnet_tui.inspect.model.firewall import AnyExpr, Chain, Hook, Match, Nat, Rule, Table, Verdict
from dnet_tui.inspect.model.match_fields import FieldText


def match(field: str, *values: str, negate: bool = False) -> Match:
    """A match expression, briefly."""
    return Match(field=FieldText(field), values=values, negate=negate)


def verdict(kind: str, chain: str = "") -> Verdict:
    """A verdict expression, briefly."""
    return msgspec.convert({"expr": "verdict", "kind": kind, "chain": chain}, Verdict)


def chain(name: str, rules: Iterable[tuple[str, tuple[AnyExpr, ...]]] = (), **settings: Any) -> Chain:
    """A chain from ``(text, expressions)`` pairs, numbered from 1, with zero counters."""
    numbered = tuple(
        Rule(number=number, text=text, exprs=exprs, packets=0, bytes=0)
        for number, (text, exprs) in enumerate(rules, start=1)
    )
    return Chain(name=name, rules=numbered, **settings)


def _base(name: str, hook: Hook, priority: int, kind: str, policy: str = "accept") -> dict[str, Any]:
    return {
        "name": name,
        "hook": hook,
        "priority": priority,
        "type": kind,
        "policy": policy,
        "packets": 0,
        "bytes": 0,
    }


def _forward_of(bridge: str) -> list[tuple[str, tuple[AnyExpr, ...]]]:
    """The four rules of FORWARD that Docker before 28.0.1 writes for each bridge."""
    established = match("ctstate", "RELATED", "ESTABLISHED")
    return [
        (
            f"-o {bridge} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
            (match("oif", bridge), established, verdict("accept")),
        ),
        (f"-o {bridge} -j DOCKER", (match("oif", bridge), verdict("jump", "DOCKER"))),
        (
            f"-i {bridge} ! -o {bridge} -j ACCEPT",
            (match("iif", bridge), match("oif", bridge, negate=True), verdict("accept")),
        ),
        (
            f"-i {bridge} -o {bridge} -j ACCEPT",
            (match("iif", bridge), match("oif", bridge), verdict("accept")),
        ),
    ]


def docker_filter() -> Table:
    """``ip filter`` as Docker 20.10 writes it for docker0 and br-app."""
    stage2 = "DOCKER-ISOLATION-STAGE-2"
    returns: tuple[str, tuple[AnyExpr, ...]] = ("-j RETURN", (verdict("return"),))
    bridges = ("br-app", "docker0")
    leaves = [
        (
            f"-i {name} ! -o {name} -j {stage2}",
            (match("iif", name), match("oif", name, negate=True), verdict("jump", stage2)),
        )
        for name in bridges
    ]
    drops = [(f"-o {name} -j DROP", (match("oif", name), verdict("drop"))) for name in bridges]
    head: list[tuple[str, tuple[AnyExpr, ...]]] = [
        ("-j DOCKER-USER", (verdict("jump", "DOCKER-USER"),)),
        ("-j DOCKER-ISOLATION-STAGE-1", (verdict("jump", "DOCKER-ISOLATION-STAGE-1"),)),
    ]
    published = (
        "-d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT",
        (
            match("daddr", "172.17.0.2/32"),
            match("iif", "docker0", negate=True),
            match("oif", "docker0"),
            match("proto", "tcp"),
            match("dport", "80"),
            verdict("accept"),
        ),
    )
    forward = [*head, *_forward_of("br-app"), *_forward_of("docker0")]
    return Table(
        family="ip",
        name="filter",
        backend="iptables-nft",
        chains=(
            chain(**_base("INPUT", "input", 0, "filter")),
            chain(rules=forward, **_base("FORWARD", "forward", 0, "filter", "drop")),
            chain(**_base("OUTPUT", "output", 0, "filter")),
            chain("DOCKER", [published]),
            chain("DOCKER-ISOLATION-STAGE-1", [*leaves, returns]),
            chain(stage2, [*drops, returns]),
            chain("DOCKER-USER", [returns]),
        ),
    )


def docker_nat() -> Table:
    """``ip nat`` as Docker 20.10 writes it, with web's port 8080 published."""
    local = match("dst-type", "LOCAL")
    jump = verdict("jump", "DOCKER")
    masquerades = [
        (
            f"-s {subnet} ! -o {bridge} -j MASQUERADE",
            (match("saddr", subnet), match("oif", bridge, negate=True), Nat(kind="masquerade")),
        )
        for subnet, bridge in (("10.10.0.0/24", "br-app"), ("172.17.0.0/16", "docker0"))
    ]
    docker: list[tuple[str, tuple[AnyExpr, ...]]] = [
        ("-i br-app -j RETURN", (match("iif", "br-app"), verdict("return"))),
        ("-i docker0 -j RETURN", (match("iif", "docker0"), verdict("return"))),
        (
            "! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80",
            (
                match("iif", "docker0", negate=True),
                match("proto", "tcp"),
                match("dport", "8080"),
                Nat(kind="dnat", addresses="172.17.0.2", ports="80"),
            ),
        ),
    ]
    pre = [("-m addrtype --dst-type LOCAL -j DOCKER", (local, jump))]
    out = [
        (
            "! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER",
            (match("daddr", "127.0.0.0/8", negate=True), local, jump),
        )
    ]
    return Table(
        family="ip",
        name="nat",
        backend="iptables-nft",
        chains=(
            chain(rules=pre, **_base("PREROUTING", "prerouting", -100, "nat")),
            chain(**_base("INPUT", "input", 100, "nat")),
            chain(rules=out, **_base("OUTPUT", "output", -100, "nat")),
            chain(rules=masquerades, **_base("POSTROUTING", "postrouting", 100, "nat")),
            chain("DOCKER", docker),
        ),
    )
