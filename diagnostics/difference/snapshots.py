"""What changed between two snapshots, as an operator would say it.  Pure.

Things are recognised by what they are called: namespaces by their container's
name (their inodes are new after every start), containers and networks by
engine and name, interfaces by name or by their other end, rules by their text
and place.  Counters, ages, process ids, neighbours that were learnt and
everything else that changes by itself are left out.

What one of the two could not see is no difference: it is told apart, in
:attr:`Difference.not_compared`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import chain
from typing import Literal

import msgspec

from dnet_tui.diagnostics.difference import engines, links, misc, routing, rules
from dnet_tui.diagnostics.difference.base import DifferenceItem, Pair, arrow, opened
from dnet_tui.inspect.model import Namespace, NotSeen, Snapshot, Unread, known_items
from dnet_tui.inspect.model.coverage.gaps import Gap
from dnet_tui.inspect.model.view import View

DIFFERENCE_FORMAT = 1
"""Version of the difference's JSON form."""


class Unseen(msgspec.Struct, frozen=True, kw_only=True):
    """A section that could not be read whole, in the snapshot ``before``, in that ``after``, or in ``both``."""

    section: str
    scope: str
    side: Literal["before", "after", "both"]
    reason: str


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two snapshots."""

    hostname: str
    taken_at: str
    tool_version: str


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome: ``changes`` in the snapshots' order, and what could not be compared."""

    format: int = DIFFERENCE_FORMAT
    before: Side
    after: Side
    changes: tuple[DifferenceItem, ...]
    not_compared: tuple[Unseen, ...]

    @property
    def is_one_sided(self) -> bool:
        """Whether something was seen in only one of the two: then "no change" isn't known for certain."""
        return any(item.side != "both" for item in self.not_compared)


def compare(before: Snapshot, after: Snapshot) -> Difference:
    """Compare two snapshots of one host (of two hosts it works as well, and says so first)."""
    old, new = View(before), View(after)
    mute = _half_silent(old, new)
    changes = chain(
        _host(before, after),
        misc.surroundings(before, after),
        engines.engines(before, after),
        _without_blind(engines.networks(before, after, mute), old, new, "networks"),
        _without_blind(engines.containers(old, new, mute), old, new, "containers"),
        engines.proxies(before, after),
        _namespaces(old, new),
    )
    return Difference(
        before=_side(before), after=_side(after), changes=tuple(changes), not_compared=tuple(_unseen(old, new))
    )


def _side(snapshot: Snapshot) -> Side:
    return Side(hostname=snapshot.host.hostname, taken_at=snapshot.taken_at, tool_version=snapshot.tool_version)


def _host(before: Snapshot, after: Snapshot) -> Iterator[DifferenceItem]:
    for what, was, now in (
        ("host name", before.host.hostname, after.host.hostname),
        ("kernel", before.host.kernel, after.host.kernel),
    ):
        if was != now:
            yield DifferenceItem(
                kind="changed", section="host", scope="host", what=what, text=f"{what} {arrow(was, now)}",
                before=was, after=now,
            )  # fmt: skip


# -- what couldn't be seen ----------------------------------------------------

_ENGINES = frozenset({"engine", "containers", "networks"})
_NUMBERS = re.compile(r"\d+")


def _blind(view: View, section: str, scope: str = "") -> bool:
    """Whether things may be missing in a section of a namespace, or of the whole host."""
    return bool(view.gaps(section, scope))


def _without_blind(
    changes: Iterable[DifferenceItem], old: View, new: View, section: str, scopes: tuple[str, str] = ("", "")
) -> Iterator[DifferenceItem]:
    """Leave out what is missing on a side only because it could not be seen there."""
    hidden = {
        kind
        for kind, view, scope in (("added", old, scopes[0]), ("removed", new, scopes[1]))
        if _blind(view, section, scope)
    }
    yield from (change for change in changes if change.kind not in hidden)


def _half_silent(old: View, new: View) -> frozenset[str]:
    """The engines that told less in one of the two snapshots: what they tell can't be compared."""
    told = [
        {(gap.scope, gap.section, _NUMBERS.sub("", gap.reason)) for gap in view.all_gaps if gap.section in _ENGINES}
        for view in (old, new)
    ]
    mute = {engine.name for view in (old, new) for engine in known_items(view.snapshot.engines) if not engine.reachable}
    return frozenset(mute | {scope for scope, _, _ in told[0] ^ told[1] if scope})


