"""Where a command is run: in the host's own network namespace, or in a container's.  Pure."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from dnet_tui.diagnostics.operations.base import Argv, ProgramOperation, UnknownEffectError, on_host, with_namespaces
from dnet_tui.inspect.model import Namespace, Snapshot
from dnet_tui.inspect.model.coverage.sections import known_items


class NetnsScope(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A network namespace: its id in the snapshot (empty for the host's own), and what ``ip`` is led into it by.

    ``name`` is one that ip-netns(8) knows; without it ``pid`` is a process of
    it, for nsenter(1).  Only the network namespace is entered, never the
    container's files.
    """

    id: str = ""
    name: str = ""
    pid: int = 0


HOST = NetnsScope()
"""The host's own namespace, where commands are typed."""


def ip_command(inside: NetnsScope, *arguments: str) -> Argv:
    """``ip`` with these arguments, on the host or inside a namespace."""
    if inside == HOST:
        return ("ip", *arguments)
    if inside.name:
        return ("ip", "-n", inside.name, *arguments)
    return ("nsenter", "-t", str(inside.pid), "-n", "ip", *arguments)


def place(inside: NetnsScope) -> str:
    """`` in NAME`` for people; empty on the host."""
    return "" if inside == HOST else f" in {inside.name or f'the network of process {inside.pid}'}"


def changed(snapshot: Snapshot, inside: NetnsScope, change: Callable[[Namespace], Namespace]) -> Snapshot:
    """The snapshot with the host's namespace or the one named changed.

    Raises:
        UnknownEffectError: There is no such namespace in it.
    """
    if inside == HOST:
        return on_host(snapshot, change)
    if not any(ns.id == inside.id for ns in known_items(snapshot.namespaces)):
        msg = f"there is no network namespace {inside.id}"
        raise UnknownEffectError(msg)
    return with_namespaces(snapshot, lambda ns: change(ns) if ns.id == inside.id else ns)


class ScopedOperation(ProgramOperation, frozen=True, kw_only=True):
    """An operation of ``ip`` on the host, or inside a container's network namespace."""

    inside: NetnsScope = HOST

    def programs(self) -> tuple[str, ...]:
        """See :class:`ProgramOperation`."""
        return ("ip",) if self.inside == HOST or self.inside.name else ("nsenter", "ip")


class AddNamespace(ProgramOperation, frozen=True, kw_only=True, tag="add-namespace"):
    """Makes a named network namespace, as ip-netns(8) does."""

    name: str

    @property
    def text(self) -> str:
        """See :class:`Operation`."""
        return f"make the namespace {self.name}"

    def commands(self) -> tuple[Argv, ...]:
        """See :class:`Operation`."""
        return (("ip", "netns", "add", self.name),)

    def inverse(self) -> DeleteNamespace:
        """See :class:`Operation`."""
        return DeleteNamespace(name=self.name)


class DeleteNamespace(ProgramOperation, frozen=True, kw_only=True, tag="delete-namespace"):
    """Deletes a named network namespace, and what is in it once no process uses it any more."""

    name: str

    @property
    def text(self) -> str:
        """See :class:`Operation`."""
        return f"delete the namespace {self.name}"

    def commands(self) -> tuple[Argv, ...]:
        """See :class:`Operation`."""
        return (("ip", "netns", "delete", self.name),)
