"""What a walk makes of each rule of nftables, beside what the kernel did with real packets."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

import msgspec

from dnet_tui.actions.demo.sandbox import Sandbox
from dnet_tui.diagnostics.walk.api import walk
from dnet_tui.diagnostics.walk.packet import Packet, Walk
from dnet_tui.inspect.model.view import View
from lab.extensions.nft_rules import NftRule
from lab.extensions.nft_truth import INNER, Arrival, Judged, Judgements

Result = Literal["decided", "hedged", "otherwise", "unknown", "wrong"]
"""``otherwise``: what was taken for granted, and said so, didn't hold."""
RESULTS: tuple[Result, ...] = ("decided", "hedged", "otherwise", "unknown", "wrong")
LIMIT = 590.0
"""Seconds that all the rules may take; it is some two minutes."""

_ARRIVES = frozenset({"delivered", "refused", "left"})
_ECHO = {"ip": 8, "ip6": 128}
_NAMES = {"ip": "icmp", "ip6": "icmpv6"}


class NftAnswer(NamedTuple):
    """One packet that met a rule: what is said of it, and why."""

    rule: NftRule
    packet: Arrival
    result: Result
    why: str


def run(
    rules: Sequence[NftRule], environment: Mapping[str, str] | None = None
) -> tuple[list[NftAnswer], list[tuple[NftRule, str]]]:
    """Judge the rules in a private host; also which don't load there, and why.

    Raises:
        DnetError: no private host can be had, or its commands failed.
    """
    argv = [sys.executable, "-P", "-c", INNER]
    given = msgspec.json.encode(rules)
    with Sandbox.start("nft-rules", environment=environment) as sandbox:
        done = sandbox.run(argv, stdin=given, timeout=LIMIT, check=True, environment=environment)
    found = msgspec.json.decode(done.stdout, type=Judgements)
    return [answer for item in found.judged for answer in _answers(item)], found.refused


def _answers(judged: Judged) -> Iterator[NftAnswer]:
    view = View(judged.snapshot)
    names = {name: ns.id for ns in judged.snapshot.namespaces for name in ns.names}
    host = next(ns.id for ns in judged.snapshot.namespaces if ns.kind == "host")
    for packet in judged.arrivals:
        origin = host if judged.rule.at == "output" else names["left"]
        found = walk(view, _packet(packet), origin=origin)
        yield NftAnswer(judged.rule, packet, *_judge(packet, found, {host: "host", names["right"]: "right"}))


def _packet(sent: Arrival) -> Packet:
    echo = sent.proto == "icmp"
    return Packet(
        family="ip6" if sent.family == "ip6" else "ip",
        src=sent.src,
        dst=sent.dst,
        proto=_NAMES[sent.family] if echo else sent.proto,
        sport=sent.sport,
        dport=sent.dport,
        icmp_type=_ECHO[sent.family] if echo else 0,
        tcp_flags=("SYN",) if sent.proto == "tcp" else (),
    )


def _judge(sent: Arrival, found: Walk, places: dict[str, str]) -> tuple[Result, str]:
    """What is said of a packet; an unknown must name the rule."""
    by = found.decided_by
    if found.end == "unknown":
        named = by is not None and by.rule is not None
        return ("unknown", by.text if by else "") if named else ("wrong", f"unknown, by nothing: {by}")
    said = places.get(found.hops[-1].namespace, "elsewhere") if found.end in _ARRIVES and found.hops else ""
    last = found.last
    as_what = (last.src, last.dst, last.sport, last.dport) if said == "right" and sent.proto != "icmp" else ()
    really = sent.seen_as if as_what else ()
    same = len(as_what) == len(really) and all(
        one is None or one == two for one, two in zip(as_what, really, strict=True)
    )
    hedges = "; ".join(hedge.text for hedge in found.hedges)
    text = f"said {found.end} {said} {as_what}, really at {sent.seen_at or 'nowhere'} as {sent.seen_as}: {hedges}"
    if said == sent.seen_at and same:
        return ("hedged", hedges) if hedges else ("decided", "")
    return ("otherwise" if hedges else "wrong"), text