def _unseen(old: View, new: View) -> Iterator[Unseen]:
    """The gaps of both, those that are the same on both sides once."""
    sides = [{(gap.section, _scope(view, gap)): gap.reason for gap in view.all_gaps} for view in (old, new)]
    for (section, scope), reason in (sides[0] | sides[1]).items():
        is_in = [(section, scope) in side for side in sides]
        side: Literal["before", "after", "both"] = "both" if all(is_in) else "before" if is_in[0] else "after"
        yield Unseen(section=section, scope=scope, side=side, reason=reason)


def _scope(view: View, gap: Gap) -> str:
    return view.label(gap.scope) if gap.scope else ""


# -- namespaces ---------------------------------------------------------------


def _namespaces(old: View, new: View) -> Iterator[DifferenceItem]:
    pairs, gone, come = _pairs(old, new)
    for pair in pairs:
        yield from _inside(opened(pair), old, new)
    told = {item.name for view in (old, new) for item in known_items(view.snapshot.containers)}
    for view, names, other in ((old, gone, new), (new, come, old)):
        kind: Literal["added", "removed"] = "removed" if view is old else "added"
        for label, ns in names.items():
            if label in told or _blind(other, "namespaces", ns.id):
                continue  # the container itself says it, or it may be there all the same
            text = f"the network namespace {'is gone' if kind == 'removed' else 'appeared'}"
            yield DifferenceItem(kind=kind, section="namespaces", scope=label, what=label, text=text)


def _pairs(old: View, new: View) -> tuple[list[Pair], dict[str, Namespace], dict[str, Namespace]]:
    """The namespaces that are in both, by label, else by a process in them; and those that are only in one."""
    was, now = _labelled(old), _labelled(new)
    pairs = [Pair(label=label, old=ns, new=now[label]) for label, ns in was.items() if label in now]
    gone = {label: ns for label, ns in was.items() if label not in now}
    come = {label: ns for label, ns in now.items() if label not in was}
    for label, ns in list(gone.items()):  # its name may only be missing because nobody could be asked for it
        same = next((other for other, candidate in come.items() if _share_process(ns, candidate)), None)
        if same is not None:
            pairs.append(Pair(label=label, old=gone.pop(label), new=come.pop(same)))
    return pairs, gone, come


def _share_process(one: Namespace, other: Namespace) -> bool:
    if one.id != other.id:
        return False
    known = {(process.pid, process.start) for process in one.processes}
    return any((process.pid, process.start) in known for process in other.processes)


def _labelled(view: View) -> dict[str, Namespace]:
    """Namespaces by what they are called; one without any name by the first process in it."""
    found: dict[str, Namespace] = {}
    for ns in known_items(view.snapshot.namespaces):
        label = view.label(ns.id)
        if label == ns.id and ns.processes:
            label = f"namespace of {ns.processes[0].name}"
        found[label if label not in found else f"{label} {ns.id}"] = ns
    return found


_Compare = Callable[[Pair, View, View], Iterable[DifferenceItem]]
_SECTIONS: tuple[tuple[str, _Compare], ...] = (
    ("links", links.links),
    ("addresses", lambda pair, _old, _new: links.addresses(pair)),
    ("routes", lambda pair, _old, _new: routing.routes(pair)),
    ("policy-rules", lambda pair, _old, _new: routing.policy_rules(pair)),
    ("neighbours", lambda pair, _old, _new: routing.neighbours(pair)),
    ("fdb", lambda pair, _old, _new: misc.static_ways(pair)),
    ("xfrm", lambda pair, _old, _new: misc.ipsec(pair)),
    ("sysctls", lambda pair, _old, _new: routing.sysctls(pair)),
    ("sockets", lambda pair, _old, _new: routing.sockets(pair)),
)


def _inside(pair: Pair, old: View, new: View) -> Iterator[DifferenceItem]:
    scopes = pair.old.id, pair.new.id
    with suppress(NotSeen):  # without the links of both nobody knows what was renamed
        pair = links.with_renamed(pair, old, new)
    for section, changes in _SECTIONS:
        with suppress(NotSeen):  # what isn't known of one of the two can't be compared, and is told as not seen
            yield from _without_blind(changes(pair, old, new), old, new, section, scopes)
    if not isinstance(pair.old.firewall, Unread) and not isinstance(pair.new.firewall, Unread):
        blind = rules.Blind(_blind(old, "firewall", scopes[0]), _blind(new, "firewall", scopes[1]))
        yield from rules.firewall(pair, blind)
