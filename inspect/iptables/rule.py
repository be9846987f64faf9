"""One rule of iptables, from its text to the rule model's expressions.  Pure.

Words are read left to right, as iptables does: the base options, then each
match with the options that are its own, then the target.  What isn't
modelled becomes opaque with its text; what isn't a rule at all raises.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from dnet_tui.inspect.errors import CannotModelError
from dnet_tui.inspect.iptables.matches import (
    BARE_MATCHES,
    IMPLIED,
    LIMIT,
    MATCHES,
    Option,
    interface,
    network,
    proto_name,
)
from dnet_tui.inspect.iptables.modules import opaque_match, whole_match
from dnet_tui.inspect.iptables.save_grammar import RuleSyntaxError, split_words
from dnet_tui.inspect.iptables.targets import compile_target
from dnet_tui.inspect.model.firewall import AnyExpr, Match, Note, Opaque, Verdict
from dnet_tui.inspect.model.match_fields import MatchField

BASE: dict[str, MatchField] = {
    "-s": "saddr",
    "--source": "saddr",
    "--src": "saddr",
    "-d": "daddr",
    "--destination": "daddr",
    "--dst": "daddr",
    "-i": "iif",
    "--in-interface": "iif",
    "-o": "oif",
    "--out-interface": "oif",
    "-p": "proto",
    "--protocol": "proto",
    "--proto": "proto",
    "-f": "fragment",
    "--fragment": "fragment",
}
"""The base options and the fields they are conditions on."""
_MATCH = frozenset({"-m", "--match"})
_JUMP = frozenset({"-j", "--jump"})
_GOTO = frozenset({"-g", "--goto"})
SECTION = _MATCH | _JUMP | _GOTO
"""The options that begin a match or a target."""
ANY_PROTOCOL = frozenset({"0", "all", "ip"})
"""What ``-p`` takes for "any"."""


class ParsedRule(NamedTuple):
    """A rule's expressions (matches, then what it does) and its comments in one line."""

    exprs: tuple[AnyExpr, ...]
    comment: str


def parse_rule(text: str, chains: Collection[str] = ()) -> ParsedRule:
    """Compile a rule's text, such as ``-s 172.17.0.0/16 ! -o docker0 -j MASQUERADE``.

    Args:
        text: the rule without ``-A CHAIN`` and counters.
        chains: the names of the chains of its table; ``-j`` to another name is taken for a target.

    Raises:
        RuleSyntaxError: not a rule as iptables-save prints one.
    """
    return _RuleParser(text, chains).parse()


