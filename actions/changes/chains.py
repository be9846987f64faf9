"""A chain as ``iptables-save -c`` prints it, and where a rule stands in it.  Pure.

Rules are compared by their printed text: that is what "the host changed since"
and "byte for byte as it was" mean here.  Counters are no part of it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

import msgspec

from dnet_tui.actions.journal.captured_state import RuleState
from dnet_tui.diagnostics.operations.rule import rule_words

_RULE = re.compile(r"(?:\[(\d+):(\d+)\] )?-A (\S+)(?: (.*))?")


class SavedLine(msgspec.Struct, frozen=True):
    """One rule: its text without the chain's name, and its counters."""

    text: str
    packets: int = 0
    bytes: int = 0


class SavedChain(msgspec.Struct, frozen=True):
    """The rules of one chain.  ``declared`` is False when the table has no chain of that name."""

    lines: tuple[SavedLine, ...]
    declared: bool = True

    @property
    def texts(self) -> list[str]:
        """The rules' texts, in order."""
        return [line.text for line in self.lines]


def parse_chain(saved: str, chain: str) -> SavedChain:
    """Return ``chain`` from the output of ``iptables-save -c -t TABLE``."""
    lines: list[SavedLine] = []
    declared = False
    for row in saved.splitlines():
        if row.startswith(f":{chain} "):
            declared = True
        elif (found := _RULE.fullmatch(row)) and found[3] == chain:
            lines.append(SavedLine(found[4] or "", int(found[1] or 0), int(found[2] or 0)))
    return SavedChain(tuple(lines), declared)


def digest(texts: Sequence[str]) -> str:
    """Return a short fingerprint of rules' texts in their order."""
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:32]


def same_rule(one: str, other: str) -> bool:
    """True when two texts are the same words: quoting apart."""
    return one == other or rule_words(one) == rule_words(other)


def neighbours(texts: Sequence[str], position: int, *, inserting: bool) -> tuple[str, str]:
    """Return the texts above and below ``position`` (from 1): of a rule there, or of one to be put there."""
    below = position if inserting else position + 1
    return (
        texts[position - 2] if 2 <= position <= len(texts) + 1 else "",
        texts[below - 1] if 1 <= below <= len(texts) else "",
    )


def find_between(texts: Sequence[str], position: int, below: str, above: str) -> int:
    """Return the number for a new rule that is to stand below one rule and above another; 0 where there is none.

    ``position`` is where that place was.  Empty texts are the chain's ends: at the top it stays at the top, whoever
    else has put a rule there.  Otherwise the one rule that has the text decides, the upper one first.
    """
    if not below:
        return 1
    if 2 <= position <= len(texts) + 1 and same_rule(texts[position - 2], below):
        lower = texts[position - 1] if position <= len(texts) else ""
        if (not above and not lower) or same_rule(lower, above):
            return position
    uppers = [number for number, text in enumerate(texts, 1) if same_rule(text, below)]
    lowers = [number for number, text in enumerate(texts, 1) if above and same_rule(text, above)]
    if len(uppers) == 1:
        number = uppers[0] + 1
        return 0 if lowers and max(lowers) < number else number
    if len(lowers) == 1 and not uppers:
        return lowers[0]
    # A rule of one's own just above it may be printed in other words than it was written in.
    return position if not uppers and not above and position == len(texts) + 1 else 0


def find_inserted(texts: Sequence[str], captured: RuleState, after: RuleState | None) -> int | str:
    """Return the number of the rule that was inserted, or why there is none to delete (``""`` when it's undecidable).

    ``captured`` is the chain before the insertion; ``after`` says how the rule
    was printed and which of its twins it is, None when nobody lived to say.
    """
    if digest(texts) == captured.digest:
        return "the chain is as it was: nothing to delete"
    position = after.position if after else captured.position
    if 1 <= position <= len(texts) and digest([*texts[: position - 1], *texts[position:]]) == captured.digest:
        # Nothing else has changed.  The rule is ours unless somebody has put another in its very place.
        replaced = after is not None and texts[position - 1] != after.text
        return "someone has replaced the rule" if replaced else position
    text = after.text if after else captured.text
    twins = [number for number, item in enumerate(texts, 1) if same_rule(item, text)]
    if len(twins) <= captured.same:
        return "no such rule stands there any more"
    if len(twins) == 1:
        return twins[0]
    if after and len(twins) == after.same:
        return twins[after.ordinal - 1]
    return ""


def find_place(texts: Sequence[str], captured: RuleState) -> int | str:
    """Return the number at which a deleted rule is to be put back, or why it needn't be.

    Where the chain changed meanwhile its old neighbours decide: above the rule
    it stood above, else below the one it stood below, else (both gone) at its
    old number.
    """
    if digest(texts) == captured.digest:
        return "the chain is as it was: nothing to put back"
    position = captured.position
    if digest([*texts[: position - 1], captured.text, *texts[position - 1 :]]) == captured.digest:
        return position
    if sum(text == captured.text for text in texts) >= captured.same:
        return "someone has put the rule back already"
    if captured.below and list(texts).count(captured.below) == 1:
        return list(texts).index(captured.below) + 1
    if captured.above and list(texts).count(captured.above) == 1:
        return list(texts).index(captured.above) + 2
    return min(position, len(texts) + 1)
