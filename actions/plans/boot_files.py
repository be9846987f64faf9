"""What outlives a reboot: files that the host's own programs read when it starts, and units of systemd.  Pure."""

from __future__ import annotations

from dnet_tui.diagnostics.operations.base import Argv, Operation


class WriteFile(Operation, frozen=True, kw_only=True, tag="write-file"):
    """Writes a file that isn't there yet, readable to all and writable to root."""

    path: str
    content: str

    @property
    def text(self) -> str:
        """See :class:`Operation`."""
        return f"write {self.path}"

    def commands(self) -> tuple[Argv, ...]:
        """See :class:`Operation`: the file's content is the command's input, which plans show below it."""
        return (("install", "-D", "-m", "0644", "/dev/stdin", self.path),)

    def undo_commands(self) -> tuple[Argv, ...]:
        """See :class:`Operation`."""
        return (("rm", self.path),)


class EnableUnit(Operation, frozen=True, kw_only=True, tag="enable-unit"):
    """Has systemd start a unit with the host.  It isn't started now; taken back, it is stopped too where it runs."""

    unit: str

    @property
    def text(self) -> str:
        """See :class:`Operation`."""
        return f"have {self.unit} started with the host"

    def commands(self) -> tuple[Argv, ...]:
        """See :class:`Operation`."""
        return (("systemctl", "enable", self.unit),)

    def undo_commands(self) -> tuple[Argv, ...]:
        """See :class:`Operation`."""
        return (("systemctl", "disable", "--now", self.unit),)
