"""What a walk makes of each rule of iptables' extension tests: decided, hedged or unknown.

A rule stands alone in its chain, and two packets are asked about: a plain one
(a TCP connection's first), and one of the protocol that the rule names.  The
weaker of the two answers counts.
"""

from __future__ import annotations

import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

import msgspec

from dnet_tui.actions.demo.sandbox import Sandbox
from dnet_tui.diagnostics.walk.api import walk
from dnet_tui.diagnostics.walk.packet import Packet, Walk
from dnet_tui.inspect.model import Namespace, Snapshot
from dnet_tui.inspect.model.firewall import Firewall, Rule, Table
from dnet_tui.inspect.model.protocols import protocol
from dnet_tui.inspect.model.view import View
from lab.extensions.cases import ExtensionRule, Family
from lab.extensions.loading import INNER, LoadedRule, LoadedSuite, saved_rules

Said = Literal["decided", "hedged", "unknown"]
SAID: tuple[Said, ...] = ("decided", "hedged", "unknown")
LIMIT = 300.0
"""Seconds that loading all the rules may take; it is some thirty."""

_ADDRESSES = {
    "ip": ("10.1.0.2", "10.2.0.2", "10.1.0.1", "10.2.0.1"),
    "ip6": ("fd00:1::2", "fd00:2::2", "fd00:1::1", "fd00:2::1"),
}
_PROTO = re.compile(r"(?<!! )-p (\S+)")
_PORT = re.compile(r"(?<!! )--(s|d)port (\d+)")


class Answer(NamedTuple):
    """One rule, whether it is shown as iptables-save does, and what is said of the packets."""

    rule: ExtensionRule
    shown: bool
    said: Said
    why: str = ""


def run(rules: list[ExtensionRule], environment: dict[str, str] | None = None) -> tuple[list[Answer], int]:
    """Load the rules in a private host and ask about each; also how many were refused there.

    Raises:
        DnetError: no private host can be had, or its commands failed.
    """
    argv = [sys.executable, "-P", "-c", INNER]
    with Sandbox.start("extensions", environment=environment) as sandbox:
        done = sandbox.run(argv, stdin=msgspec.json.encode(rules), timeout=LIMIT, check=True, environment=environment)
    suite = msgspec.json.decode(done.stdout, type=LoadedSuite)
    return list(answers(suite)), len(suite.refused)


def answers(suite: LoadedSuite) -> Iterator[Answer]:
    """What is said of each rule that was loaded."""
    host = next(ns for ns in suite.snapshot.namespaces if ns.kind == "host")
    saved = {key: saved_rules(text) for key, text in suite.saved.items()}
    for loaded in suite.rules:
        wanted = loaded.wanted
        line = saved[f"{wanted.family} {loaded.backend}"][wanted.table, wanted.chain][loaded.position]
        found = _found(host, loaded)
        if found is None:
            yield Answer(wanted, shown=False, said="unknown", why="not there")
            continue
        view = View(_with_only(suite.snapshot, host, *found))
        said, why = max(
            (_asked(view, wanted, packet) for packet in _packets(wanted)), key=lambda one: SAID.index(one[0])
        )
        as_read = found[1].text
        yield Answer(wanted, shown=as_read == line, said=said, why=why if as_read == line else f"{as_read} | {line}")


def _found(host: Namespace, loaded: LoadedRule) -> tuple[Table, Rule] | None:
    """The rule as it was read, with its table."""
    assert isinstance(host.firewall, Firewall)
    wanted = loaded.wanted
    for table in host.firewall.tables:
        if (table.family, table.name, table.backend) == (wanted.family, wanted.table, f"iptables-{loaded.backend}"):
            rules = next((chain.rules for chain in table.chains if chain.name == wanted.chain), ())
            return (table, rules[loaded.position]) if loaded.position < len(rules) else None
    return None


def _with_only(snapshot: Snapshot, host: Namespace, table: Table, rule: Rule) -> Snapshot:
    """The snapshot with a firewall that consists of one rule."""
    replace = msgspec.structs.replace
    chains = tuple(
        replace(chain, rules=(replace(rule, number=1),) if rule in chain.rules else ()) for chain in table.chains
    )
    assert isinstance(host.firewall, Firewall)
    firewall = replace(host.firewall, tables=(replace(table, chains=chains),), unread=(), lacks=())
    spaces = tuple(replace(ns, firewall=firewall) if ns.id == host.id else ns for ns in snapshot.namespaces)
    return replace(snapshot, namespaces=spaces)


def _packets(wanted: ExtensionRule) -> Iterable[Packet]:
    """The plain packet, and the one of the protocol that the rule asks for."""
    left, right, near, far = _ADDRESSES[wanted.family]
    src, dst = {"INPUT": (left, near), "OUTPUT": (far, right)}.get(wanted.chain, (left, right))
    if wanted.table == "nat" and wanted.chain == "INPUT":
        src, dst = left, near
    plain = Packet(family=wanted.family, src=src, dst=dst, proto="tcp", sport=40000, dport=80, tcp_flags=("SYN",))
    yield plain
    named = _PROTO.search(wanted.rule)
    proto = protocol(named[1]) if named is not None else None
    if proto is not None and proto != "tcp":
        echo = {"icmp": 8, "icmpv6": 128}.get(proto, 0)
        ports = proto in {"udp", "sctp", "dccp", "udplite"}
        plain = msgspec.structs.replace(
            plain,
            proto=proto,
            tcp_flags=(),
            icmp_type=echo,
            sport=plain.sport if ports else 0,
            dport=plain.dport if ports else 0,
        )
    for side, port in _PORT.findall(wanted.rule):
        plain = msgspec.structs.replace(plain, **{f"{side}port": int(port)})
    yield plain


def _asked(view: View, wanted: ExtensionRule, packet: Packet) -> tuple[Said, str]:
    names = {name: ns for ns in view.snapshot.namespaces for name in ns.names}
    host = next(ns for ns in view.snapshot.namespaces if ns.kind == "host")
    origin = host if wanted.chain == "OUTPUT" else names["left"]
    found: Walk = walk(view, packet, origin=origin.id)
    if found.end == "unknown":
        return "unknown", found.decided_by.text if found.decided_by is not None else ""
    if found.hedges:
        return "hedged", "; ".join(hedge.text for hedge in found.hedges)
    return "decided", ""


def table(found: list[Answer]) -> str:
    """The counts by extension, one per line, and what is unknown."""
    by_name: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for item in found:
        by_name[item.rule.extension][item.said] += 1
    width = max(map(len, by_name), default=0)
    return "\n".join(
        f"{name:{width}}  " + "  ".join(f"{said} {count[said]:3}" for said in SAID)
        for name, count in sorted(by_name.items())
    )


def total(family: Family, found: list[Answer], refused: int) -> str:
    """The sums of a family in words."""
    count = Counter(item.said for item in found)
    shown = sum(item.shown for item in found)
    sure = count["decided"] + count["hedged"]
    words = ", ".join(f"{said} {count[said]}" for said in SAID)
    return (
        f"{family}: {len(found)} rules load here ({refused} don't), {shown} shown as iptables-save does; {words}: "
        f"{sure} of {len(found)} ({100 * sure / max(1, len(found)):.1f} %) decided or hedged"
    )
