"""Creating and removing Docker networks, through the engine's own API.

Docker writes its bridge, rules and sysctls itself and takes them back itself:
what an engine manages is changed through the engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dnet_tui.actions.changes.docker_api import docker_api
from dnet_tui.actions.journal.captured_state import DockerNetworkState
from dnet_tui.diagnostics.operations.engine_network import CreateDockerNetwork, RemoveDockerNetwork
from dnet_tui.inspect.errors import ActionFailedError
from dnet_tui.inspect.text.sanitize import clean


def prepare(action: CreateDockerNetwork | RemoveDockerNetwork) -> DockerNetworkState:
    """Capture the network of that name.

    Raises:
        ActionFailedError: The engine doesn't answer; the name is taken; the network to remove is gone or in use.
    """
    with docker_api(action.socket) as docker:
        if isinstance(action, CreateDockerNetwork):
            if docker.networks_named(action.name):
                msg = f"Docker has a network named {clean(action.name)} already"
                raise ActionFailedError(msg, "choose another name, or remove it: dnet-tui net rm NAME")
            return DockerNetworkState()
        attrs = docker.network(action.id)
        users = [clean(str(item.get("Name", "?"))) for item in (attrs.get("Containers") or {}).values()]
        if users:
            msg = f"network {clean(action.name)} is in use by {', '.join(users[:5])}{' …' if len(users) > 5 else ''}"
            raise ActionFailedError(msg, "disconnect or stop these containers first")
        return _state(attrs)


def perform(action: CreateDockerNetwork | RemoveDockerNetwork) -> DockerNetworkState:
    """Create or remove the network; returns the id of the one created."""
    with docker_api(action.socket) as docker:
        if isinstance(action, RemoveDockerNetwork):
            docker.remove(action.id)
            return DockerNetworkState()
        given = ((action.subnet, action.gateway), (action.subnet6, action.gateway6))
        pools = tuple({"Subnet": subnet, "Gateway": gateway} for subnet, gateway in given if subnet)
        wanted = DockerNetworkState(
            name=action.name,
            driver="bridge",
            internal=action.internal,
            options=action.options,
            labels=action.labels,
            pools=pools,
            ipv6=bool(action.subnet6),
        )
        return DockerNetworkState(id=docker.create(_settings(wanted)), name=action.name)


def revert(
    action: CreateDockerNetwork | RemoveDockerNetwork, captured: DockerNetworkState, after: DockerNetworkState | None
) -> str:
    """Remove the network that was created, or create the removed one again (with a new id).

    Returns:
        What was done, in a few words.

    Raises:
        ActionFailedError: The engine doesn't answer or refuses, as when containers use the network by now.
    """
    name = clean(action.name)
    with docker_api(action.socket) as docker:
        here = docker.networks_named(action.name)
        if isinstance(action, CreateDockerNetwork):
            ours = [item["Id"] for item in here if _is_ours(item, action, after)]
            for ident in ours:
                docker.remove(ident)
            if here and not ours:
                return f"Docker network {name} is another one by now: left alone"
            return f"removed Docker network {name}" if ours else f"Docker network {name} is gone already"
        if here:
            return f"Docker network {name} is there already"
        docker.create(_settings(captured))
        return f"created Docker network {name} again"


def _is_ours(network: Mapping[str, Any], action: CreateDockerNetwork, after: DockerNetworkState | None) -> bool:
    """By its id; or by its labels and subnet, when it was removed and put back, or nobody lived to note the id."""
    if after is not None and network.get("Id") == after.id:
        return True
    wanted = {item for item in (action.subnet, action.subnet6) if item}
    there = {str(pool.get("Subnet", "")) for pool in ((network.get("IPAM") or {}).get("Config") or [])}
    return bool(action.labels) and action.labels.items() <= (network.get("Labels") or {}).items() and wanted <= there


def _settings(wanted: DockerNetworkState) -> dict[str, Any]:
    """What Docker is asked to make; without pools it chooses a subnet itself."""
    settings: dict[str, Any] = {
        "Name": wanted.name,
        "Driver": wanted.driver,
        "Internal": wanted.internal,
        "Attachable": wanted.attachable,
        "EnableIPv6": wanted.ipv6,
        "Options": dict(wanted.options),
        "Labels": dict(wanted.labels),
    }
    if wanted.pools:
        config = [
            {key: pool[key] for key in ("Subnet", "IPRange", "Gateway") if pool.get(key)} for pool in wanted.pools
        ]
        settings["IPAM"] = {"Driver": wanted.ipam_driver, "Config": config}
        if wanted.ipam_options is not None:  # inspect tells an empty one from none
            settings["IPAM"]["Options"] = wanted.ipam_options
    return settings


def _state(attrs: Mapping[str, Any]) -> DockerNetworkState:
    ipam = attrs.get("IPAM") or {}
    pools = tuple({str(key): str(value) for key, value in pool.items() if value} for pool in (ipam.get("Config") or []))
    return DockerNetworkState(
        id=str(attrs.get("Id", "")),
        name=str(attrs.get("Name", "")),
        driver=str(attrs.get("Driver", "")),
        internal=bool(attrs.get("Internal")),
        attachable=bool(attrs.get("Attachable")),
        ipv6=bool(attrs.get("EnableIPv6")),
        options={str(key): str(value) for key, value in (attrs.get("Options") or {}).items()},
        labels={str(key): str(value) for key, value in (attrs.get("Labels") or {}).items()},
        ipam_driver=str(ipam.get("Driver") or "default"),
        ipam_options=ipam.get("Options"),
        pools=pools,
    )
