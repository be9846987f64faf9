"""Compiles iptables rules out of parts met before: the quick way for rulesets with thousands of rules.  Pure.

A big ruleset repeats itself: the same addresses, bridges, ports and targets.
A rule's text is cut before each one-letter option (``-s -d -i -o -p -m -j
-g``), each part is compiled once, and rules are put together from the parts.
A part that might mean something else in another rule isn't compiled here:
such a rule goes the long way, through :mod:`dnet_tui.inspect.iptables.rule`,
which also defines what every rule means.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import NamedTuple

from dnet_tui.inspect.errors import CannotModelError
from dnet_tui.inspect.iptables.matches import BARE_MATCHES, LIMIT, MATCHES, interface, network, proto_name
from dnet_tui.inspect.iptables.modules import NEEDS, WHOLE_MATCHES, whole_match
from dnet_tui.inspect.iptables.rule import ANY_PROTOCOL, BASE, SECTION, ParsedRule, parse_rule
from dnet_tui.inspect.iptables.save_grammar import RuleSyntaxError, split_words
from dnet_tui.inspect.iptables.targets import compile_target
from dnet_tui.inspect.model.firewall import AnyExpr, Match, Note, Opaque, Verdict
from dnet_tui.inspect.model.match_fields import MatchField

_CUT = re.compile(r"(?<!!) (?=(?:! )?-[sdiopmjg] )")
_NOT_IN_TARGETS = frozenset(BASE) | SECTION | {"!"} | {option for options in MATCHES.values() for option in options}
"""A word that may end a target's options, depending on the matches before it."""


class _Part(NamedTuple):
    """What a part stands for.  ``greedy``: in front of a base option it would swallow that, so it mustn't be there."""

    exprs: tuple[AnyExpr, ...]
    comment: str = ""
    is_target: bool = False
    greedy: bool = False


class FragmentCompiler:
    """Compiles the rules of one table, whose ``chains`` must be all declared by then (for jumps)."""

    def __init__(self, chains: Collection[str]) -> None:
        self._chains = chains
        self._known: dict[str, _Part | None] = {}

    def parse(self, text: str) -> ParsedRule:
        """Compile a rule's text; the same as :func:`parse_rule`, only quicker.

        Raises:
            RuleSyntaxError: not a rule as iptables-save prints one.
        """
        known = self._known
        exprs: list[AnyExpr] = []
        comments: list[str] = []
        done = greedy = False
        fragments = _fragments(text)
        if fragments is None:
            return parse_rule(text, self._chains)
        for fragment in fragments:
            try:
                part = known[fragment]
            except KeyError:
                part = known[fragment] = self._compile(fragment)
            if part is None or done or (greedy and fragment[:2] not in SECTION):
                return parse_rule(text, self._chains)
            exprs.extend(part.exprs)
            if part.comment:
                comments.append(part.comment)
            done, greedy = part.is_target, part.greedy
        return ParsedRule(exprs=tuple(exprs), comment="; ".join(comments))

    def _compile(self, fragment: str) -> _Part | None:
        """Compile one part; None where it takes the whole rule to understand it."""
        try:
            words, raws = split_words(fragment)
            # A quoted word is never an option.
            bare = words if raws is words else ["" if raws[i][0] == '"' else word for i, word in enumerate(words)]
            negate = bare[0] == "!"
            head = bare[1] if negate else bare[0]
            if head in BASE:
                return _base(BASE[head], words[1 + negate :], negate=negate) if bare is words else None
            if negate:
                return None
            if head == "-m":
                return _match(fragment, words, bare)
            return self._target(fragment, words, bare)
        except (CannotModelError, RuleSyntaxError, IndexError):
            return None

    def _target(self, fragment: str, words: list[str], bare: list[str]) -> _Part | None:
        name = words[1]
        if bare[0] == "-g":
            exact = len(words) == 2 and name in self._chains
            return _Part((Verdict(kind="goto", chain=name),), is_target=True) if exact else None
        if bare[0] != "-j" or not _NOT_IN_TARGETS.isdisjoint(bare[2:]):
            return None
        return _Part((compile_target(name, words[2:], fragment, self._chains),), is_target=True)


def _fragments(text: str) -> list[str] | None:
    """Cut a rule's text; None where a quote might be cut through, or the blanks aren't those of iptables-save."""
    if "  " in text or "\t" in text:
        return None
    fragments = _CUT.split(text)
    if '"' in text and ("\\" in text or any(part.count('"') % 2 for part in fragments)):
        return None
    return fragments


def _base(field: MatchField, values: list[str], *, negate: bool) -> _Part | None:
    if len(values) != 1 or field == "fragment" or (field == "proto" and values[0] in ANY_PROTOCOL):
        return None
    (value,) = values
    read = {"proto": proto_name, "iif": interface, "oif": interface}.get(field, network)
    return _Part((Match(field=field, values=(read(value),), negate=negate),))


def _is_limit(expr: AnyExpr) -> bool:
    return isinstance(expr, Match) and expr.field == LIMIT


def _whole(fragment: str, words: list[str], bare: list[str]) -> _Part | None:
    """A match that is compiled by all its words, or isn't modelled."""
    if bare is not words and words[1] in WHOLE_MATCHES:
        return None
    whole = whole_match(words[1], words[2:], fragment)
    if whole is None and words[1] in NEEDS:
        return None  # what it needs depends on the protocol before it
    return _Part(whole or (Opaque(text=fragment),), greedy=True)


def _match(fragment: str, words: list[str], bare: list[str]) -> _Part | None:
    """A match with its options."""
    options = MATCHES.get(words[1])
    if options is None:
        if not SECTION.isdisjoint(bare[2:]):
            return None
        return _whole(fragment, words, bare)
    found: list[AnyExpr] = []
    comments: list[str] = []
    at = 2
    while at < len(words):
        negate = bare[at] == "!"
        at += negate
        option = options.get(bare[at])
        if option is None or at + option.arity >= len(words):
            return None
        values = words[at + 1 : at + 1 + option.arity]
        expr = option.compile(values, negate)
        if expr is not None:
            found.append(expr)
        if bare[at] == "--comment":
            if not values[0]:
                return None
            comments.append(values[0])
        at += 1 + option.arity
    if (len(words) == 2 and words[1] not in BARE_MATCHES) or any(_is_limit(expr) for expr in found):
        return None
    return _Part(tuple(found) or (Note(text=fragment),), comment="; ".join(comments))
