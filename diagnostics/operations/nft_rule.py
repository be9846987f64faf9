"""Rules of native nftables tables.  Pure."""

from __future__ import annotations

from typing import Literal

import msgspec

from dnet_tui.diagnostics.operations.base import Argv, ProgramOperation
from dnet_tui.diagnostics.operations.rule import changed_chain, numbered
from dnet_tui.inspect.model import Snapshot
from dnet_tui.inspect.model.firewall import Chain, Match, Rule, Verdict
from dnet_tui.inspect.model.match_fields import MatchField

InterfaceDirection = Literal["iifname", "oifname"]

_DIRECTIONS: dict[InterfaceDirection, MatchField] = {"iifname": "iif", "oifname": "oif"}
"""What nft calls a packet's interfaces, and what the rule model does."""


class AcceptInNft(ProgramOperation, frozen=True, kw_only=True, tag="accept-in-nft"):
    """Inserts, as the first rule of a chain, one that accepts what comes in or goes out by some interfaces.

    ``proto`` and ``port`` narrow it to a port of the receiver.
    """

    family: str
    table: str
    chain: str
    direction: InterfaceDirection
    interfaces: tuple[str, ...]
    proto: str = ""
    port: int = 0

    @property
    def text(self) -> str:
        """See :class:`Operation`."""
        what = f"{self.proto} port {self.port} " if self.proto else ""
        way = "from" if self.direction == "iifname" else "to"
        where = f"{self.family} {self.table} {self.chain}"
        return f"accept {what}{way} {', '.join(self.interfaces)} as the first rule of {where}"

    def commands(self) -> tuple[Argv, ...]:
        """See :class:`Operation`."""
        return (("nft", "insert", "rule", self.family, self.table, self.chain, *self._words(), "accept"),)

    def _words(self) -> tuple[str, ...]:
        names = self.interfaces
        if len(names) != 1:
            names = ("{", *[word for name in names for word in (name, ",")][:-1], "}")
        ports = (self.proto, "dport", str(self.port)) if self.proto else ()
        return (self.direction, *names, *ports)

    def effect(self, snapshot: Snapshot) -> Snapshot:
        """See :class:`Operation`."""
        if self.proto or len(self.interfaces) != 1:
            return super().effect(snapshot)
        return changed_chain(snapshot, ("nftables", self.family, self.table, self.chain), self._inserted)

    def _inserted(self, chain: Chain, _: set[str]) -> Chain:
        exprs = (Match(field=_DIRECTIONS[self.direction], values=self.interfaces), Verdict(kind="accept"))
        rule = Rule(number=1, text=" ".join((*self._words(), "accept")), exprs=exprs)
        return msgspec.structs.replace(chain, rules=numbered((rule, *chain.rules)))
