"""What an engine is asked to do for its containers.  Pure.

Its effect is the engine's own, and can't be said beforehand.
"""

from __future__ import annotations

from dnet_tui.diagnostics.operations.base import Argv, ProgramOperation
from dnet_tui.inspect.model.engine_kinds.registry import traits_of


class EngineOperation(ProgramOperation, frozen=True, kw_only=True):
    """What a kind of engine is asked to do by its own command line.

    Raises:
        ValueError: It is a kind without one.
    """

    engine: str

    def __post_init__(self) -> None:
        """See the class."""
        if not traits_of(self.engine).command:
            msg = f"{self.engine!r} has no command line"
            raise ValueError(msg)


class ReloadEngineRules(EngineOperation, frozen=True, kw_only=True, tag="reload-engine-rules"):
    """Has an engine write its firewall rules again.  Docker does that only when it is restarted."""

    @property
    def text(self) -> str:
        """See :class:`Operation`."""
        return traits_of(self.engine).restore_text

    def commands(self) -> tuple[Argv, ...]:
        """See :class:`Operation`."""
        return (traits_of(self.engine).restore_rules,)


class RestartContainers(EngineOperation, frozen=True, kw_only=True, tag="restart-containers"):
    """Stops and starts containers."""

    names: tuple[str, ...]

    @property
    def text(self) -> str:
        """See :class:`Operation`."""
        return f"restart {', '.join(self.names)}"

    def commands(self) -> tuple[Argv, ...]:
        """See :class:`Operation`."""
        return ((traits_of(self.engine).command, "restart", *self.names),)


class ConnectContainer(EngineOperation, frozen=True, kw_only=True, tag="connect-container"):
    """Connects a container to a network, with these addresses (no prefix length) and names for its neighbours."""

    network: str
    container: str
    addresses: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """See :class:`Operation`."""
        return f"connect {self.container} to {self.network}"

    def commands(self) -> tuple[Argv, ...]:
        """See :class:`Operation`."""
        fixed = [word for item in self.addresses for word in ("--ip6" if ":" in item else "--ip", item)]
        fixed += [word for item in self.aliases for word in ("--alias", item)]
        return ((traits_of(self.engine).command, "network", "connect", *fixed, self.network, self.container),)

    def inverse(self) -> DisconnectContainer:
        """See :class:`Operation`."""
        return DisconnectContainer(engine=self.engine, network=self.network, container=self.container)


class DisconnectContainer(EngineOperation, frozen=True, kw_only=True, tag="disconnect-container"):
    """Disconnects a container from a network."""

    network: str
    container: str

    @property
    def text(self) -> str:
        """See :class:`Operation`."""
        return f"disconnect {self.container} from {self.network}"

    def commands(self) -> tuple[Argv, ...]:
        """See :class:`Operation`."""
        return ((traits_of(self.engine).command, "network", "disconnect", self.network, self.container),)

    def inverse(self) -> ConnectContainer:
        """See :class:`Operation`: with an address of the engine's choice."""
        return ConnectContainer(engine=self.engine, network=self.network, container=self.container)
