"""Rules' owners over several snapshots: told anew only where something that decides them has changed.  Pure.

A rule's owner follows from the rule, the networks, and the containers at the
addresses it names.  With the rules and the networks as they were, a container
that came or went concerns the rules alone that name an address of its.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

import msgspec

from dnet_tui.inspect.model import Container, Endpoint, Network, PublishedPort, Snapshot, Unread, known_items
from dnet_tui.inspect.model.coverage.sections import with_items
from dnet_tui.inspect.model.firewall import Chain, Firewall, Rule, Table
from dnet_tui.inspect.ruleset.engine_objects import EngineObjects
from dnet_tui.inspect.ruleset.owner_names import USERS_CHAINS, chain_owners
from dnet_tui.inspect.ruleset.rule_owners import firewall_with_owners


class _Known(msgspec.Struct, frozen=True, kw_only=True):
    """What of a container decides over owners."""

    name: str
    engine: str
    endpoints: tuple[Endpoint, ...]
    published: tuple[PublishedPort, ...]


class OwnerCache:
    """What was found for the last snapshot."""

    def __init__(self) -> None:
        self._networks: tuple[Network, ...] = ()
        self._containers: dict[str, _Known] = {}
        self._done: dict[str, tuple[Firewall, Firewall]] = {}

    def fill_in(self, snapshot: Snapshot) -> Snapshot:
        """The snapshot with each rule's owner, the same as if nothing had been kept."""
        containers = {item.id: _known(item) for item in known_items(snapshot.containers)}
        changed = {
            key
            for key in containers.keys() | self._containers.keys()
            if containers.get(key) != self._containers.get(key)
        }
        concerned = _concerned(found.get(key) for key in changed for found in (containers, self._containers))
        same = known_items(snapshot.networks) == self._networks
        things, nothing = EngineObjects(snapshot), EngineObjects(Snapshot())
        spaces = []
        done: dict[str, tuple[Firewall, Firewall]] = {}
        for space in known_items(snapshot.namespaces):
            raw = space.firewall
            if isinstance(raw, Unread) or not raw.tables:
                spaces.append(space)
                continue
            is_host = space.kind == "host"
            known = self._done.get(space.id)
            if known is None or (is_host and not same):
                owned = firewall_with_owners(raw, things if is_host else nothing)
            elif known[0] is not raw:
                owned = _carried(raw, known, things if is_host else nothing, concerned if is_host else None)
            else:
                owned = firewall_with_owners(known[1], things, concerned) if is_host and concerned else known[1]
            done[space.id] = (raw, owned)
            spaces.append(msgspec.structs.replace(space, firewall=owned))
        self._networks, self._containers, self._done = known_items(snapshot.networks), containers, done
        return msgspec.structs.replace(snapshot, namespaces=with_items(snapshot.namespaces, tuple(spaces)))


def _carried(
    raw: Firewall, known: tuple[Firewall, Firewall], things: EngineObjects, concerned: Callable[[Rule], bool] | None
) -> Firewall:
    """Other rules with their owners: those that were there before take theirs along, if nothing decides otherwise.

    ``known`` are the rules of before, without and with owners.
    """
    told = {_key(table): table for table in known[1].tables}
    before = {_key(table): (table, told[_key(table)]) for table in known[0].tables}
    tables = []
    new: set[int] = set()
    for table in raw.tables:
        old, owned = before.get(_key(table), (None, None))
        if old is None or owned is None or chain_owners(old) != chain_owners(table):
            new |= {id(rule) for chain in table.chains for rule in chain.rules}
            tables.append(table)
            continue
        places = {chain.name: (chain, other) for chain, other in zip(old.chains, owned.chains, strict=True)}
        chains = []
        for chain in table.chains:
            was, other = places.get(chain.name, (None, None))
            if was is chain and other is not None:
                chains.append(other)
            elif was is None or other is None or was.hook != chain.hook or chain.name in USERS_CHAINS:
                new |= {id(rule) for rule in chain.rules}
                chains.append(chain)
            else:
                chains.append(_chain_carried(chain, was, other, new))
        tables.append(msgspec.structs.replace(table, chains=tuple(chains)))
    kept = msgspec.structs.replace(raw, tables=tuple(tables))
    return firewall_with_owners(
        kept, things, lambda rule: id(rule) in new or (concerned is not None and concerned(rule))
    )


def _chain_carried(chain: Chain, was: Chain, owned: Chain, new: set[int]) -> Chain:
    """A chain with the owners that its rules had; those that are ``new`` to it are noted, by their id()."""
    before = {rule.handle: (rule, other.owner) for rule, other in zip(was.rules, owned.rules, strict=True)}
    rules = []
    for rule in chain.rules:
        old, owner = before.get(rule.handle, (None, ""))
        if rule.handle is None or old is None or not _is_alike(old, rule):
            new.add(id(rule))
            rules.append(rule)
        else:
            rules.append(rule if owner == rule.owner else msgspec.structs.replace(rule, owner=owner))
    return msgspec.structs.replace(chain, rules=tuple(rules))


def _is_alike(old: Rule, rule: Rule) -> bool:
    """Whether two rules of a chain have the same owner, wherever in the chain they are."""
    return old is rule or (old.text == rule.text and old.exprs == rule.exprs and old.comment == rule.comment)


def _key(table: Table) -> tuple[str, str, str]:
    return table.backend, table.family, table.name


def _known(container: Container) -> _Known:
    return _Known(
        name=container.name, engine=container.engine, endpoints=container.endpoints, published=container.published
    )


def _concerned(known: Iterable[_Known | None]) -> Callable[[Rule], bool] | None:
    """Tells whether a rule names an address of one of these containers; None when they have none."""
    addresses: set[str] = set()
    for item in known:
        if item is not None:
            addresses |= {address.partition("/")[0] for end in item.endpoints for address in end.addresses}
            addresses |= {port.host_ip for port in item.published}
    if not addresses:
        return None
    search = re.compile("|".join(re.escape(address) for address in sorted(addresses))).search
    return lambda rule: search(rule.text) is not None
