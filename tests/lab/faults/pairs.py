"""Two faults at a time: both root causes must be named.

Pairs are drawn with a seed, so that a failure can be had again.  Left out are
pairs of which one fault contains the other, or hides it: what nobody can see
on such a host, and nobody needs to repair before the other.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import permutations

from dnet_tui.diagnostics.checks.run_checks import run_checks
from dnet_tui.inspect.errors import DnetError
from lab.faults.machinery import Case, settled, settled_state
from lab.machines.hosts import LabHost

_RULES = frozenset(
    {
        "masq-missing",
        "isolation-missing",
        "drop-before-docker",
        "user-chain-drop",
        "fwd-jump-missing",
        "nat-jump-missing",
        "stale-dnat",
        "foreign-base-drop",
        "bridge-family-drop",
        "nfcall-drop",
        "input-drop",
        "hijack",
        "notrack",
        "policy-drop",
    }
)
_STOPS_ALL = frozenset({"ip-forward-off", "drop-before-docker", "two-backends", "foreign-base-drop"})
_CUTS_OFF = frozenset(
    {
        "bridge-down",
        "bridge-no-ip",
        "veth-orphan",
        "veth-down",
        "veth-down-inside",
        "port-not-fwd",
        "port-isolated",
        "stale-neigh",
        "dup-ip",
        "more-specific-route",
        "ctr-no-gw",
        "ctr-wrong-gw",
        "ctr-wrong-gw-idle",
    }
)
_STARTS_A_CONTAINER = frozenset({"udp-stale-ct", "ctr-no-ip", "proxy-mismatch", "app-listen", "dns-upstream"})
"""Put in first: an engine that starts a container puts rules of its own back, and so repairs the other fault."""

_BETWEEN_NEIGHBOURS = frozenset({"nfcall-drop", "bridge-family-drop", "flood-off", "port-isolated"})

LEFT_OUT: tuple[tuple[frozenset[str], frozenset[str], str], ...] = (
    (frozenset({"rules-flushed"}), _RULES, "a flushed ruleset has no rule that could be wrong"),
    (
        frozenset({"ip-forward-off"}),
        frozenset({"fwd-off-bridge", "fwd-off-uplink"}),
        "switching forwarding off for the host switches it off for every interface",
    ),
    (_STOPS_ALL, frozenset({"isolation-missing"}), "while nothing is forwarded, nothing is exposed"),
    (_CUTS_OFF, _CUTS_OFF, "both cut off one container: its packets get no farther than the first"),
    (_CUTS_OFF, _BETWEEN_NEIGHBOURS, "the network has two containers, and one of them is cut off"),
    (
        frozenset({"bridge-no-ip"}),
        frozenset({"fwd-off-bridge", "masq-missing", "fwd-jump-missing", "subnet-overlap"}),
        "without the gateway's address no packet leaves the network",
    ),
    (_CUTS_OFF, frozenset({"input-drop"}), "a container that is cut off asks no name server"),
    (
        frozenset({"rules-flushed"}),
        frozenset({"fwd-off-uplink"}),
        "without masquerading no answer comes to the uplink that could be lost there",
    ),
    (
        frozenset({"rules-flushed"}),
        frozenset({"two-backends"}),
        "without the engine's rules nobody can tell which backend was the engine's",
    ),
    (
        frozenset({"policy-route"}),
        frozenset({"more-specific-route"}),
        "the table that the policy rule leads to comes before the one with the route",
    ),
    (
        frozenset({"drop-before-docker-6", "foreign-base-drop-6", "ip6-fwd-off-6"}),
        frozenset({"isolation-missing-6"}),
        "while nothing is forwarded, nothing is exposed",
    ),
    (
        frozenset({"rules-flushed-6"}),
        frozenset({f"{check}-6" for check in _RULES}),
        "a flushed ruleset has no rule that could be wrong",
    ),
    (
        frozenset({"bridge-no-ip-6"}),
        frozenset({"masq-missing-6", "fwd-jump-missing-6", "more-specific-route-6", "policy-route-6"}),
        "without the gateway's address there is no route to the network that another could be better than",
    ),
)
"""Faults that don't make a pair, and why."""


