"""Creating and removing Docker networks, through the engine's own API.

Docker writes its bridge, rules and sysctls itself and takes them back itself:
what an engine manages is changed through the engine.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dnet_tui.actions.journal.captured_state import DockerNetworkState
from dnet_tui.diagnostics.operations.engine_network import CreateDockerNetwork, RemoveDockerNetwork
from dnet_tui.inspect.errors import ActionFailedError
from dnet_tui.inspect.text.sanitize import clean

if TYPE_CHECKING:
    from docker import DockerClient

_LIMIT = 30  # seconds the engine may take for one answer


def prepare(action: CreateDockerNetwork | RemoveDockerNetwork) -> DockerNetworkState:
    """Capture the network of that name.

    Raises:
        ActionFailedError: The engine doesn't answer; the name is taken; the network to remove is gone or in use.
    """
    with _engine(action.socket) as client:
        if isinstance(action, CreateDockerNetwork):
            taken = [item for item in client.networks.list(names=[action.name]) if item.name == action.name]
            if taken:
                msg = f"Docker has a network named {clean(action.name)} already"
                raise ActionFailedError(msg, "choose another name, or remove it: dnet-tui net rm NAME")
            return DockerNetworkState()
        network = client.networks.get(action.id)
        attrs: dict[str, Any] = network.attrs or {}
        users = [clean(str(item.get("Name", "?"))) for item in (attrs.get("Containers") or {}).values()]
        if users:
            msg = f"network {clean(action.name)} is in use by {', '.join(users[:5])}{' …' if len(users) > 5 else ''}"
            raise ActionFailedError(msg, "disconnect or stop these containers first")
        return _state(attrs)


def perform(action: CreateDockerNetwork | RemoveDockerNetwork) -> DockerNetworkState:
    """Create or remove the network; returns the id of the one created."""
    with _engine(action.socket) as client:
        if isinstance(action, RemoveDockerNetwork):
            client.networks.get(action.id).remove()
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
        return DockerNetworkState(id=_create(client, wanted), name=action.name)


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
    with _engine(action.socket) as client:
        here = [item for item in client.networks.list(names=[action.name]) if item.name == action.name]
        if isinstance(action, CreateDockerNetwork):
            # Killed before the id was known: our labels tell our network from one that somebody else made since.
            labels = action.labels.items()
            ours = [
                item
                for item in here
                if (item.id == after.id if after else labels <= ((item.attrs or {}).get("Labels") or {}).items())
            ]
            for item in ours:
                item.remove()
            return f"removed Docker network {name}" if ours else f"Docker network {name} is gone already"
        if here:
            return f"Docker network {name} is there already"
        _create(client, captured)
        return f"created Docker network {name} again"


def _create(client: DockerClient, wanted: DockerNetworkState) -> str:
    from docker.types import IPAMConfig, IPAMPool  # noqa: PLC0415  181 ms, only where Docker is changed

    pools = [
        IPAMPool(
            subnet=pool.get("Subnet"),
            iprange=pool.get("IPRange"),
            gateway=pool.get("Gateway") or None,
        )
        for pool in wanted.pools
    ]
    ipam = IPAMConfig(driver=wanted.ipam_driver, pool_configs=pools) if pools else None
    if ipam is not None and wanted.ipam_options is not None:
        ipam["Options"] = wanted.ipam_options  # the constructor drops an empty one, and inspect tells them apart
    made = client.networks.create(
        wanted.name,
        driver=wanted.driver,
        options=dict(wanted.options),
        ipam=ipam,
        internal=wanted.internal,
        attachable=wanted.attachable,
        enable_ipv6=wanted.ipv6,
        labels=dict(wanted.labels),
    )
    return str(made.id)


def _state(attrs: dict[str, Any]) -> DockerNetworkState:
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


@contextmanager
def _engine(socket: str) -> Iterator[DockerClient]:
    """Open the engine's API; its errors become the user's."""
    import docker  # noqa: PLC0415  181 ms, only where Docker is changed
    import docker.errors  # noqa: PLC0415  as above
    import requests.exceptions  # noqa: PLC0415  as above

    client = None
    try:
        if socket:
            url = socket if "://" in socket else f"unix://{socket}"
            client = docker.DockerClient(base_url=url, timeout=_LIMIT)
        else:
            client = docker.from_env(timeout=_LIMIT)
        yield client
    except docker.errors.APIError as error:
        msg = f"Docker refused: {clean(str(error.explanation or error))}"
        raise ActionFailedError(msg) from error
    except (docker.errors.DockerException, requests.exceptions.RequestException, OSError) as error:
        msg = f"Docker does not answer: {clean(str(error))}"
        raise ActionFailedError(msg, "see `systemctl status docker`; --engine linux needs no engine") from error
    finally:
        if client is not None:
            client.close()
