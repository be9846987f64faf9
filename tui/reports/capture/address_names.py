"""Names beside addresses: who on this host has one.  Pure."""

from __future__ import annotations

import ipaddress

from dnet_tui.inspect.model import known_items
from dnet_tui.inspect.model.view import View
from dnet_tui.inspect.text.sanitize import clean

_LOCAL = frozenset({"127.0.0.1", "::1"})


def address_names(view: View) -> dict[str, str]:
    """The container's (or namespace's) name by address; an address that several have names nobody."""
    owners: dict[str, set[str]] = {}
    for ns in known_items(view.snapshot.namespaces):
        label = "host" if ns.kind == "host" else view.label(ns.id)
        for item in known_items(ns.addresses):
            if item.address not in _LOCAL and not ipaddress.ip_address(item.address).is_link_local:
                owners.setdefault(item.address, set()).add(label)
    return {address: clean(next(iter(labels))) for address, labels in owners.items() if len(labels) == 1}
