"""What firewalld is told: which zone a bridge belongs to, which ports it forwards.  Pure.

firewalld then rewrites its rules; that effect is its own, and isn't told beforehand.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from dnet_tui.diagnostics.operations.base import Argv, ProgramOperation


class ChangeZone(ProgramOperation, frozen=True, kw_only=True, tag="change-zone"):
    """Puts an interface or a source (CIDR) into a zone, or (``present`` False) takes it out."""

    zone: str
    kind: Literal["interface", "source"]
    item: str
    present: bool = True
    permanent: bool = False

    @property
    def text(self) -> str:
        """See :class:`Operation`."""
        lasting = ", permanently" if self.permanent else ""
        what = f"put {self.item} into" if self.present else f"take {self.item} out of"
        return f"{what} firewalld's zone {self.zone}{lasting}"

    def commands(self) -> tuple[Argv, ...]:
        """See :class:`Operation`."""
        lasting = ("--permanent",) if self.permanent else ()
        verb = "add" if self.present else "remove"
        return (("firewall-cmd", *lasting, f"--zone={self.zone}", f"--{verb}-{self.kind}={self.item}"),)

    def inverse(self) -> ChangeZone:
        """See :class:`Operation`."""
        return msgspec.structs.replace(self, present=not self.present)


class AddForwardPort(ProgramOperation, frozen=True, kw_only=True, tag="add-forward-port"):
    """Has firewalld forward a port of the host to an address; ``zone`` empty for its default zone."""

    port: int
    proto: str
    to_port: int
    to_address: str
    zone: str = ""

    @property
    def text(self) -> str:
        """See :class:`Operation`."""
        return f"have firewalld forward {self.proto} port {self.port} to {self.to_address} port {self.to_port}"

    def commands(self) -> tuple[Argv, ...]:
        """See :class:`Operation`."""
        zone = (f"--zone={self.zone}",) if self.zone else ()
        forward = f"port={self.port}:proto={self.proto}:toport={self.to_port}:toaddr={self.to_address}"
        return (("firewall-cmd", *zone, f"--add-forward-port={forward}"),)
