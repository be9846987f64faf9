"""The changes that dnet-tui can make: diagnostics' own, a live trace's, and what outlives a reboot.  Pure."""

from __future__ import annotations

import msgspec

from dnet_tui.actions.plans.boot_files import EnableUnit, WriteFile
from dnet_tui.actions.plans.nft_table import AddNftTable, DeleteNftTable
from dnet_tui.diagnostics.operations.base import Argv, Operation
from dnet_tui.diagnostics.operations.remedy import AnyOperation
from dnet_tui.inspect.kernel.netns import NsHandle


class AddTraceTable(Operation, frozen=True, kw_only=True, tag="add-trace-table"):
    """Adds an nftables table of one's own to a network namespace, for as long as one packet is traced.

    ``ruleset`` is the command in nft's words; ``name`` (``inet NAME``) is used
    by nobody else.  ``inside`` is the namespace, ``label`` what people call it;
    ``own``: it is the host's own, where commands are typed.
    """

    name: str
    ruleset: str = msgspec.field(name="text")
    inside: NsHandle
    label: str
    own: bool = False

    @property
    def text(self) -> str:
        """See :class:`Operation`."""
        return f"add table inet {self.name} to the network of {self.label}"

    def commands(self) -> tuple[Argv, ...]:
        """See :class:`Operation`."""
        return ((*self._entering(), "nft", self.ruleset),)

    def undo_commands(self) -> tuple[Argv, ...]:
        """See :class:`Operation`."""
        return ((*self._entering(), "nft", "delete", "table", "inet", self.name),)

    def _entering(self) -> Argv:
        """The command's beginning that leads into the namespace; none is needed for the host's own."""
        if self.own:
            return ()
        return ("nsenter", f"--net={self.inside.path or f'/proc/{self.inside.pid}/ns/net'}")


AnyAction = AnyOperation | AddTraceTable | AddNftTable | DeleteNftTable | WriteFile | EnableUnit
