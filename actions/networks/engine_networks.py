"""Plans that create and remove networks.  Pure: a snapshot and a request in, a plan out.

Docker's and Podman's networks are made by their engines.  A plain-Linux one is
a bridge whose alias says what it is for (:mod:`dnet_tui.inspect.model.network_label`),
with the same rules that Docker writes for its own: masquerade what leaves,
accept what leaves and its answers, keep other bridges out.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from dnet_tui.actions.networks.linux_network import linux_create, linux_remove
from dnet_tui.actions.networks.subnets import checked_gateway, checked_subnet, checked_subnet6
from dnet_tui.actions.plans.plan import Plan, Step
from dnet_tui.diagnostics.operations.engine_network import (
    CreateDockerNetwork,
    CreatePodmanNetwork,
    PodmanSubnet,
    RemoveDockerNetwork,
    RemovePodmanNetwork,
)
from dnet_tui.inspect.errors import ActionFailedError, UsageError
from dnet_tui.inspect.model import Network, Snapshot, known_items
from dnet_tui.inspect.model.network_label import Intention
from dnet_tui.inspect.model.view import View
from dnet_tui.inspect.text.sanitize import clean

EngineName = Literal["docker", "podman", "linux"]
ENGINES: tuple[EngineName, ...] = ("docker", "podman", "linux")

LABEL = {"dnet-tui": "created"}
"""Marks an engine's network as made here."""

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}")
_BRIDGE_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,14}")  # IFNAMSIZ is 16 with its final zero
_MIN_MTU, _MAX_MTU = 68, 65535
_OPTION = "com.docker.network.bridge."
_PREDEFINED = ("bridge", "host", "none")


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What a person asked for.  Empty text and None mean "not said"."""

    name: str
    engine: EngineName
    subnet: str = ""
    gateway: str = ""
    subnet6: str = ""
    gateway6: str = ""
    internal: bool = False
    icc: bool = True
    masquerade: bool = True
    isolated: bool = True
    mtu: int | None = None
    bridge_name: str = ""


def default_engine(snapshot: Snapshot) -> EngineName:
    """Return Docker where it answers, otherwise plain Linux."""
    return (
        "docker" if any(item.name == "docker" and item.reachable for item in known_items(snapshot.engines)) else "linux"
    )


def create_plan(snapshot: Snapshot, request: Request) -> Plan:
    """Return the plan that creates the network.

    Raises:
        UsageError: A name, range, gateway or option doesn't fit; the hint says what would.
        CannotInspectError: Too little is known of the host to do it safely.
    """
    _check_names(snapshot, request)
    if request.mtu is not None and not _MIN_MTU <= request.mtu <= _MAX_MTU:
        msg = f"an MTU of {request.mtu} is not possible"
        raise UsageError(msg, f"take {_MIN_MTU} to {_MAX_MTU}; 1500 is usual")
    if (request.gateway and not request.subnet) or (request.gateway6 and not request.subnet6):
        msg = "--gateway needs --subnet of the same family"
        raise UsageError(msg, "say which subnet it is in")
    if request.engine == "linux":
        return _linux(snapshot, request)
    if request.subnet:
        gateway = checked_gateway(checked_subnet(snapshot, request.subnet), request.gateway)
        request = msgspec.structs.replace(request, gateway=gateway)
    if request.subnet6:
        gateway = checked_gateway(checked_subnet6(snapshot, request.subnet6), request.gateway6)
        request = msgspec.structs.replace(request, gateway6=gateway)
    plan = _docker(snapshot, request) if request.engine == "docker" else _podman(request)
    return msgspec.structs.replace(plan, notes=(*_unchecked(snapshot), *plan.notes))


def remove_plan(snapshot: Snapshot, name: str, engine: str = "") -> Plan:
    """Return the plan that removes a network.

    Raises:
        UsageError: There is no such network, there are several, or it is one that no one can remove.
        ActionFailedError: Containers use it.
    """
    found = [item for item in known_items(snapshot.networks) if item.name == name and engine in ("", item.engine)]
    if not found:
        known = (
            ", ".join(clean(item.name) for item in known_items(snapshot.networks) if engine in ("", item.engine))
            or "none"
        )
        msg = f"there is no {engine + ' ' if engine else ''}network named {clean(name)}"
        raise UsageError(msg, f"networks here: {known}")
    if len(found) > 1:
        msg = f"{len(found)} networks are named {clean(name)}"
        raise UsageError(msg, f"say which with --engine: {', '.join(item.engine for item in found)}")
    network = found[0]
    users = _users(snapshot, network)
    if users:
        msg = f"network {clean(name)} is in use by {', '.join(users[:5])}{' …' if len(users) > 5 else ''}"
        raise ActionFailedError(msg, "disconnect or stop them first")
    if network.engine == "linux":
        return linux_remove(snapshot, network)
    if network.engine == "podman":
        return _podman_remove(network)
    if network.engine != "docker":
        msg = f"networks of {network.engine} are not removed by this version"
        raise UsageError(msg, f"use {network.engine}'s own command")
    if name in _PREDEFINED:
        msg = f"Docker's own network {name} can't be removed"
        raise UsageError(msg, "only networks that somebody created can")
    removal = RemoveDockerNetwork(name=network.name, id=network.id, socket=_socket(snapshot))
    return Plan(
        title=f"remove Docker network {clean(name)}",
        steps=(Step(action=removal, undo=(_again(network),)),),
        persists=True,
        notes=("put back by undo, it gets a new id",),
    )


def _check_names(snapshot: Snapshot, request: Request) -> None:
    if not _NAME.fullmatch(request.name):
        msg = f"{clean(request.name)!r} is not a name for a network"
        raise UsageError(msg, "letters, digits, '_', '.' and '-', up to 63, starting with a letter or a digit")
    same = next((item for item in known_items(snapshot.networks) if item.name == request.name), None)
    if same is not None and request.engine in (same.engine, "linux"):
        msg = f"there is a {same.engine} network named {request.name} already"
        raise UsageError(msg, "choose another name, or remove it: dnet-tui net rm NAME")
    bridge = request.bridge_name
    if bridge and not _BRIDGE_NAME.fullmatch(bridge):
        msg = f"{clean(bridge)!r} is not a name for a bridge"
        raise UsageError(msg, "letters, digits, '_', '.' and '-', up to 15 characters")
    view = View(snapshot)
    if bridge and view.host is not None and view.link_named(view.host.id, bridge) is not None:
        msg = f"there is an interface named {bridge} already"
        raise UsageError(msg, "choose another with --bridge-name")


def _linux(snapshot: Snapshot, request: Request) -> Plan:
    intention = Intention(
        name=request.name,
        masquerade=request.masquerade and not request.internal,
        isolated=request.isolated,
        internal=request.internal,
        icc=request.icc,
    )
    return linux_create(
        snapshot,
        intention,
        subnet=request.subnet,
        gateway=request.gateway,
        subnet6=request.subnet6,
        gateway6=request.gateway6,
        bridge=request.bridge_name,
        mtu=request.mtu,
    )


def _docker(snapshot: Snapshot, request: Request) -> Plan:
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
        steps=(Step(action=action),),
        persists=True,
        notes=() if request.subnet else ("Docker chooses the subnet from its own pools",),
    )


def _podman(request: Request) -> Plan:
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
        steps=(Step(action=creation, undo=(creation.inverse(),)),),
        persists=True,
        notes=("Podman makes the bridge when the first container starts on it",),
    )


def _podman_remove(network: Network) -> Plan:
    name = network.name
    if name == "podman":
        msg = "Podman's own network podman can't be removed"
        raise UsageError(msg, "only networks that somebody created can")
    if not _NAME.fullmatch(name) or network.driver != "bridge":
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
        steps=(Step(action=RemovePodmanNetwork(name=name), undo=(again,)),),
        persists=True,
        notes=("put back by undo, it gets a new id; labels, static routes and ranges of leases aren't put back",),
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


def _users(snapshot: Snapshot, network: Network) -> list[str]:
    return [
        clean(item.name)
        for item in known_items(snapshot.containers)
        if item.running and any(endpoint.network == network.id for endpoint in item.endpoints)
    ]


def _socket(snapshot: Snapshot) -> str:
    return next((item.socket for item in known_items(snapshot.engines) if item.name == "docker"), "")


def _unchecked(snapshot: Snapshot) -> tuple[str, ...]:
    """Say where an overlap could not be looked for."""
    host = View(snapshot).host
    scope = host.id if host else ""
    blind = [
        gap for gap in snapshot.gaps if gap.section in ("networks", "addresses", "routes") and gap.scope in ("", scope)
    ]
    return tuple(f"overlaps with {gap.section} could not be checked: {gap.reason}" for gap in blind)