class _RuleParser:
    """The words of one rule and the place that has been reached."""

    def __init__(self, text: str, chains: Collection[str]) -> None:
        self.words, self.raws = split_words(text)
        self.chains = chains
        self.at = 0
        self.matches: list[AnyExpr] = []
        self.statements: list[AnyExpr] = []
        self.comments: list[str] = []
        self.loaded: list[str] = []

    def parse(self) -> ParsedRule:
        """Read all words."""
        while self.at < len(self.words):
            word = self._bare(self.at)
            if word in _MATCH:
                self._match()
            elif word in _JUMP or word in _GOTO:
                self._target(word)
            else:
                self._condition()
        return ParsedRule(exprs=(*self.matches, *self.statements), comment="; ".join(self.comments))

    def _bare(self, position: int) -> str:
        """The word at a position if it was written without quotes, else nothing: a quoted word is never an option."""
        if position >= len(self.words) or self.raws[position].startswith('"'):
            return ""
        return self.words[position]

    def _take(self, what: str) -> str:
        if self.at >= len(self.words):
            msg = f"{what} lacks its value"
            raise RuleSyntaxError(msg)
        self.at += 1
        return self.words[self.at - 1]

    def _raw(self, start: int) -> str:
        return " ".join(self.raws[start : self.at])

    def _skip_to_section(self) -> None:
        while self.at < len(self.words) and self._bare(self.at) not in SECTION:
            self.at += 1

    def _is_condition(self, word: str) -> bool:
        """Whether a word after a target begins something else: written by hand, conditions may stand there too."""
        return word in SECTION or word in BASE or word == "!" or any(word in MATCHES[name] for name in self.loaded)

    def _condition(self) -> None:
        """A base option, or the option of a match that was named before or that ``-p`` implies."""
        start = self.at
        negate = self._bare(self.at) == "!"
        self.at += negate
        option = self._bare(self.at)
        field = BASE.get(option)
        if field is not None:
            self.at += 1
            self._base(field, option, start, negate=negate)
            return
        module = next((name for name in reversed(self.loaded) if option in MATCHES[name]), None)
        if module is None:
            msg = f"{' '.join(self.raws[start : self.at + 1])!r} is not understood"
            raise RuleSyntaxError(msg)
        self.at = start
        self._options(module, start)

    def _base(self, field: MatchField, option: str, start: int, *, negate: bool) -> None:
        if field == "fragment":
            self.matches.append(Match(field=field, values=("later",), negate=negate))
            return
        value = self._take(option)
        try:
            if field != "proto":
                value = interface(value) if field in {"iif", "oif"} else network(value)
            elif value in ANY_PROTOCOL and not negate:
                return
            else:
                value = proto_name(value)
        except CannotModelError:
            self.matches.append(Opaque(text=self._raw(start)))
            return
        if field == "proto" and value in IMPLIED and not negate:
            self.loaded.append(IMPLIED[value])
        self.matches.append(Match(field=field, values=(value,), negate=negate))

    def _match(self) -> None:
        start = self.at
        self.at += 1
        module = self._take("-m")
        if module not in MATCHES:
            first = self.at
            self._skip_to_section()
            raw = self._raw(start)
            whole = whole_match(module, self.words[first : self.at], raw)
            self.matches += whole if whole is not None else [opaque_match(module, raw, self._proto())]
            return
        self.loaded.append(module)
        self._options(module, start)

    def _options(self, module: str, start: int) -> None:
        """Read the options of ``module``; one that isn't modelled makes the whole match opaque."""
        table = MATCHES[module]
        found: list[AnyExpr] = []
        exact = True
        first = self.at
        while self.at < len(self.words):
            negate = self._bare(self.at) == "!"
            option = self._bare(self.at + negate)
            known = table.get(option)
            if known is None:
                if option in BASE or option in SECTION or any(option in MATCHES[name] for name in self.loaded):
                    break
                self._skip_to_section()
                exact = False
                break
            self.at += 1 + negate
            exact = self._option(known, option, found, negate=negate) and exact
        found = _limited(found)
        unfit = any(isinstance(expr, Match) and expr.field == LIMIT for expr in found)
        if not exact or unfit or (self.at == first and module not in BARE_MATCHES):
            self.matches.append(opaque_match(module, self._raw(start), self._proto()))
        else:
            # A match that sets no condition, such as "-m tcp" alone, is kept for whoever writes the rule again.
            self.matches.extend(found or [Note(text=self._raw(start))])

    def _proto(self) -> str:
        """The protocol that the rule has asked for so far, as its match is called."""
        protos = [expr for expr in self.matches if isinstance(expr, Match) and expr.field == "proto"]
        return IMPLIED.get(protos[-1].values[0], protos[-1].values[0]) if protos else ""

    def _option(self, known: Option, option: str, found: list[AnyExpr], *, negate: bool) -> bool:
        """Read one option's values and compile it; False when it can't be modelled."""
        values = [self._take(option) for _ in range(known.arity)]
        if option == "--comment":
            self.comments.append(values[0])
        try:
            expr = known.compile(values, negate)
        except CannotModelError:
            return False
        if expr is not None:
            found.append(expr)
        return True

    def _target(self, word: str) -> None:
        start = self.at
        self.at += 1
        name = self._take(word)
        if self.statements:
            msg = "more than one target"
            raise RuleSyntaxError(msg)
        if word in _GOTO:
            known = name in self.chains
            self.statements.append(
                Verdict(kind="goto", chain=name) if known else Opaque(text=self._raw(start), role="target")
            )
            return
        options_start = self.at
        while self.at < len(self.words) and not self._is_condition(self._bare(self.at)):
            self.at += 1
        options = self.words[options_start : self.at]
        self.statements.append(compile_target(name, options, self._raw(start), self.chains))


_LIMITED: dict[tuple[str, str], MatchField] = {
    ("dst-type", "in"): "dst-type-in",
    ("dst-type", "out"): "dst-type-out",
    ("src-type", "in"): "src-type-in",
    ("src-type", "out"): "src-type-out",
}


def _limited(exprs: list[AnyExpr]) -> list[AnyExpr]:
    """``addrtype``'s types, asked of one interface where it says so (``--limit-iface-in``, ``-out``)."""
    ends = [expr.values[0] for expr in exprs if isinstance(expr, Match) and expr.field == LIMIT]
    return (
        exprs
        if len(ends) != 1
        else [
            Match(field=_LIMITED[expr.field, ends[0]], values=expr.values, negate=expr.negate)
            for expr in exprs
            if isinstance(expr, Match) and expr.field != LIMIT
        ]
    )
