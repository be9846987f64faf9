"""What a finding cites and whom it hits, as places to go to: rules, links, networks, containers.  Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from dnet_tui.diagnostics.report.finding import Finding
from dnet_tui.inspect.model import Snapshot, Unread, known_items
from dnet_tui.inspect.model.view import View
from dnet_tui.tui.app.present import rules_rows
from dnet_tui.tui.app.present.rules_rows import RulePosition
from dnet_tui.tui.app.present.seen_host import seen_host
from dnet_tui.tui.app.present.styled_text import Row, line, say

_RULE = re.compile(r"(?P<table>\S+) (?P<chain>\S+)(?: rule (?P<number>\d+))?")
_MOST = 200


class Citation(NamedTuple):
    """A row of a mode, and how to call it."""

    mode: str
    row: str
    name: str
    about: str


def citations(snapshot: Snapshot, finding: Finding) -> tuple[Citation, ...]:
    """Return what a finding leads to, its evidence first, each place once."""
    found = {(item.mode, item.row): item for item in _every(snapshot, finding)}
    return tuple(found.values())[:_MOST]


def rows(found: tuple[Citation, ...]) -> tuple[Row, ...]:
    """Return the places as rows to choose from; a row's id is its place in the list."""
    return tuple(
        Row(id=str(number), cells=(line(say(item.name, "name")), line(say(item.about, "dim"))))
        for number, item in enumerate(found)
    )


def _every(snapshot: Snapshot, finding: Finding) -> Iterator[Citation]:
    view = seen_host(snapshot)
    for item in finding.evidence:
        yield from _rules(view, item.what)
    names = [(finding.subject.kind, finding.subject.name.partition(":")[0])]
    names += [(item.kind, item.name) for item in finding.affects]
    names += [("link", item.what) for item in finding.evidence]
    for kind, name in names:
        yield from _things(view, kind, name)


def _rules(view: View, what: str) -> Iterator[Citation]:
    cited = _RULE.fullmatch(what)
    host = view.host
    if cited is None or host is None or isinstance(host.firewall, Unread):
        return
    for place in rules_rows.places(host.firewall):
        if (place.table.name, place.chain.name) == (cited["table"], cited["chain"]):
            yield Citation("rules", _rule_row(place, int(cited["number"] or 0)), what, "rule")


def _rule_row(place: RulePosition, number: int) -> str:
    seen: Counter[str] = Counter()
    for rule in place.chain.rules:
        seen[rule.text] += 1
        if rule.number == number:
            return rules_rows.rule_id(place, rule, seen[rule.text])
    return rules_rows.chain_id(place)


def _things(view: View, kind: str, name: str) -> Iterator[Citation]:
    if kind in {"link", "bridge", "network"} and view.host is not None:
        link = view.link_named(view.host.id, name)
        if link is not None:
            yield Citation("map", f"link:{view.host.id}:{link.ifindex}", name, "interface of the host")
    if kind in {"network", "bridge"} and view.host is not None:
        for network in known_items(view.snapshot.networks):
            if name in {network.name, network.id, network.bridge}:
                link = view.link_named(view.host.id, network.bridge) if network.bridge else None
                row = f"link:{view.host.id}:{link.ifindex}" if link is not None else f"net:{network.id}"
                yield Citation("map", row, network.name, "network")
    if kind in {"container", "link", "port"}:
        for container in view.containers.values():
            if name in {container.name, container.id}:
                ns = view.namespaces.get(container.netns or "")
                own = ns is not None and ns.kind != "host"
                links = [item for item in (ns.links if ns is not None and own else ()) if item.kind != "loopback"]
                row = f"ctr:{container.id}:{links[0].ifindex if links else ''}"
                yield Citation("map", row, container.name, "container")
