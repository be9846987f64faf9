"""From the kernel's trace events to dropped packets, each with the rule that dropped it.  Pure."""

from __future__ import annotations

import msgspec

from dnet_tui.inspect.model import Namespace, known_items
from dnet_tui.inspect.model.firewall import Rule
from dnet_tui.inspect.model.protocols import PROTOCOLS
from dnet_tui.inspect.nftables.trace_events import Headers, TraceEvent, headers

_MOST_KEPT = 4096
_DROPS = frozenset({"drop", "reject"})


class DroppedPacket(msgspec.Struct, frozen=True, kw_only=True):
    """A packet that a rule (or a chain's policy: ``number`` 0) dropped; ``number`` None: a rule that wasn't read."""

    src: str
    dst: str
    proto: str
    sport: int
    dport: int
    family: str
    table: str
    chain: str
    number: int | None
    text: str
    owner: str = ""

    @property
    def rule(self) -> str:
        """The rule in words: ``filter DOCKER-USER rule 1: -p udp -j DROP``."""
        if self.number == 0:
            return f"{self.table} {self.chain}: its policy"
        if self.number is None:
            return f"{self.table} {self.chain}: a rule that came after it was read"
        return f"{self.table} {self.chain} rule {self.number}: {self.text}"


class DroppedPackets:
    """Takes the events of one namespace, in their order."""

    def __init__(self, namespace: Namespace, own_table: str) -> None:
        self._own = own_table
        self._headers: dict[int, Headers] = {}
        self._rules: dict[tuple[str, str, int], tuple[str, Rule]] = {
            (table.family, table.name, rule.handle): (chain.name, rule)
            for table in known_items(namespace.firewall.tables)
            if table.backend != "iptables-legacy"
            for chain in table.chains
            for rule in chain.rules
            if rule.handle
        }

    def take(self, event: TraceEvent) -> DroppedPacket | None:
        """The packet that this event says is dropped; None for any other."""
        if event.network:
            came = headers(event.network, event.transport)
            if came is not None:
                self._headers[event.ident] = came
                if len(self._headers) > _MOST_KEPT:
                    self._headers.pop(next(iter(self._headers)))
        if event.verdict not in _DROPS or event.table == self._own:
            return None
        packet = self._headers.pop(event.ident, None)
        if packet is None:
            return None
        known = self._rules.get((event.family, event.table, event.handle))
        chain, rule = known if known is not None else (event.chain, None)
        policy = event.kind == "policy"
        return DroppedPacket(
            src=packet.src,
            dst=packet.dst,
            proto=PROTOCOLS.get(packet.proto, str(packet.proto)),
            sport=packet.sport,
            dport=packet.dport,
            family=event.family,
            table=event.table,
            chain=chain,
            number=0 if policy else rule.number if rule is not None else None,
            text=rule.text if rule is not None else "",
            owner=rule.owner if rule is not None else "",
        )
