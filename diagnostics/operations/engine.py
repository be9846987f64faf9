"""What an engine is asked to do for its containers.  Pure.

Its effect is the engine's own, and can't be said beforehand.
"""

from __future__ import annotations

from typing import Literal

from dnet_tui.diagnostics.operations.base import Argv, ProgramOperation

EngineProgram = Literal["docker", "podman"]
"""Command-line clients that understand ``restart``, ``network connect`` and ``network disconnect`` alike."""

_RELOADS: dict[Literal["docker", "podman"], Argv] = {
    "docker": ("systemctl", "restart", "docker"),
    "podman": ("podman", "network", "reload", "--all"),
}


class ReloadEngineRules(ProgramOperation, frozen=True, kw_only=True, tag="reload-engine-rules"):
    """Has an engine write its firewall rules again.  Docker does that only when it is restarted."""

    engine: Literal["docker", "podman"]

    @property
    def text(self) -> str:
        """See :class:`Operation`."""
        return "restart Docker" if self.engine == "docker" else "have Podman write its rules again"

    def commands(self) -> tuple[Argv, ...]:
        """See :class:`Operation`."""
        return (_RELOADS[self.engine],)


class RestartContainers(ProgramOperation, frozen=True, kw_only=True, tag="restart-containers"):
    """Stops and starts containers."""

    engine: EngineProgram
    names: tuple[str, ...]

    @property
    def text(self) -> str:
        """See :class:`Operation`."""
        return f"restart {', '.join(self.names)}"

    def commands(self) -> tuple[Argv, ...]:
        """See :class:`Operation`."""
        return ((self.engine, "restart", *self.names),)


class ConnectContainer(ProgramOperation, frozen=True, kw_only=True, tag="connect-container"):
    """Connects a container to a network, with these addresses (no prefix length)."""

    engine: EngineProgram
    network: str
    container: str
    addresses: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """See :class:`Operation`."""
        return f"connect {self.container} to {self.network}"

    def commands(self) -> tuple[Argv, ...]:
        """See :class:`Operation`."""
        fixed = [word for item in self.addresses for word in ("--ip6" if ":" in item else "--ip", item)]
        return ((self.engine, "network", "connect", *fixed, self.network, self.container),)

    def inverse(self) -> DisconnectContainer:
        """See :class:`Operation`."""
        return DisconnectContainer(engine=self.engine, network=self.network, container=self.container)


class DisconnectContainer(ProgramOperation, frozen=True, kw_only=True, tag="disconnect-container"):
    """Disconnects a container from a network."""

    engine: EngineProgram
    network: str
    container: str

    @property
    def text(self) -> str:
        """See :class:`Operation`."""
        return f"disconnect {self.container} from {self.network}"

    def commands(self) -> tuple[Argv, ...]:
        """See :class:`Operation`."""
        return ((self.engine, "network", "disconnect", self.network, self.container),)

    def inverse(self) -> ConnectContainer:
        """See :class:`Operation`: with an address of the engine's choice."""
        return ConnectContainer(engine=self.engine, network=self.network, container=self.container)
