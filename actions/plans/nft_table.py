"""Tables of nftables that are dnet-tui's alone: added and deleted as a whole.  Pure."""

from __future__ import annotations

from typing import Literal

from dnet_tui.diagnostics.operations.base import Argv, Operation
from dnet_tui.inspect.model.port_label import OWN_TABLES

OWN = OWN_TABLES
"""How the names of such tables begin."""


class AddNftTable(Operation, frozen=True, kw_only=True, tag="add-nft-table"):
    """Adds a table of one's own to the host; ``body`` is what stands between its braces, in nft's words."""

    family: Literal["ip", "ip6"]
    name: str
    body: str

    @property
    def text(self) -> str:
        """See :class:`Operation`."""
        return f"add table {self.family} {self.name}"

    def commands(self) -> tuple[Argv, ...]:
        """See :class:`Operation`."""
        return (("nft", f"add table {self.family} {self.name} {{ {self.body} }}"),)

    def undo_commands(self) -> tuple[Argv, ...]:
        """See :class:`Operation`."""
        return (("nft", "delete", "table", self.family, self.name),)


class DeleteNftTable(Operation, frozen=True, kw_only=True, tag="delete-nft-table"):
    """Deletes a table of one's own; what it holds is captured for the undo."""

    family: Literal["ip", "ip6"]
    name: str

    @property
    def text(self) -> str:
        """See :class:`Operation`."""
        return f"delete table {self.family} {self.name}"

    def commands(self) -> tuple[Argv, ...]:
        """See :class:`Operation`."""
        return (("nft", "delete", "table", self.family, self.name),)

    def undo_commands(self) -> tuple[Argv, ...]:
        """See :class:`Operation`."""
        return (("nft", "-f", f"<table {self.family} {self.name} as it is now>"),)
