"""Tells which rules of an iptables table iptables can't show truly.  Pure.

``iptables-nft-save`` prints rules that were added by ``nft`` to a table of
iptables, and leaves out what it doesn't understand: ``ip saddr @blocked drop``
comes out as ``-j DROP``.  (Observed with 1.8.9; an anonymous set, a verdict
map, a range of addresses, a TCP sequence number likewise.)  Believing that
would be worse than not reading it.

A rule is trusted only if it is made of what iptables-nft itself writes: xt
matches and targets, and a few native loads and comparisons, each at most once
(source: ``add_match`` in iptables' nft.c and the lists in nft-shared.c).
"""

from __future__ import annotations

import struct
from functools import lru_cache

from dnet_tui.inspect.kernel.netlink import attribute, attributes
from dnet_tui.inspect.kernel.nfnetlink_tables import elements
from dnet_tui.inspect.model.firewall import TableFamily
from dnet_tui.inspect.text.encoding import text

_NFTRACE = 12
_MARK, _IIFNAME, _OIFNAME, _L4PROTO = 3, 6, 7, 16  # enum nft_meta_keys
_META = {_MARK: "mark", _IIFNAME: "iif", _OIFNAME: "oif", _L4PROTO: "proto"}
_NETWORK, _TRANSPORT = 1, 2  # enum nft_payload_bases
_EQ, _NEQ = 0, 1
_OPERATIONS = {_EQ: "equals", _NEQ: "differs"}
_PLAIN = tuple(attribute(1, name) for name in (b"match\0", b"target\0", b"counter\0"))
"""How the expressions begin that are plain whatever follows: with their name (NFTA_EXPR_NAME)."""
_CMP = attribute(1, b"cmp\0")
_CMP_START = struct.Struct("=HHHHIHH4s")
"""What follows: the head of NFTA_EXPR_DATA, NFTA_CMP_SREG, NFTA_CMP_OP."""
_CMP_HEAD = slice(len(_CMP), len(_CMP) + _CMP_START.size)
_PORTS = frozenset({"sport", "dport"})
_TESTS = frozenset({"equals", "differs", "range"})
_BOTH_PORTS = "both ports"
"""Source and destination port are loaded at once when each must be one number."""
_REPEATED = frozenset({"mark"})
"""What iptables prints as often as it stands there, each time as a match of its own."""
_MASKED = frozenset({"mark", "saddr", "daddr", "tcp-flags", "fragment"})
_ADDRESSES: dict[str, tuple[int, int, int]] = {"ip": (12, 16, 4), "ip6": (8, 24, 16)}
"""Per family: the offsets of source and destination in the header, and an address's length."""


def shown_truly(expressions: bytes, family: TableFamily) -> bool:
    """Whether ``iptables-nft-save`` prints a rule with these expressions completely."""
    return _is_ours(tuple([_word(element, family) for element in elements(expressions)]))


@lru_cache(maxsize=4096)
def _is_ours(words: tuple[str, ...]) -> bool:
    """Whether iptables writes a rule of this make.  Kept: thousands of rules are of a few makes."""
    seen: set[str] = set()
    loaded = ""
    traced = False
    for word in words:
        if word == "unknown" or (traced is True and word != "trace"):
            return False
        if word in {"value", "trace"}:
            # iptables' TRACE: the value 1, and at once where it goes.
            if (word == "trace") is not traced:
                return False
            traced = word == "value"
            continue
        if word.startswith("load "):
            loaded = word[5:]
            places = _PORTS if loaded == _BOTH_PORTS else {loaded} - _REPEATED
            if seen & places:
                # iptables has one place for each: of two conditions it would print the last.
                return False
            seen |= places
        elif not _fits(word, loaded):
            return False
        elif word in _TESTS:
            # What was loaded is tested once; a second test of it would be lost.
            loaded = ""
    return not traced


def _fits(word: str, loaded: str) -> bool:
    """Whether iptables writes this kind of test on what was loaded before it."""
    if word == "plain":
        return True
    if word == "mask":
        return loaded in _MASKED
    if word == "range":
        return loaded in _PORTS
    return bool(loaded) and not (word == "differs" and loaded == _BOTH_PORTS)


def _word(element: bytes, family: TableFamily) -> str:
    """What one expression is: ``plain``, ``load WHAT``, ``equals``, ``differs``, ``range``, ``mask`` or ``unknown``."""
    if element.startswith(_PLAIN):
        return "plain"
    if element.startswith(_CMP):
        word = _cmp(element[_CMP_HEAD])
        if word:
            return word
    return _any_word(element, family)


@lru_cache(maxsize=64)
def _cmp(head: bytes) -> str:
    """A comparison by its beginning, in front of the value, which doesn't matter; empty if it isn't as usual."""
    if len(head) != _CMP_START.size:
        return ""
    _, _, length1, kind1, _, length2, kind2, operation = _CMP_START.unpack(head)
    if (length1, kind1, length2, kind2) != (8, 1, 8, 2):
        return ""
    return _OPERATIONS.get(int.from_bytes(operation, "big"), "unknown")


@lru_cache(maxsize=4096)
def _any_word(element: bytes, family: TableFamily) -> str:
    found = attributes(element)
    name = text(found.get(1, b""))
    if name in {"match", "target", "counter"}:
        return "plain"
    return _native(name, found.get(2, b""), family)


def _native(name: str, data: bytes, family: TableFamily) -> str:
    raw = attributes(data)
    found = {kind: int.from_bytes(value, "big") for kind, value in raw.items()}
    if name == "meta" and found.get(2) == _NFTRACE and 3 in found and 1 not in found:
        return "trace"
    if name == "meta":
        what = _META.get(found.get(2, -1)) if 1 in found and 3 not in found else None
        return f"load {what}" if what else "unknown"
    if name == "payload":
        what = _payload(found, family) if 5 not in found else ""
        return f"load {what}" if what else "unknown"
    if name == "cmp":
        return _OPERATIONS.get(found.get(2, -1), "unknown")
    if name == "range":
        return "range" if found.get(2) in {_EQ, _NEQ} else "unknown"
    if name == "bitwise":
        shifts = found.get(6, 0)
        flips = any(value.strip(b"\0") for value in elements(raw.get(5, b"")))
        return "unknown" if shifts or flips else "mask"
    if name == "immediate":
        return "plain" if found.get(1) == 0 else "value"
    if name == "limit":
        return "plain" if not found.get(4, 0) and not found.get(5, 0) else "unknown"
    if name == "log":
        return "plain" if 1 in found else "unknown"
    return "unknown"


def _payload(found: dict[int, int], family: TableFamily) -> str:
    """What a payload expression loads, if iptables writes such loads; otherwise an empty string."""
    base, offset, length = (found.get(number, -1) for number in (2, 3, 4))
    known = {(_TRANSPORT, 0, 2): "sport", (_TRANSPORT, 2, 2): "dport", (_TRANSPORT, 13, 1): "tcp-flags"}
    known[_TRANSPORT, 0, 4] = _BOTH_PORTS
    if family == "ip":
        known |= {(_NETWORK, 9, 1): "proto", (_NETWORK, 6, 2): "fragment"}
    source, destination, longest = _ADDRESSES.get(family, (0, 0, 0))
    if base == _NETWORK and 0 < length <= longest:
        # A prefix of whole bytes is compared by loading just these.
        known |= {(_NETWORK, source, length): "saddr", (_NETWORK, destination, length): "daddr"}
    return known.get((base, offset, length), "")
