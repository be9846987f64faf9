"""Ports of bridges: their flags, states and VLANs.  Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from dnet_tui.diagnostics.operations.base import Argv, ProgramOperation, UnknownEffectError, on_host
from dnet_tui.diagnostics.operations.namespace_edit import link_named, with_link
from dnet_tui.inspect.model import BridgePort, Link, Namespace, Snapshot

PortFlag = Literal["isolated", "hairpin", "bcast_flood", "flood", "locked"]
PortState = Literal["disabled", "listening", "learning", "forwarding", "blocking"]

_FIELDS: dict[PortFlag, str] = {
    "isolated": "isolated",
    "hairpin": "hairpin",
    "bcast_flood": "broadcast_flood",
    "flood": "flood",
    "locked": "locked",
}
"""What bridge(8) calls a flag, and what the model does."""

_STATES: dict[PortState, str] = {
    "disabled": "0",
    "listening": "1",
    "learning": "2",
    "forwarding": "3",
    "blocking": "4",
}
"""BR_STATE_* of the kernel's if_bridge.h."""


class SetPortFlag(ProgramOperation, frozen=True, kw_only=True, tag="set-port-flag"):
    """Sets one flag of a bridge port on the host."""

    port: str
    flag: PortFlag
    on: bool

    @property
    def text(self) -> str:
        """See :class:`Operation`."""
        return f"turn {self.flag} {'on' if self.on else 'off'} for bridge port {self.port}"

    def commands(self) -> tuple[Argv, ...]:
        """See :class:`Operation`."""
        return (("bridge", "link", "set", "dev", self.port, self.flag, "on" if self.on else "off"),)

    def effect(self, snapshot: Snapshot) -> Snapshot:
        """See :class:`Operation`."""
        return _with_port(snapshot, self.port, **{_FIELDS[self.flag]: self.on})

    def inverse(self) -> SetPortFlag:
        """See :class:`Operation`."""
        return msgspec.structs.replace(self, on=not self.on)


def own_flags(link: Link) -> Iterator[SetPortFlag]:
    """What makes a new port of a bridge one with the flags that this link has."""
    new = BridgePort()
    for flag, field in _FIELDS.items() if link.port is not None else ():
        wanted = bool(getattr(link.port, field))
        if wanted != getattr(new, field):
            yield SetPortFlag(port=link.name, flag=flag, on=wanted)


class SetPortState(ProgramOperation, frozen=True, kw_only=True, tag="set-port-state"):
    """Sets a bridge port's spanning tree state; the kernel moves it on by itself, so there is nothing to take back."""

    port: str
    state: PortState

    @property
    def text(self) -> str:
        """See :class:`Operation`."""
        return f"set bridge port {self.port} to {self.state}"

    def commands(self) -> tuple[Argv, ...]:
        """See :class:`Operation`."""
        return (("bridge", "link", "set", "dev", self.port, "state", _STATES[self.state]),)

    def effect(self, snapshot: Snapshot) -> Snapshot:
        """See :class:`Operation`."""
        return _with_port(snapshot, self.port, state=self.state)


class AddPortVlan(ProgramOperation, frozen=True, kw_only=True, tag="add-port-vlan"):
    """Puts a port's frames without a tag into a VLAN."""

    port: str
    vid: int

    @property
    def text(self) -> str:
        """See :class:`Operation`."""
        return f"put bridge port {self.port} into VLAN {self.vid}"

    def commands(self) -> tuple[Argv, ...]:
        """See :class:`Operation`."""
        return (("bridge", "vlan", "add", "dev", self.port, "vid", str(self.vid), "pvid", "untagged"),)

    def inverse(self) -> DeletePortVlan:
        """See :class:`Operation`."""
        return DeletePortVlan(port=self.port, vid=self.vid)


class DeletePortVlan(ProgramOperation, frozen=True, kw_only=True, tag="delete-port-vlan"):
    """Takes a port out of a VLAN."""

    port: str
    vid: int

    @property
    def text(self) -> str:
        """See :class:`Operation`."""
        return f"take bridge port {self.port} out of VLAN {self.vid}"

    def commands(self) -> tuple[Argv, ...]:
        """See :class:`Operation`."""
        return (("bridge", "vlan", "del", "dev", self.port, "vid", str(self.vid)),)


def _with_port(snapshot: Snapshot, name: str, **settings: Any) -> Snapshot:
    def change(ns: Namespace) -> Namespace:
        link = link_named(ns, name)
        if link.port is None:
            msg = f"{name} is not a port of a bridge"
            raise UnknownEffectError(msg)
        return with_link(ns, msgspec.structs.replace(link, port=msgspec.structs.replace(link.port, **settings)))

    return on_host(snapshot, change)
