"""Whether a namespace may use an address of its own: not while it is looked for elsewhere, nor once found there.  Pure.

Sources: net/ipv6/addrconf.c and ndisc.c.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.walk.namespace_index import NamespaceIndex
from dnet_tui.diagnostics.walk.packet import Decider, End
from dnet_tui.inspect.model import Address


def is_usable(address: Address) -> bool:
    """Whether an address is its host's: not while it is looked for elsewhere, nor when it was found there.

    ndisc_recv_ns answers for optimistic ones, and not for other tentative
    ones; addrconf_dad_stop leaves ``tentative`` on an address that failed.
    """
    return "dadfailed" not in address.flags and ("tentative" not in address.flags or "optimistic" in address.flags)


def tentative(index: NamespaceIndex, address: str) -> Decider | None:
    """The decider when a namespace's IPv6 address is still being looked for elsewhere: not usable yet."""
    item = next((item for item in index.ns.addresses if item.address == address), None) if ":" in address else None
    if item is None or is_usable(item) or "dadfailed" in item.flags:
        return None
    name = index.names.get(item.ifindex, "")
    text = f"{address} is tentative: not used until duplicate address detection ends"
    return Decider(kind="link", text=text, namespace=index.ns.id, value="tentative", interface=name)


def failed(index: NamespaceIndex, address: str) -> Decider | None:
    """The decider when a namespace gave up its IPv6 address because somebody else has it."""
    item = next((item for item in index.ns.addresses if item.address == address), None) if ":" in address else None
    if item is None or "dadfailed" not in item.flags:
        return None
    text = f"{address} failed duplicate address detection: somebody else has it"
    name = index.names.get(item.ifindex, "")
    return Decider(kind="link", text=text, namespace=index.ns.id, value="dadfailed", interface=name)


def unusable_source(index: NamespaceIndex, address: str) -> Iterator[tuple[End, Decider]]:
    """Why nobody sends from an address of a namespace (ipv6_chk_addr, ipv6_dev_get_saddr)."""
    late, gone = tentative(index, address), failed(index, address)
    if late is not None:
        yield "unknown", late
    if gone is not None:
        yield "dropped", gone
