"""Tables of nftables that are dnet-tui's alone: added and deleted as a whole.  Pure."""

from __future__ import annotations

from typing import Literal

from dnet_tui.diagnostics.operations.base import Argv, Operation
from dnet_tui.diagnostics.operations.rule import tells
from dnet_tui.inspect.errors import UsageError
from dnet_tui.inspect.model.port_label import OWN_TABLES
from dnet_tui.inspect.text.sanitize import clean

OWN = OWN_TABLES
"""How the names of such tables begin."""

IpFamily = Literal["ip", "ip6"]


def interface(name: str) -> str:
    """The name of an interface as nft takes it: between quotes, a star at its end not as a pattern.

    Raises:
        UsageError: nft has no way to write it.
    """
    if '"' in name or (not tells(name) and not name.endswith("+")):
        raise UsageError(f"nft can't write the name of the interface {clean(name)}", "rename it, then try again")
    return f'"{name[:-1]}\\*"' if name.endswith("*") else f'"{name}"'


def table_word(text: str) -> str:
    """A text as a part of a table's name; nft takes letters, digits and a few signs."""
    return "".join(c if c.isascii() and c.isalnum() else "_" for c in text)


class AddNftTable(Operation, frozen=True, kw_only=True, tag="add-nft-table"):
    """Adds a table of one's own to the host; ``body`` is what stands between its braces, in nft's words."""

    family: IpFamily
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

    family: IpFamily
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
