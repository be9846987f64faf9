"""The display filter: which rows are shown, chosen after they were captured and joined.  Pure.

``host web`` (a container's name or an address), ``port 80``, ``at docker0``,
a protocol (``tcp``, ``udp``, ``icmp``, ``icmp6``, ``arp``, ``dns``), and what
only correlation knows: ``lost``, ``answered``, ``translated``,
``retransmission``, ``reset``; joined by ``and``, ``or``, ``not`` and
parentheses.  An end of a packet counts with every tuple it was seen with.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from dnet_tui.inspect.capture.correlation.packet_identity import ICMP, ICMP6, TCP, UDP
from dnet_tui.inspect.capture.correlation.packet_row import PacketRow
from dnet_tui.inspect.capture.correlation.row_text import address_text
from dnet_tui.inspect.errors import UsageError
from dnet_tui.inspect.text.sanitize import clean

RowTest = Callable[[PacketRow, Sequence[object]], bool]
"""Whether a row is shown, given the points that it was missed at."""

_TOKEN = re.compile(r"\s*([()]|[^\s()]+)")
_PROTOCOLS = {"tcp": TCP, "udp": UDP, "icmp": ICMP, "icmp6": ICMP6}
_DNS = frozenset({53, 5353, 5355})
_DEEPEST = 50
EXAMPLE = "host web and (lost or port 80)"


class FilterError(UsageError):
    """A display filter that can't be understood: ``position`` and ``length`` are the characters that are wrong.

    A position at the text's end, with no length, is something that is missing there.
    """

    def __init__(self, message: str, hint: str, *, position: int, length: int) -> None:
        super().__init__(message, hint)
        self.position = position
        self.length = length


def display_filter(text: str, labels: Sequence[str], names: Mapping[str, str]) -> RowTest:
    """The test that an expression asks for; everything passes an empty one.

    Raises:
        FilterError: the expression is wrong; the message says where.
    """
    if not text.strip():
        return lambda _row, _missing: True
    return _Parser(text, labels, names).whole()


class _Parser:
    def __init__(self, text: str, labels: Sequence[str], names: Mapping[str, str]) -> None:
        self._text = text
        self._labels = labels
        self._names = names
        self._tokens = [(found[1], found.start(1)) for found in _TOKEN.finditer(text)]
        self._at = 0
        self._depth = 0

    def whole(self) -> RowTest:
        test = self._either()
        if self._at < len(self._tokens):
            raise self._wrong("“and” or “or” is wanted here")
        return test

    def _either(self) -> RowTest:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._wrong("too many parentheses")
        left = self._both()
        while self._takes("or"):
            left = _or(left, self._both())
        self._depth -= 1
        return left

    def _both(self) -> RowTest:
        left = self._one()
        while self._takes("and"):
            left = _and(left, self._one())
        return left

    def _one(self) -> RowTest:
        negations = 0
        while self._takes("not"):
            negations += 1
        if self._takes("("):
            test = self._either()
            if not self._takes(")"):
                raise self._wrong("“)” is missing")
        else:
            test = self._primitive(self._next("something to show"))
        return _not(test) if negations % 2 else test

    def _primitive(self, word: str) -> RowTest:
        if word == "host":
            return self._host(self._next("a container's name or an address"))
        if word == "at":
            return self._point(self._next("the name of a point"))
        if word == "port":
            number = self._next("a port number")
            if not number.isdecimal() or int(number) > 65_535:
                self._at -= 1
                raise self._wrong("a port number is wanted here")
            return _port(int(number))
        if word in _PROTOCOLS:
            proto = _PROTOCOLS[word]
            return lambda row, _: row.identity.ends is not None and row.identity.ends.proto == proto
        test = _WORDS.get(word)
        if test is None:
            self._at -= 1
            raise self._wrong("unknown word")
        return test

    def _host(self, name: str) -> RowTest:
        wanted = {address for address, owner in self._names.items() if owner == name} | {name.strip("[]")}

        def test(row: PacketRow, _: Sequence[object]) -> bool:
            return any(
                address_text(address) in wanted
                for item in row.sightings
                if item.ends is not None
                for address in (item.ends.src, item.ends.dst)
            )

        return test

    def _point(self, name: str) -> RowTest:
        if name not in self._labels:
            self._at -= 1
            raise self._wrong(f"the points are {', '.join(self._labels)}")
        point = self._labels.index(name)
        return lambda row, _: point in row.points()

    def _takes(self, word: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at][0] == word:
            self._at += 1
            return True
        return False

    def _next(self, what: str) -> str:
        if self._at == len(self._tokens):
            raise self._wrong(f"{what} is missing")
        self._at += 1
        return self._tokens[self._at - 1][0]

    def _wrong(self, why: str) -> FilterError:
        word, at = self._tokens[self._at] if self._at < len(self._tokens) else ("", len(self._text))
        where = f"at “{clean(word)}” (character {at + 1})" if word else "at its end"
        msg = f"The display filter is wrong {where}: {clean(why)}."
        return FilterError(msg, f"For example: --show '{EXAMPLE}'", position=at, length=len(word))


def _port(number: int) -> RowTest:
    return lambda row, _: any(
        item.ends is not None and item.ends.proto in (TCP, UDP) and number in (item.ends.sport, item.ends.dport)
        for item in row.sightings
    )


def _is_dns(row: PacketRow, _: Sequence[object]) -> bool:
    ends = row.identity.ends
    return ends is not None and ends.proto in (TCP, UDP) and bool(_DNS & {ends.sport, ends.dport})


_WORDS: dict[str, RowTest] = {
    "lost": lambda _, missing: bool(missing),
    "answered": lambda row, _: bool(row.answer_to),
    "translated": lambda row, _: len({item.ends for item in row.sightings}) > 1,
    "retransmission": lambda row, _: "retransmission" in row.words,
    "reset": lambda row, _: "reset" in row.words,
    "arp": lambda row, _: row.identity.ends is None,
    "dns": _is_dns,
}


def _and(left: RowTest, right: RowTest) -> RowTest:
    return lambda row, missing: left(row, missing) and right(row, missing)


def _or(left: RowTest, right: RowTest) -> RowTest:
    return lambda row, missing: left(row, missing) or right(row, missing)


def _not(test: RowTest) -> RowTest:
    return lambda row, missing: not test(row, missing)
