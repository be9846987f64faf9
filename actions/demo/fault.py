"""What a fault is that can be put into a private host, and where in its rules it hits.  Pure data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

Commands = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, kw_only=True)
class FaultLocation:
    """A rule of ``iptables-save`` text; ``number`` is its position in its chain, from 1, as iptables counts."""

    table: str
    chain: str
    number: int
    words: tuple[str, ...]

    @property
    def removal(self) -> Commands:
        """The command that deletes the rule."""
        return (("iptables-nft", "-w", "-t", self.table, "-D", self.chain, *self.words),)

    @property
    def comeback(self) -> Commands:
        """The command that puts the rule back where it stood."""
        return (("iptables-nft", "-w", "-t", self.table, "-I", self.chain, str(self.number), *self.words),)


@dataclass(frozen=True, kw_only=True)
class FaultTarget:
    """The network a fault hits, and where its rules stand; None says that the rule isn't there."""

    bridge: str
    subnet: str
    uplink: str = "eth0"
    masquerade: FaultLocation | None = None
    isolation: FaultLocation | None = None

    @classmethod
    def on(cls, saved: str, *, bridge: str, subnet: str, uplink: str = "eth0") -> FaultTarget:
        """Return the target for a network, with its rules found in ``iptables-save`` text.

        Knows the rules of Docker (until 27 the jump to isolation stands in
        FORWARD, since 28 in DOCKER-FORWARD) and of netavark, which
        masquerades in a chain for each network.
        """
        rules = tuple(places(saved))
        own = {
            rule.words[3]
            for rule in rules
            if (rule.table, rule.chain) == ("nat", "POSTROUTING") and rule.words[:3] == ("-s", subnet, "-j")
        }
        docker = ("-s", subnet, "!", "-o", bridge, "-j", "MASQUERADE")
        masquerades = (
            rule
            for rule in rules
            if rule.table == "nat"
            and (
                (rule.chain == "POSTROUTING" and rule.words == docker)
                or (rule.chain in own and rule.words == _NETAVARK)
            )
        )
        isolations = (rule for rule in rules if rule.table == "filter" and rule.words in _ISOLATIONS)
        return cls(
            bridge=bridge,
            subnet=subnet,
            uplink=uplink,
            masquerade=next(masquerades, None),
            isolation=next(isolations, None),
        )


_NETAVARK = ("!", "-d", "224.0.0.0/4", "-j", "MASQUERADE")
_ISOLATIONS = (("-j", "DOCKER-ISOLATION-STAGE-1"), ("-j", "NETAVARK_ISOLATION_1"))


def places(saved: str) -> Iterator[FaultLocation]:
    """Yield every rule of ``iptables-save`` text; words in quotes are split like others."""
    table = ""
    numbers: Counter[str] = Counter()
    for line in saved.splitlines():
        if line.startswith("*"):
            table = line[1:].strip()
            numbers.clear()
            continue
        words = line.split()
        if words and words[0].startswith("["):  # counters
            words = words[1:]
        if words[:1] == ["-A"]:
            chain = words[1]
            numbers[chain] += 1
            yield FaultLocation(table=table, chain=chain, number=numbers[chain], words=tuple(words[2:]))


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault: how to put it in, and how to take it out.

    ``breaks`` names the traffic that must fail (or, for ``exposure``, pass)
    while it is in, in the words of the findings' symptoms.
    """

    id: str
    description: str
    breaks: tuple[str, ...]
    inject: Callable[[FaultTarget], Commands]
    restore: Callable[[FaultTarget], Commands]
