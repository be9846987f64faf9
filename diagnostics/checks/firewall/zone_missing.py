"""firewalld drops a network's packets, because its bridge is in no zone for containers.

What it finds
    firewalld rejects or drops a forwarded packet of a network, and none of
    its zones was told the network's bridge or subnet: the packet falls to the
    default zone, which forwards nothing.

Why it matters
    firewalld's chains are passed after the engine's, and an accept in those
    is not final.  Nothing of the network gets out or in.  Engines add their
    bridges when they start or when firewalld tells them of a reload; a bridge
    that another tool made (a CNI plugin, a person) is added by nobody.

How we know
    The packet walk names firewalld's rule that decides, and it is one that
    takes all that comes to it.  Which zone a packet belongs to is read off
    firewalld's own rules, the chain that gives packets to zones; its files
    only hold what is permanent.

Remedy
    Put the bridge into the zone that its engine uses: ``docker`` for
    Docker's; for the others ``trusted`` (Podman names the subnet there, not
    the bridge).  Restarting the engine has the same effect.

When it is harmless
    Where a zone was told the bridge, and that zone's own rules drop: then it
    is a rule of somebody's, and reported as such.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check, Undecided, definite, undecided
from dnet_tui.diagnostics.checks.framework.check_context import BlockedFlows, CheckContext
from dnet_tui.diagnostics.checks.framework.evidence import of_flows, of_rule
from dnet_tui.diagnostics.checks.subjects import firewalld_zones
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.operations.firewalld import ChangeZone
from dnet_tui.diagnostics.operations.remedy import Remedy, inverses
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Subject
from dnet_tui.diagnostics.walk.packet import Obstacle
from dnet_tui.inspect.model import Network
from dnet_tui.inspect.model.engine_kinds.registry import traits_of

ID = "zone-missing"


def owns(case: HostContext, obstacle: Obstacle) -> bool:
    """A rule of firewalld's that stops a packet of a network without a zone."""
    return firewalld_zones.left_out(case, obstacle) is not None


def find(ctx: CheckContext) -> Iterator[Finding | Undecided]:
    """One finding per network."""
    yield from undecided(ctx, ID)
    found: defaultdict[str, list[BlockedFlows]] = defaultdict(list)
    networks: dict[str, Network] = {}
    for blocked in definite(ctx, ID):
        for flow in blocked.flows:
            network = flow.network
            if not firewalld_zones.is_assigned(ctx.case, network) and blocked not in found[network.id]:
                networks[network.id] = network
                found[network.id].append(blocked)
    for ident, network in networks.items():
        yield _finding(network, found[ident])


def _finding(network: Network, stopped: list[BlockedFlows]) -> Finding:
    rules = [item.obstacle.by.rule for item in stopped if item.obstacle.by.rule is not None]
    return Finding(
        check=ID,
        severity="error",
        subject=Subject(kind="bridge", name=network.bridge),
        summary=f"firewalld drops the traffic of network {network.name}: "
        f"its bridge {network.bridge} is in no zone for containers",
        symptoms=tuple(dict.fromkeys(kind for item in stopped for kind in item.symptoms)),
        evidence=(
            *(of_rule(rule, "not reached") for rule in rules[:1]),
            Evidence(
                source="firewalld's rules",
                what=f"zone of {network.bridge}",
                value="in no zone: the default zone's rules apply",
                expected=firewalld_zones.home(network),
            ),
            *(of_flows(item) for item in stopped[:2]),
        ),
        remedy=_remedy(network),
    )


def _remedy(network: Network) -> Remedy:
    zone = firewalld_zones.home(network)
    traits = traits_of(network.engine)
    sources = [subnet.cidr for subnet in network.subnets] if traits.firewalld_binding == "source" else []
    steps = tuple(ChangeZone(zone=zone, kind="source", item=cidr) for cidr in sources) or (
        ChangeZone(zone=zone, kind="interface", item=network.bridge),
    )
    again = " ".join(traits.restore_rules)
    note = f"`{again}` makes the engine add it itself; " if again else ""
    return Remedy(
        summary=f"Put {', '.join(step.item for step in steps)} into zone {zone}",
        steps=steps,
        undo=inverses(steps),
        risk="ask",
        note=note + "without --permanent it is gone with firewalld's next reload",
    )


CHECK = Check(
    id=ID,
    title="Networks' bridges are in a firewalld zone that forwards",
    severity="error",
    doc=__doc__,
    find=find,
    owns=owns,
)
