"""Plans that have Docker make or remove a network.  Pure."""

from __future__ import annotations

from dnet_tui.actions.networks.request import LABEL, Request
from dnet_tui.actions.plans.plan import Plan, PlanStep
from dnet_tui.diagnostics.operations.engine_network import CreateDockerNetwork, RemoveDockerNetwork
from dnet_tui.inspect.errors import UsageError
from dnet_tui.inspect.model import Network, Snapshot, known_items
from dnet_tui.inspect.model.engine_kinds.docker import DOCKER
from dnet_tui.inspect.text.sanitize import clean

_OPTION = "com.docker.network.bridge."
_PREDEFINED = ("bridge", "host", "none")


def docker_create(snapshot: Snapshot, request: Request) -> Plan:
    """Return the plan that has Docker make the network.

    Raises:
        UsageError: Docker has no such option.
    """
    if not request.isolated:
        msg = "Docker isolates all its bridge networks from each other"
        raise UsageError(msg, "connect a container to both networks instead, or use --engine linux")
    options: dict[str, str] = {}
    if request.bridge_name:
        options[f"{_OPTION}name"] = request.bridge_name
    if not request.icc:
        options[f"{_OPTION}enable_icc"] = "false"
    if not request.masquerade:
        options[f"{_OPTION}enable_ip_masquerade"] = "false"
    if request.mtu is not None:
        options["com.docker.network.driver.mtu"] = str(request.mtu)
    action = CreateDockerNetwork(
        name=request.name,
        subnet=request.subnet,
        gateway=request.gateway,
        subnet6=request.subnet6,
        gateway6=request.gateway6,
        internal=request.internal,
        options=options,
        labels=LABEL,
        socket=_socket(snapshot),
    )
    return Plan(
        title=f"create Docker network {request.name}",
        steps=(PlanStep(action=action),),
        persists=True,
        notes=() if request.subnet else ("Docker chooses the subnet from its own pools",),
    )


def docker_remove(snapshot: Snapshot, network: Network) -> Plan:
    """Return the plan that has Docker remove a network.

    Raises:
        UsageError: It is one that Docker itself needs.
    """
    if network.name in _PREDEFINED:
        msg = f"Docker's own network {network.name} can't be removed"
        raise UsageError(msg, "only networks that somebody created can")
    removal = RemoveDockerNetwork(name=network.name, id=network.id, socket=_socket(snapshot))
    return Plan(
        title=f"remove Docker network {clean(network.name)}",
        steps=(PlanStep(action=removal, undo=(_again(network),)),),
        persists=True,
        notes=("put back by undo, it gets a new id",),
    )


def _again(network: Network) -> CreateDockerNetwork:
    subnet = next((item for item in network.subnets if ":" not in item.cidr), None)
    subnet6 = next((item for item in network.subnets if ":" in item.cidr), None)
    return CreateDockerNetwork(
        name=network.name,
        subnet=subnet.cidr if subnet else "",
        gateway=subnet.gateway if subnet else "",
        subnet6=subnet6.cidr if subnet6 else "",
        gateway6=subnet6.gateway if subnet6 else "",
        internal=bool(network.internal),
        options=network.options,
    )


def _socket(snapshot: Snapshot) -> str:
    return next((item.socket for item in known_items(snapshot.engines) if item.name == DOCKER.kind), "")