@dataclass(frozen=True)
class Named:
    """What the doctor said of a pair, put in in this order; ``why`` is empty when it named both."""

    first: str
    second: str
    why: str = ""


def left_out(one: str, other: str) -> str:
    """Return why two faults don't make a pair; empty when they do."""
    for these, those, reason in LEFT_OUT:
        if (one in these and other in those) or (other in these and one in those):
            return reason
    return ""


def shuffled(cases: Iterable[Case], host: LabHost, seed: int) -> list[tuple[Case, Case]]:
    """Return every ordered pair of what can be put into a host, in an order that the seed decides."""
    possible = [case for case in cases if not case.cannot(host)]
    every = [
        (one, two) for one, two in permutations(possible, 2) if one.check != two.check and not left_out(one.id, two.id)
    ]
    random.Random(seed).shuffle(every)  # noqa: S311 - a choice of tests, no secret
    return every


def name_pairs(host: LabHost, pairs: Iterable[tuple[Case, Case]], count: int) -> Iterator[Named]:
    """Put ``count`` pairs into a host one after the other, ask the doctor, take each out, and see that nothing stays.

    A pair whose second fault can't be put in beside the first is passed over.
    """
    before = settled_state(host)
    done = 0
    for one, two in pairs:
        if done == count:
            return
        if two.id in _STARTS_A_CONTAINER:
            one, two = two, one  # noqa: PLW2901 - the same pair
        why = _together(host, one, two)
        if why is None:
            continue
        done += 1
        if why and (hider := _hider(host, one, two)) is not None:
            why = _after_repair(host, hider, two if hider is one else one)
        differences = settled(host, before)
        yield Named(one.id, two.id, "; ".join(filter(None, (why, *differences))))
        if differences:
            before = settled_state(host)


def _together(host: LabHost, one: Case, two: Case) -> str | None:
    """Put both in and ask; None where the second can't be put in beside the first."""
    with ExitStack() as stack:
        stack.enter_context(one.put(host))
        try:
            stack.enter_context(two.put(host))
        except (DnetError, LookupError, StopIteration, AssertionError):
            return None
        return _unnamed(host, one, two)


def _hider(host: LabHost, one: Case, two: Case) -> Case | None:
    """The one of them that is named, and alone, where both are there; None where that isn't so."""
    with one.put(host), two.put(host):
        named = _roots(host)
    return next((case for case in (one, two) if named == {case.check}), None)


def _after_repair(host: LabHost, hider: Case, other: Case) -> str:
    """What is wrong with the answers where one hides the other: the other must be named once that is repaired."""
    if hider.id in _STARTS_A_CONTAINER:
        return f"{hider.id} hides {other.id}, and can't be put in after it"
    with other.put(host):
        with hider.put(host):
            if hider.check not in _roots(host):
                return f"{hider.id} isn't named where it is put in last"
        named = _roots(host)
    return "" if named and named <= {other.check} | other.also else f"after the repair of {hider.id}: {named}"


def _roots(host: LabHost) -> set[str]:
    found = run_checks(host.snapshot()).findings
    return {item.check for item in found if item.severity != "info" and item.caused_by is None}


def _unnamed(host: LabHost, one: Case, two: Case) -> str:
    """What is wrong with the doctor's answer; empty when both causes are named and no other."""
    found = [item for item in run_checks(host.snapshot()).findings if item.severity != "info"]
    wanted = {one.check, two.check}
    known = wanted | one.also | two.also
    named = {item.check for item in found if item.caused_by is None or item.caused_by in wanted}
    strangers = {item.check for item in found if item.caused_by is None} - known
    if wanted <= named and not strangers:
        return ""
    words = [item.check + (f" ← {item.caused_by}" if item.caused_by else "") for item in found]
    return f"the doctor says: {', '.join(words) or 'healthy'}"
