"""Plans that have Podman make or remove a network, by its command.  Pure."""

from __future__ import annotations

from dnet_tui.actions.networks.request import LABEL, NAME, Request
from dnet_tui.actions.plans.plan import Plan, PlanStep
from dnet_tui.diagnostics.operations.engine_network import CreatePodmanNetwork, PodmanSubnet, RemovePodmanNetwork
from dnet_tui.inspect.errors import UsageError
from dnet_tui.inspect.model import Network, Snapshot
from dnet_tui.inspect.model.engine_kinds.podman import DEFAULT_NETWORK
from dnet_tui.inspect.text.sanitize import clean


def podman_create(_: Snapshot, request: Request) -> Plan:
    """Return the plan that has Podman make the network.

    Raises:
        UsageError: Podman has no such option.
    """
    if not (request.icc and request.masquerade and request.isolated) or request.bridge_name:
        # --interface-name came with Podman 4.6 or so; older ones, such as Debian 12's, have nothing like it.
        msg = "Podman has no option for --no-icc, --no-masquerade, --no-isolated or --bridge-name"
        raise UsageError(msg, "leave them out, or use --engine docker or linux")
    asked = ((request.subnet, request.gateway), (request.subnet6, request.gateway6))
    creation = CreatePodmanNetwork(
        name=request.name,
        subnets=tuple(PodmanSubnet(cidr=cidr, gateway=gateway) for cidr, gateway in asked if cidr),
        internal=request.internal,
        options={"mtu": str(request.mtu)} if request.mtu is not None else {},
        labels=LABEL,
    )
    return Plan(
        title=f"create Podman network {request.name}",
        steps=(PlanStep(action=creation, undo=(creation.inverse(),)),),
        persists=True,
        notes=("Podman makes the bridge when the first container starts on it",),
    )


def podman_remove(_: Snapshot, network: Network) -> Plan:
    """Return the plan that has Podman remove a network.

    Raises:
        UsageError: It is one that Podman itself needs, or that could not be put back.
    """
    name = network.name
    if name == DEFAULT_NETWORK:
        msg = f"Podman's own network {DEFAULT_NETWORK} can't be removed"
        raise UsageError(msg, "only networks that somebody created can")
    if not NAME.fullmatch(name) or network.driver != "bridge":
        msg = f"network {clean(name)} is none that this version could create again"
        raise UsageError(msg, "remove it with Podman's own command: podman network rm")
    again = CreatePodmanNetwork(
        name=name,
        subnets=tuple(PodmanSubnet(cidr=item.cidr, gateway=item.gateway) for item in network.subnets if item.cidr),
        internal=bool(network.internal),
        # Podman itself has no names in internal networks of 4.3, and no option to say so.
        dns=network.dns is not False or bool(network.internal),
        options=network.options,
    )
    return Plan(
        title=f"remove Podman network {name}",
        steps=(PlanStep(action=RemovePodmanNetwork(name=name), undo=(again,)),),
        persists=True,
        notes=("put back by undo, it gets a new id; labels, static routes and ranges of leases aren't put back",),
    )
