"""What only programs say of a veth pair and the addresses inside: kept when it is deleted, put back with it.

Queue lengths and segmentation limits (ip-link(8)); labels, lifetimes, metrics
and flags of addresses (ip-address(8)).  A queueing discipline inside can't be
put back: such a pair isn't deleted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from dnet_tui.actions.changes.links.bridge_extras import shown
from dnet_tui.actions.host_access import HostAccess
from dnet_tui.diagnostics.operations.address import AddAddress
from dnet_tui.diagnostics.operations.link import AddVeth
from dnet_tui.diagnostics.operations.netns_scope import NetnsScope, ip_command
from dnet_tui.diagnostics.operations.remedy import ByProgram
from dnet_tui.inspect.errors import ActionFailedError
from dnet_tui.inspect.text.sanitize import clean

_FOREVER = (1 << 32) - 1
"""The lifetime that means none (``INFINITY_LIFE_TIME``)."""

_SIZES = (
    ("txqlen", "txqueuelen", 1000),
    ("gso_max_size", "gso_max_size", 65536),
    ("gso_max_segs", "gso_max_segs", 65535),
    ("gro_max_size", "gro_max_size", 65536),
)
"""What ``ip -d -j link`` calls a number, what ip takes it as, and what a new veth has (``veth_setup``)."""


def require_plain_inside(undo: Sequence[object], host: HostAccess) -> None:
    """Refuse to delete a pair whose inner end has a queueing discipline of its own.

    Raises:
        ActionFailedError: It has one; an undo could not put it back.
    """
    made = next((item for item in undo if isinstance(item, AddVeth)), None)
    if made is None:
        return
    found = shown(host, "tc", "-n", made.inside, "-j", "qdisc", "show", "dev", made.peer)
    if any(item.get("handle", "0:") != "0:" for item in found):
        where = f"{clean(made.peer)} in {clean(made.inside)}"
        msg = f"{where} has a queueing discipline or filters (tc), which undo could not put back"
        command = f"tc -n {clean(made.inside)} qdisc show dev {clean(made.peer)}"
        raise ActionFailedError(msg, f"keep a note of it, and delete it first: {command}")


def exact_pair(undo: Sequence[ByProgram], host: HostAccess) -> tuple[ByProgram, ...]:
    """What puts a pair back, with what the host says of it now."""
    return tuple(_exact(item, host) for item in undo)


def _exact(item: ByProgram, host: HostAccess) -> ByProgram:
    if isinstance(item, AddVeth):
        own = _sizes(shown(host, "ip", "-d", "-j", "link", "show", "dev", item.link))
        far = _sizes(shown(host, "ip", "-n", item.inside, "-d", "-j", "link", "show", "dev", item.peer))
        return msgspec.structs.replace(item, more=tuple(own), peer_more=tuple(far))
    if isinstance(item, AddAddress):
        for address in _addresses(item.inside, item.link, host):
            prefixlen = address.get("prefixlen")
            if item.cidr in (f"{address.get('local')}/{prefixlen}", address.get("local")):
                label = str(address.get("label", ""))
                return msgspec.structs.replace(
                    item,
                    label="" if label == item.link else label,
                    broadcast=str(address.get("broadcast", "")),
                    more=tuple(_more(address)),
                )
    return item


def _sizes(links: Sequence[dict[str, Any]]) -> Iterator[str]:
    for link in links:
        for key, word, usual in _SIZES:
            if isinstance(link.get(key), int) and link[key] != usual:
                yield from (word, str(link[key]))


def _addresses(inside: NetnsScope, link: str, host: HostAccess) -> Iterator[dict[str, Any]]:
    for item in shown(host, *ip_command(inside, "-j", "address", "show", "dev", link)):
        yield from (one for one in item.get("addr_info", ()) if isinstance(one, dict))


def _more(address: dict[str, Any]) -> Iterator[str]:
    if "address" in address:  # the other end of a point-to-point link
        yield from ("peer", f"{address['address']}/{address.get('prefixlen')}")
    for key, word in (("valid_life_time", "valid_lft"), ("preferred_life_time", "preferred_lft")):
        if isinstance(address.get(key), int) and address[key] != _FOREVER:
            yield from (word, str(address[key]))
    if address.get("metric"):
        yield from ("metric", str(address["metric"]))
    yield from (flag for flag in ("nodad", "home", "mngtmpaddr", "noprefixroute", "autojoin") if address.get(flag))
