"""What changed at interfaces and their addresses.  Pure.

An interface is recognised by its name; a veth also by what its other end is
called, since engines give the host's end another random name each time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from dnet_tui.diagnostics.difference.base import (
    DifferenceEntry,
    DifferenceItem,
    DifferenceKind,
    Pair,
    arrow,
    device,
    devices,
    entries,
    fields,
)
from dnet_tui.inspect.model import Link, LinkRef, Namespace
from dnet_tui.inspect.model.view import View

_PASSING_FLAGS = frozenset({"tentative"})
_OF_LINKS = frozenset({"active", "primary", "backup_port"})
"""Fields that hold an interface's index."""


class Both(msgspec.Struct, frozen=True, kw_only=True):
    """A link as it was and as it is."""

    old: Link
    new: Link


def match_links(pair: Pair, old: View, new: View) -> tuple[list[Both], list[Link], list[Link]]:
    """The links that are in both, those that are gone, and those that are new."""
    now = {link.name: link for link in pair.new.links}
    both = [Both(old=link, new=now[link.name]) for link in pair.old.links if link.name in now]
    kept = {item.new.name for item in both}
    gone = [link for link in pair.old.links if link.name not in now]
    come = {
        _other_end(new, link) or _address(link) or link.name: link for link in now.values() if link.name not in kept
    }
    left = []
    for link in gone:
        same = come.pop(_other_end(old, link) or _address(link) or link.name, None)
        if same is None or same.kind != link.kind:
            left.append(link)
        else:
            both.append(Both(old=link, new=same))
    found = {item.new.name for item in both}
    return both, left, [link for link in pair.new.links if link.name not in found]


def with_renamed(pair: Pair, old: View, new: View) -> Pair:
    """The pair with what became of its interfaces' names."""
    both, gone, come = match_links(pair, old, new)
    return msgspec.structs.replace(
        pair,
        renamed={item.old.name: item.new.name for item in both if item.old.name != item.new.name},
        gone=frozenset(link.name for link in gone),
        new_links=frozenset(link.name for link in come),
    )


def _other_end(view: View, link: Link) -> str:
    """A veth's other end, ``web eth0``, where that has a name of its own."""
    far = view.links.get(link.peer) if link.peer is not None and link.kind == "veth" else None
    if far is None or link.peer is None:
        return ""
    label = view.label(link.peer.namespace)
    return "" if label in {link.peer.namespace, "host"} else f"{label} {far.name}"


def _address(link: Link) -> str:
    return f"{link.kind} {link.permanent_mac}" if link.permanent_mac else ""


def links(pair: Pair, old: View, new: View) -> Iterator[DifferenceItem]:
    """Every change at the interfaces."""
    both, gone, come = match_links(pair, old, new)
    for item in both:
        yield from _changed(pair, item, old, new)
    for link in gone:
        text = _described(pair.old, link, old)
        yield _change(pair, "removed", link.name, f"{link.name} is gone ({text})", before=text)
    for link in come:
        text = _described(pair.new, link, new)
        yield _change(pair, "added", link.name, f"{link.name} appeared ({text})", after=text)


def _change(
    pair: Pair, kind: DifferenceKind, what: str, text: str, before: str = "", after: str = ""
) -> DifferenceItem:
    return DifferenceItem(
        kind=kind, section="links", scope=pair.label, what=what, text=text, before=before, after=after
    )


def _described(ns: Namespace, link: Link, view: View) -> str:
    names = devices(ns)
    addresses = [item.cidr for item in view.addresses_of(LinkRef(namespace=ns.id, ifindex=link.ifindex))]
    port = [f"port of {device(names, link.master)}"] if link.master is not None else []
    return ", ".join([link.kind or "device", "up" if link.up else "down", f"mtu {link.mtu}", *port, *addresses])


