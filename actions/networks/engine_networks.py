"""Plans that create and remove networks.  Pure: a snapshot and a request in, a plan out.

Docker's and Podman's networks are made by their engines.  A plain-Linux one is
a bridge whose alias says what it is for (:mod:`dnet_tui.inspect.model.network_label`),
with the same rules that Docker writes for its own: masquerade what leaves,
accept what leaves and its answers, keep other bridges out.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from dnet_tui.actions.networks.docker_network import docker_create, docker_remove
from dnet_tui.actions.networks.linux_network import linux_create, linux_remove
from dnet_tui.actions.networks.namespaces import with_namespaces
from dnet_tui.actions.networks.podman_network import podman_create, podman_remove
from dnet_tui.actions.networks.request import NAME, Request
from dnet_tui.actions.networks.subnets import checked_gateway, checked_subnet, checked_subnet6
from dnet_tui.actions.plans.plan import Plan
from dnet_tui.inspect.errors import ActionFailedError, UsageError
from dnet_tui.inspect.model import Network, Snapshot, known_items
from dnet_tui.inspect.model.engine_kinds.docker import DOCKER
from dnet_tui.inspect.model.engine_kinds.others import LINUX
from dnet_tui.inspect.model.engine_kinds.podman import PODMAN
from dnet_tui.inspect.model.network_label import Intention
from dnet_tui.inspect.model.view import View
from dnet_tui.inspect.text.sanitize import clean

_BRIDGE_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,14}")  # IFNAMSIZ is 16 with its final zero
_MIN_MTU, _MAX_MTU = 68, 65535
_MIN_MTU6 = 1280  # RFC 8200, section 5: with less the kernel takes IPv6 away from the link (addrconf_notify)


def default_engine(snapshot: Snapshot) -> str:
    """Return Docker where it answers, otherwise plain Linux."""
    answers = any(item.name == DOCKER.kind and item.reachable for item in known_items(snapshot.engines))
    return DOCKER.kind if answers else LINUX.kind


def create_plan(snapshot: Snapshot, request: Request, *, native: bool = False) -> Plan:
    """Return the plan that creates the network; ``native``: a plain one by nftables, where there is no iptables.

    Raises:
        UsageError: A name, range, gateway or option doesn't fit; the hint says what would.
        CannotInspectError: Too little is known of the host to do it safely.
    """
    _check_names(snapshot, request)
    if request.mtu is not None and not _MIN_MTU <= request.mtu <= _MAX_MTU:
        msg = f"an MTU of {request.mtu} is not possible"
        raise UsageError(msg, f"take {_MIN_MTU} to {_MAX_MTU}; 1500 is usual")
    if request.subnet6 and request.mtu is not None and request.mtu < _MIN_MTU6:
        msg = f"IPv6 needs an MTU of {_MIN_MTU6} at least, not {request.mtu}"
        raise UsageError(msg, "take a larger one, or leave the IPv6 subnet out")
    if (request.gateway and not request.subnet) or (request.gateway6 and not request.subnet6):
        msg = "--gateway needs --subnet of the same family"
        raise UsageError(msg, "say which subnet it is in")
    if request.engine == LINUX.kind:
        return _linux(snapshot, request, native=native)
    if request.namespaces:
        msg = f"networks of {clean(request.engine)} take its own containers only"
        raise UsageError(msg, "--namespace goes with --engine linux")
    create = _CREATE.get(request.engine)
    if create is None:
        msg = f"networks of {clean(request.engine)} are not made by this version"
        raise UsageError(msg, f"take one of {', '.join((*_CREATE, LINUX.kind))}")
    if request.subnet:
        gateway = checked_gateway(checked_subnet(snapshot, request.subnet), request.gateway)
        request = msgspec.structs.replace(request, gateway=gateway)
    if request.subnet6:
        gateway = checked_gateway(checked_subnet6(snapshot, request.subnet6), request.gateway6)
        request = msgspec.structs.replace(request, gateway6=gateway)
    plan = create(snapshot, request)
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
    remove = _REMOVE.get(network.engine)
    if remove is None:
        msg = f"networks of {network.engine} are not removed by this version"
        raise UsageError(msg, f"use {network.engine}'s own command")
    return remove(snapshot, network)


_CREATE: dict[str, Callable[[Snapshot, Request], Plan]] = {DOCKER.kind: docker_create, PODMAN.kind: podman_create}
_REMOVE: dict[str, Callable[[Snapshot, Network], Plan]] = {
    DOCKER.kind: docker_remove,
    PODMAN.kind: podman_remove,
    LINUX.kind: linux_remove,
}
"""Who makes and removes the networks of each engine."""


def _check_names(snapshot: Snapshot, request: Request) -> None:
    if not NAME.fullmatch(request.name):
        msg = f"{clean(request.name)!r} is not a name for a network"
        raise UsageError(msg, "letters, digits, '_', '.' and '-', up to 63, starting with a letter or a digit")
    same = next((item for item in known_items(snapshot.networks) if item.name == request.name), None)
    if same is not None and request.engine in (same.engine, LINUX.kind):
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


def _linux(snapshot: Snapshot, request: Request, *, native: bool) -> Plan:
    intention = Intention(
        name=request.name,
        masquerade=request.masquerade and not request.internal,
        isolated=request.isolated,
        internal=request.internal,
        icc=request.icc,
    )
    plan = linux_create(
        snapshot,
        intention,
        subnet=request.subnet,
        gateway=request.gateway,
        subnet6=request.subnet6,
        gateway6=request.gateway6,
        bridge=request.bridge_name,
        mtu=request.mtu,
        native=native,
    )
    return with_namespaces(snapshot, plan, request) if request.namespaces else plan


def _users(snapshot: Snapshot, network: Network) -> list[str]:
    return [
        clean(item.name)
        for item in known_items(snapshot.containers)
        if item.running and any(endpoint.network == network.id for endpoint in item.endpoints)
    ]


def _unchecked(snapshot: Snapshot) -> tuple[str, ...]:
    """Say where an overlap could not be looked for."""
    host = View(snapshot).host
    scope = host.id if host else ""
    blind = [
        gap for gap in snapshot.gaps if gap.section in ("networks", "addresses", "routes") and gap.scope in ("", scope)
    ]
    return tuple(f"overlaps with {gap.section} could not be checked: {gap.reason}" for gap in blind)
