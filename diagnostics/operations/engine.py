"""What an engine is asked to do for its containers.  Pure.

Its effect is the engine's own, and can't be said beforehand.
"""

from __future__ import annotations

from dnet_tui.diagnostics.operations.base import Argv, ProgramOperation
from dnet_tui.inspect.model.engine_kinds.registry import traits_of


def _client(kind: str) -> str:
    """The command line of a kind of engine."""
    return traits_of(kind).command or kind


class ReloadEngineRules(ProgramOperation, frozen=True, kw_only=True, tag="reload-engine-rules"):
    """Has an engine write its firewall rules again.  Docker does that only when it is restarted."""

    engine: str

    @property
    def text(self) -> str:
        """See :class:`Operation`."""
        return f"have {traits_of(self.engine).title} write its rules again"

    def commands(self) -> tuple[Argv, ...]:
        """See :class:`Operation`."""
        return (traits_of(self.engine).restore_rules,)


class RestartContainers(ProgramOperation, frozen=True, kw_only=True, tag="restart-containers"):
    """Stops and starts containers."""

    engine: str
    names: tuple[str, ...]

    @property
    def text(self) -> str:
        """See :class:`Operation`."""
        return f"restart {', '.join(self.names)}"

    def commands(self) -> tuple[Argv, ...]:
        """See :class:`Operation`."""
        return ((_client(self.engine), "restart", *self.names),)


class ConnectContainer(ProgramOperation, frozen=True, kw_only=True, tag="connect-container"):
    """Connects a container to a network, with these addresses (no prefix length)."""

    engine: str
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
        return ((_client(self.engine), "network", "connect", *fixed, self.network, self.container),)

    def inverse(self) -> DisconnectContainer:
        """See :class:`Operation`."""
        return DisconnectContainer(engine=self.engine, network=self.network, container=self.container)


class DisconnectContainer(ProgramOperation, frozen=True, kw_only=True, tag="disconnect-container"):
    """Disconnects a container from a network."""

    engine: str
    network: str
    container: str

    @property
    def text(self) -> str:
        """See :class:`Operation`."""
        return f"disconnect {self.container} from {self.network}"

    def commands(self) -> tuple[Argv, ...]:
        """See :class:`Operation`."""
        return ((_client(self.engine), "network", "disconnect", self.network, self.container),)

    def inverse(self) -> ConnectContainer:
        """See :class:`Operation`: with an address of the engine's choice."""
        return ConnectContainer(engine=self.engine, network=self.network, container=self.container)
