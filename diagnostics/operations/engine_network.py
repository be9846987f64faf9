"""Networks that an engine makes and removes itself.  Pure.

What it writes along with them is its own, and can't be said beforehand.
"""

from __future__ import annotations

import msgspec

from dnet_tui.diagnostics.operations.base import Argv, Operation, ProgramOperation
from dnet_tui.inspect.model.engine_kinds.docker import DOCKER
from dnet_tui.inspect.model.engine_kinds.podman import PODMAN


class CreateDockerNetwork(Operation, frozen=True, kw_only=True, tag="create-docker-network"):
    """Creates a Docker bridge network through the engine's API.  ``options`` are driver options."""

    name: str
    subnet: str = ""
    gateway: str = ""
    subnet6: str = ""
    gateway6: str = ""
    internal: bool = False
    options: dict[str, str] = msgspec.field(default_factory=dict)
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    socket: str = ""

    @property
    def text(self) -> str:
        """See :class:`Operation`."""
        return f"create Docker network {self.name}"

    def commands(self) -> tuple[Argv, ...]:
        """See :class:`Operation`."""
        words: list[str] = [DOCKER.command, "network", "create"]
        words += ["--subnet", self.subnet] if self.subnet else []
        words += ["--gateway", self.gateway] if self.gateway else []
        words += ["--ipv6", "--subnet", self.subnet6] if self.subnet6 else []
        words += ["--gateway", self.gateway6] if self.gateway6 else []
        words += ["--internal"] if self.internal else []
        words += _pairs("--opt", self.options)
        words += _pairs("--label", self.labels)
        return ((*words, self.name),)

    def inverse(self) -> RemoveDockerNetwork:
        """See :class:`Operation`: by name, for its id isn't known before."""
        return RemoveDockerNetwork(name=self.name, id="", socket=self.socket)


class RemoveDockerNetwork(Operation, frozen=True, kw_only=True, tag="remove-docker-network"):
    """Removes a Docker network that no container uses; ``id`` is its full id."""

    name: str
    id: str
    socket: str = ""

    @property
    def text(self) -> str:
        """See :class:`Operation`."""
        return f"remove Docker network {self.name}"

    def commands(self) -> tuple[Argv, ...]:
        """See :class:`Operation`."""
        return ((DOCKER.command, "network", "rm", self.name),)

    def inverse(self) -> CreateDockerNetwork:
        """See :class:`Operation`: without the settings that only the captured state knows."""
        return CreateDockerNetwork(name=self.name, socket=self.socket)


class PodmanSubnet(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A subnet to ask Podman for."""

    cidr: str
    gateway: str = ""


class CreatePodmanNetwork(ProgramOperation, frozen=True, kw_only=True, tag="create-podman-network"):
    """Creates a Podman bridge network with Podman's own command.  ``options`` are driver options."""

    name: str
    subnets: tuple[PodmanSubnet, ...] = ()
    internal: bool = False
    dns: bool = True
    options: dict[str, str] = msgspec.field(default_factory=dict)
    labels: dict[str, str] = msgspec.field(default_factory=dict)

    @property
    def text(self) -> str:
        """See :class:`Operation`."""
        return f"create Podman network {self.name}"

    def commands(self) -> tuple[Argv, ...]:
        """See :class:`Operation`."""
        words = [PODMAN.command, "network", "create"]
        words += ["--ipv6"] if any(":" in subnet.cidr for subnet in self.subnets) else []
        for subnet in self.subnets:
            words += ["--subnet", subnet.cidr]
            words += ["--gateway", subnet.gateway] if subnet.gateway else []
        words += ["--internal"] if self.internal else []
        words += _pairs("--opt", self.options)
        words += _pairs("--label", self.labels)
        words += [] if self.dns else ["--disable-dns"]
        return ((*words, self.name),)

    def inverse(self) -> RemovePodmanNetwork:
        """See :class:`Operation`."""
        return RemovePodmanNetwork(name=self.name)


class RemovePodmanNetwork(ProgramOperation, frozen=True, kw_only=True, tag="remove-podman-network"):
    """Removes a Podman network that no container uses.  What recreates it is stated beside it."""

    name: str

    @property
    def text(self) -> str:
        """See :class:`Operation`."""
        return f"remove Podman network {self.name}"

    def commands(self) -> tuple[Argv, ...]:
        """See :class:`Operation`."""
        return ((PODMAN.command, "network", "rm", self.name),)


def _pairs(option: str, values: dict[str, str]) -> list[str]:
    return [word for key, value in values.items() for word in (option, f"{key}={value}")]
