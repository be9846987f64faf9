"""A bridge of Docker's is bound to another firewalld zone, so that Docker can't take it up again.

What it finds
    firewalld runs, and its permanent settings put the bridge of one of
    Docker's networks into a zone that isn't ``docker``.  Or a Docker that
    ended because of that.

Why it matters
    Docker adds every bridge to its own zone when it starts.  firewalld
    refuses a second zone for one interface (``ZONE_CONFLICT``): for docker0
    the daemon gives up ("Error initializing network controller"), another
    network is missing from then on.  What runs now goes on until then.

How we know
    The zones' files in /etc/firewalld/zones, as firewalld itself sees them
    (firewalld.zone(5)); for a daemon that ended, its last words.  Source:
    ``newFirewallerNetwork``, ``AddInterfaceFirewalld`` and
    ``populateNetworks`` of Docker's bridge driver, ``add_interface`` of
    firewalld's ``core/fw_zone.py``.

Remedy
    Take the bridge out of that zone, permanently, and restart Docker.

When it is harmless
    With ``"iptables": false`` Docker leaves firewalld alone, and a Docker that
    says it doesn't work with firewalld does so too; it is not reported then.
    Bridges of other engines may be in any zone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check, Undecided
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.subjects.missing_kernel_features import unresolved_failures
from dnet_tui.diagnostics.checks.subjects.startup_failures import START_UP, FailedStart, of_failures
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.operations.by_hand import ByHand
from dnet_tui.diagnostics.operations.firewalld import ChangeZone
from dnet_tui.diagnostics.operations.remedy import Remedy, inverses
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Subject
from dnet_tui.inspect.model import Engine, Firewalld, known_items, require
from dnet_tui.inspect.model.engine_kinds.docker import DEFAULT_BRIDGE, DOCKER
from dnet_tui.inspect.model.engine_kinds.registry import traits_of

ID = "zone-conflict"
_OWN = DOCKER.firewalld_zone
_WORDS = re.compile(r"'(?P<bridge>[^'\s]{1,15})' already bound to (?:'(?P<zone>[\w-]{1,64})'|a zone)")
"""firewalld's words; older ones don't name the zone."""


def find(ctx: CheckContext) -> Iterator[Finding | Undecided]:
    """One finding per bridge."""
    case = ctx.case
    firewalld = case.snapshot.firewalld
    if firewalld is None:
        return
    firewalld = require(firewalld)
    told = _ended(case)
    for bridge, (zone, failed) in told.items():
        yield _finding(bridge, [zone] if zone else list(_others(firewalld, bridge)), firewalld, failed)
    bridges = [network.bridge for network in case.networks if _binds(network.engine)]
    if not bridges or not any(_works_with(engine) for engine in known_items(case.snapshot.engines)):
        return
    for bridge in bridges:
        named = list(_others(firewalld, bridge))
        if named and bridge not in told:
            yield _finding(bridge, named, firewalld)


def _others(firewalld: Firewalld, bridge: str) -> Iterator[str]:
    return (zone for zone in firewalld.zones_of(bridge) if zone != _OWN)


def _ended(case: HostContext) -> dict[str, tuple[str, FailedStart]]:
    """The bridges that a daemon spoke of which isn't there any more, with the zone (if it was named)."""
    found = ((_WORDS.search(item.failure.text), item) for item in unresolved_failures(case, ID))
    return {words["bridge"]: (words["zone"] or "", item) for words, item in found if words is not None}


def _works_with(engine: Engine) -> bool:
    """Whether a Docker adds its bridges to firewalld's zones; since 28.1 it says so, as ``iptables+firewalld``."""
    speaks = not engine.firewall or "firewalld" in engine.firewall
    return _binds(engine.name) and not engine.rootless and engine.iptables is True and speaks


def _binds(kind: str) -> bool:
    """Whether a kind of engine binds its bridges to the zone, so that no other may have them."""
    traits = traits_of(kind)
    return (traits.firewalld_zone, traits.firewalld_binding) == (_OWN, "interface")


def _finding(bridge: str, zones: list[str], firewalld: Firewalld, failed: FailedStart | None = None) -> Finding:
    lasting = [zone for zone in zones if zone in firewalld.zones_of(bridge)]
    if failed is not None:
        effect = "Docker could not start (ZONE_CONFLICT)"
    elif bridge == DEFAULT_BRIDGE:
        effect = "Docker won't start again (ZONE_CONFLICT)"
    else:
        effect = "its network will be missing once Docker is restarted (ZONE_CONFLICT)"
    return Finding(
        check=ID,
        severity="warning" if failed is None else "error",
        subject=Subject(kind="bridge", name=bridge),
        summary=f"{bridge} is bound to firewalld's zone {zones[0]}: {effect}"
        if zones
        else f"{bridge} is bound to another zone of firewalld's: {effect}",
        symptoms=START_UP,
        evidence=(
            *of_failures((failed,) if failed is not None else ()),
            *(
                Evidence(
                    source=f"/etc/firewalld/zones/{zone}.xml",
                    what="interface",
                    value=bridge,
                    expected="in zone docker, or in none",
                )
                for zone in lasting
            ),
        ),
        remedy=_remedy(bridge, zones, lasting=bool(lasting)),
    )


def _remedy(bridge: str, zones: list[str], *, lasting: bool) -> Remedy:
    if not zones:
        return Remedy(
            summary=f"See in which zone {bridge} is, take it out of that, and restart Docker",
            steps=(ByHand(argv=("firewall-cmd", f"--get-zone-of-interface={bridge}")),),
            risk="manual",
        )
    steps = tuple(
        ChangeZone(zone=zone, kind="interface", item=bridge, present=False, permanent=lasting) for zone in zones
    )
    then = "`firewall-cmd --reload`, then " if lasting else ""
    return Remedy(
        summary=f"Take {bridge} out of zone {', '.join(zones)}",
        steps=steps,
        undo=inverses(steps),
        risk="manual",
        persists=lasting,
        note=f"After it {then}restart Docker, which adds the bridge to its own zone. "
        "A NetworkManager profile may bind it too: nmcli -f connection.zone connection show",
    )


CHECK = Check(
    id=ID,
    title="Docker's bridges are bound to no other firewalld zone",
    severity="warning",
    doc=__doc__,
    find=find,
)
