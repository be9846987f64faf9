"""Which rows of the rules concern a container, a network or an address, and what a row of the map stands for.  Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from dnet_tui.inspect.model import LinkRef, Snapshot, known_items, require
from dnet_tui.inspect.model.firewall import Firewall
from dnet_tui.inspect.model.view import View
from dnet_tui.tui.app.present.rules_rows import chain_id, places, rule_id
from dnet_tui.tui.app.present.seen_host import seen_host
from dnet_tui.tui.app.present.styled_text import Row


class RuleSubject(NamedTuple):
    """What rules may concern: a name that :func:`rules_for` finds, and what to call it."""

    name: str
    label: str


def concerning(snapshot: Snapshot, about: str) -> dict[str, frozenset[str]]:
    """Return, by namespace, the ids of the rows that concern something, as ``dnet-tui rules --for`` chooses them.

    Raises:
        UsageError: it is gone.
    """
    from dnet_tui.diagnostics.explain.rules_for import rules_for  # noqa: PLC0415  the walk: not before the first screen

    view = View(snapshot)
    return {
        ident: frozenset(_ids(require(view.namespaces[ident].firewall), only)) for ident, only in rules_for(view, about)
    }


def _ids(whole: Firewall, only: Firewall) -> Iterator[str]:
    """The rows of what is left, by the ids that they have among all."""
    left = {chain_id(place): {rule.number for rule in place.chain.rules} for place in places(only)}
    for place in places(whole):
        ident = chain_id(place)
        if ident not in left:
            continue
        yield ident
        seen: Counter[str] = Counter()
        for rule in place.chain.rules:
            seen[rule.text] += 1
            if rule.number in left[ident]:
                yield rule_id(place, rule, seen[rule.text])


def only(rows: Iterable[Row], wanted: frozenset[str]) -> Iterator[Row]:
    """Yield the rows that are wanted, what was not seen, and the headings that have any below them."""
    head: Row | None = None
    for row in rows:
        if not row.selectable:
            head = row
        elif row.id in wanted or row.id.startswith("unread"):
            if head is not None:
                yield head
                head = None
            yield row


def subject_of_row(snapshot: Snapshot, row: str) -> RuleSubject | None:
    """Return what a row of the map stands for to rules; None for what no rule can name."""
    view = seen_host(snapshot)
    kind, _, rest = row.partition(":")
    ident, _, ifindex = rest.rpartition(":")
    if kind == "ctr" and (container := view.containers.get(ident)) is not None:
        return RuleSubject(container.id, container.name)
    if kind == "net" and (network := view.networks.get(rest)) is not None:
        return RuleSubject(network.id, network.name)
    if kind != "link" or (link := view.links.get(LinkRef(namespace=ident, ifindex=int(ifindex)))) is None:
        return None
    for network in known_items(snapshot.networks):
        if view.host is not None and ident == view.host.id and network.bridge == link.name:
            return RuleSubject(network.id, network.name)
    if link.peer is not None and (inside := view.containers_in(link.peer.namespace)):
        return RuleSubject(inside[0].id, inside[0].name)
    ns = view.namespaces[ident]
    own = (item.address for item in known_items(ns.addresses) if item.ifindex == link.ifindex)
    address = next(own, "")
    return RuleSubject(address, f"{link.name} ({address})") if address else None
