"""Rules' owners over several snapshots: told anew only where something that decides them has changed.  Pure.

A rule's owner follows from the rule, the networks, and the containers at the
addresses it names.  With the rules and the networks as they were, a container
that came or went concerns the rules alone that name an address of its.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

import msgspec

from dnet_tui.inspect.firewall import Firewall, Rule
from dnet_tui.inspect.model import Container, Endpoint, Network, PublishedPort, Snapshot
from dnet_tui.inspect.owner_things import Things
from dnet_tui.inspect.owners import firewall_with_owners


class _Known(msgspec.Struct, frozen=True, kw_only=True):
    """What of a container decides over owners."""

    name: str
    engine: str
    endpoints: tuple[Endpoint, ...]
    published: tuple[PublishedPort, ...]


class KeptOwners:
    """What was found for the last snapshot."""

    def __init__(self) -> None:
        self._networks: tuple[Network, ...] = ()
        self._containers: dict[str, _Known] = {}
        self._done: dict[str, tuple[Firewall, Firewall]] = {}

    def fill_in(self, snapshot: Snapshot) -> Snapshot:
        """The snapshot with each rule's owner, the same as :func:`dnet_tui.inspect.owners.with_owners` has it."""
        containers = {item.id: _known(item) for item in snapshot.containers}
        changed = {
            key
            for key in containers.keys() | self._containers.keys()
            if containers.get(key) != self._containers.get(key)
        }
        concerned = _concerned(found.get(key) for key in changed for found in (containers, self._containers))
        same = snapshot.networks == self._networks
        things, nothing = Things(snapshot), Things(Snapshot())
        spaces = []
        done: dict[str, tuple[Firewall, Firewall]] = {}
        for space in snapshot.namespaces:
            raw = space.firewall
            if raw is None or not raw.tables:
                spaces.append(space)
                continue
            is_host = space.kind == "host"
            known = self._done.get(space.id)
            if known is None or known[0] is not raw or (is_host and not same):
                owned = firewall_with_owners(raw, things if is_host else nothing)
            else:
                owned = firewall_with_owners(known[1], things, concerned) if is_host and concerned else known[1]
            done[space.id] = (raw, owned)
            spaces.append(msgspec.structs.replace(space, firewall=owned))
        self._networks, self._containers, self._done = snapshot.networks, containers, done
        return msgspec.structs.replace(snapshot, namespaces=tuple(spaces))


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
