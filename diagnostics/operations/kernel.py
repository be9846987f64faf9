"""Kernel parameters, modules and tracked connections.  Pure."""

from __future__ import annotations

import msgspec

from dnet_tui.diagnostics.operations.base import Argv, Operation, ProgramOperation, on_host
from dnet_tui.inspect.model import Namespace, Snapshot

_FANS_OUT = {
    "net.ipv4.ip_forward": ("net.ipv4.conf.", ".forwarding"),
    "net.ipv4.conf.all.forwarding": ("net.ipv4.conf.", ".forwarding"),
    "net.ipv6.conf.all.forwarding": ("net.ipv6.conf.", ".forwarding"),
}
"""Keys whose change sets the same switch of every interface (inet_forward_change, addrconf_fixup_forwarding)."""


class SetSysctl(Operation, frozen=True, kw_only=True, tag="sysctl"):
    """Writes one kernel parameter in the host's network namespace.

    Its value before, and those of the keys that the kernel changes with it,
    are captured when it is made: there is no inverse without them.
    """

    key: str
    value: str

    @property
    def text(self) -> str:
        """See :class:`Operation`."""
        return f"set {self.key} to {self.value}"

    def commands(self) -> tuple[Argv, ...]:
        """See :class:`Operation`."""
        return (("sysctl", "-w", f"{self.key}={self.value}"),)

    def effect(self, snapshot: Snapshot) -> Snapshot:
        """See :class:`Operation`."""
        return on_host(snapshot, self._written)

    def _written(self, ns: Namespace) -> Namespace:
        changed = ns.sysctls | {self.key: self.value}
        fan = _FANS_OUT.get(self.key)
        if fan is not None and ns.sysctls.get(self.key) != self.value:
            head, tail = fan
            changed |= {key: self.value for key in ns.sysctls if key.startswith(head) and key.endswith(tail)}
        return msgspec.structs.replace(ns, sysctls=changed)

    def undo_commands(self) -> tuple[Argv, ...]:
        """See :class:`Operation`."""
        return (("sysctl", "-w", f"{self.key}=<value before>"),)


class LoadModule(ProgramOperation, frozen=True, kw_only=True, tag="load-module"):
    """Loads a module of the running kernel."""

    name: str

    @property
    def text(self) -> str:
        """See :class:`Operation`."""
        return f"load the kernel's module {self.name}"

    def commands(self) -> tuple[Argv, ...]:
        """See :class:`Operation`."""
        return (("modprobe", self.name),)

    def inverse(self) -> UnloadModule:
        """See :class:`Operation`."""
        return UnloadModule(name=self.name)


class UnloadModule(ProgramOperation, frozen=True, kw_only=True, tag="unload-module"):
    """Unloads a module that nothing uses."""

    name: str

    @property
    def text(self) -> str:
        """See :class:`Operation`."""
        return f"unload the kernel's module {self.name}"

    def commands(self) -> tuple[Argv, ...]:
        """See :class:`Operation`."""
        return (("modprobe", "-r", self.name),)


class ForgetConnections(ProgramOperation, frozen=True, kw_only=True, tag="forget-connections"):
    """Deletes tracked connections by the port they were opened to; a client's next packet begins a new one."""

    proto: str
    port: int

    @property
    def text(self) -> str:
        """See :class:`Operation`."""
        return f"delete the tracked {self.proto} connections to port {self.port}"

    def commands(self) -> tuple[Argv, ...]:
        """See :class:`Operation`."""
        return (("conntrack", "-D", "-p", self.proto, "--orig-port-dst", str(self.port)),)