def _changed(pair: Pair, item: Both, old: View, new: View) -> Iterator[DifferenceItem]:
    was, now = item.old, item.new
    name = now.name
    if was.name != name:
        yield _change(pair, "changed", name, f"{was.name} is now called {name}", was.name, name)
    if was.up != now.up:
        text = f"{name} {'came up' if now.up else 'went down'}"
        yield _change(pair, "changed", name, text, _state(was), _state(now))
    elif was.up and was.carrier != now.carrier:
        text = f"{name} {'has a carrier again' if now.carrier else 'lost its carrier'}"
        yield _change(pair, "changed", name, text, _state(was), _state(now))
    yield from _master(pair, was, now)
    ends = ("", "") if was.peer == now.peer else (_far(old, was), _far(new, now))
    for word, before, after in (
        ("kind", was.kind or "device", now.kind or "device"),
        ("mac", was.mac, now.mac),
        ("mtu", was.mtu, now.mtu),
        ("alias", was.alias, now.alias),
        ("other end", *ends),
        ("VLANs", _vlans(was), _vlans(now)),
    ):
        if before != after:
            yield _change(pair, "changed", name, f"{name}: {word} {arrow(before, after)}", str(before), str(after))
    names = devices(pair.old, pair.renamed), devices(pair.new)
    for word, one, other in (
        ("bridge", was.bridge, now.bridge),
        ("port", was.port, now.port),
        (now.kind, was.detail, now.detail),
    ):
        if one is not None and other is not None and type(one) is type(other):
            yield from _attributes(pair, name, word, one, other, names)


def _attributes(
    pair: Pair,
    name: str,
    word: str,
    was: msgspec.Struct,
    now: msgspec.Struct,
    names: tuple[Mapping[int, str], Mapping[int, str]],
) -> Iterator[DifferenceItem]:
    for field, before, after in fields(was, now, _OF_LINKS):
        text = f"{name}: {word} {field} {before} → {after}"
        yield _change(pair, "changed", name, text, f"{field} {before}", f"{field} {after}")
    for field in sorted(_OF_LINKS.intersection(was.__struct_fields__)):
        one, other = (
            device(known, index) if (index := getattr(value, field)) is not None else "none"
            for value, known in zip((was, now), names, strict=True)
        )
        if one != other:
            shown = field.replace("_", " ")
            yield _change(pair, "changed", name, f"{name}: {word} {shown} {one} → {other}", one, other)


def _state(link: Link) -> str:
    return "down" if not link.up else "up" if link.carrier else "up, no carrier"


def _master(pair: Pair, was: Link, now: Link) -> Iterator[DifferenceItem]:
    before = device(devices(pair.old, pair.renamed), was.master) if was.master is not None else ""
    after = device(devices(pair.new), now.master) if now.master is not None else ""
    if before == after:
        return
    if not after:
        text = f"{now.name} is no longer a port of {before}"
    else:
        text = f"{now.name} is now a port of {after}" + (f" (was of {before})" if before else "")
    yield _change(pair, "changed", now.name, text, before, after)


def _far(view: View, link: Link) -> str:
    """A veth's other end, or the device that another kind lies on; empty where that isn't known."""
    far = view.links.get(link.peer) if link.peer is not None else None
    if far is None or link.peer is None:
        return ""
    label = view.label(link.peer.namespace)
    if label == link.peer.namespace or (label == "host" and far.kind == "veth"):
        return ""  # an id or a random name: of the other end's side it is told
    return f"{far.name} of {label}"


def _vlans(link: Link) -> str:
    return ", ".join(
        f"{vlan.vid}{f'-{vlan.last}' if vlan.last != vlan.vid else ''}"
        f"{' pvid' if vlan.pvid else ''}{' untagged' if vlan.untagged else ''}"
        for vlan in link.vlans
    )


def addresses(pair: Pair) -> Iterator[DifferenceItem]:
    """Every change of the addresses; those of an interface that came or went are told with it."""

    def word(kind: DifferenceKind, entry: DifferenceEntry) -> str:
        name, _, cidr = entry.what.partition(" ")
        return f"{name} {'got' if kind == 'added' else 'lost'} {cidr}"

    before, after = _addresses(pair.old, pair.gone, pair.renamed), _addresses(pair.new, pair.new_links, {})
    yield from entries("addresses", pair.label, before, after, word)


def _addresses(ns: Namespace, left_out: frozenset[str], renamed: Mapping[str, str]) -> Iterator[DifferenceEntry]:
    names = devices(ns, renamed)
    for item in ns.addresses:
        name = device(names, item.ifindex)
        if name not in left_out:
            flags = [flag for flag in item.flags if flag not in _PASSING_FLAGS]
            peer = [f"peer {item.peer}"] if item.peer else []
            text = " ".join([f"scope {item.scope}", *peer, *flags])
            yield DifferenceEntry(key=(name, item.cidr), what=f"{name} {item.cidr}", text=text)
