"""Which rules iptables-save shows truly, told from their raw expressions."""

from __future__ import annotations

import pytest

from dnet_tui.inspect.kernel.netlink import attribute
from dnet_tui.inspect.kernel.nfnetlink_tables import NftRule, NftTable, parse_rule_message, parse_table
from dnet_tui.inspect.model.firewall import TableFamily
from dnet_tui.inspect.ruleset.iptables_fidelity import shown_truly


def expr(name: str, *numbers: tuple[int, int], raw: bytes = b"") -> bytes:
    """One element of a rule: attributes (kind, 32-bit value) and raw ones."""
    data = b"".join(attribute(kind, value.to_bytes(4, "big")) for kind, value in numbers) + raw
    return attribute(1, attribute(1, name.encode() + b"\0") + attribute(2, data))


def load(base: int, offset: int, length: int) -> bytes:
    return expr("payload", (1, 8), (2, base), (3, offset), (4, length))


def meta(key: int) -> bytes:
    return expr("meta", (2, key), (1, 8))


def cmp(op: int = 0) -> bytes:
    return expr("cmp", (1, 8), (2, op), raw=attribute(3, attribute(1, b"\x0a\0\0\1")))


def mask(flips: bytes = b"\0\0\0\0", shift: int = 0) -> bytes:
    values = attribute(4, attribute(1, b"\xff\0\0\0")) + attribute(5, attribute(1, flips))
    return expr("bitwise", (1, 8), (2, 8), (3, 4), (6, shift), raw=values)


COUNTER = expr("counter", (1, 0), (2, 0))
DROP = expr("immediate", (1, 0), raw=attribute(2, attribute(2, attribute(1, b"\0\0\0\0"))))
SADDR, DADDR, DPORT = load(1, 12, 4), load(1, 16, 4), load(2, 2, 2)
L4PROTO, OIFNAME, MARK = 16, 7, 3

OWN = {
    "nothing but a verdict": DROP,
    "an xt match and target": expr("match", (2, 1)) + COUNTER + expr("target", (2, 2)),
    "addresses": SADDR + cmp() + DADDR + cmp(1) + COUNTER + DROP,
    "a prefix of whole bytes": load(1, 12, 2) + cmp() + DROP,
    "a masked address": SADDR + mask() + cmp() + DROP,
    "interface and protocol": meta(OIFNAME) + cmp(1) + meta(L4PROTO) + cmp() + DROP,
    "a range of ports": meta(L4PROTO) + cmp() + DPORT + expr("range", (1, 8), (2, 1)) + DROP,
    "both ports at once": meta(L4PROTO) + cmp() + load(2, 0, 4) + cmp() + DROP,
    "tcp flags": load(2, 13, 1) + mask() + cmp() + DROP,
    "a masked mark": meta(MARK) + mask() + cmp() + DROP,
    "a limit": expr("limit", (4, 0), (5, 0)) + COUNTER + DROP,
    "NFLOG": expr("log", (1, 1)),
}
FOREIGN = {
    "a set": SADDR + expr("lookup", (1, 1), (2, 8)) + DROP,
    "an address range": SADDR + cmp(5) + cmp(3) + DROP,
    "a range on an address": SADDR + expr("range", (1, 8), (2, 0)) + DROP,
    "the same field twice": SADDR + cmp() + SADDR + cmp(1) + DROP,
    "two tests of one load": SADDR + cmp() + cmp(1) + DROP,
    "a test of nothing": cmp() + DROP,
    "both ports and one again": load(2, 0, 4) + cmp() + DPORT + cmp() + DROP,
    "both ports, not together": load(2, 0, 4) + cmp(1) + DROP,
    "both ports, as one range": load(2, 0, 4) + expr("range", (1, 8), (2, 0)) + DROP,
    "a field iptables has no place for": load(2, 4, 4) + cmp() + DROP,
    "the hop limit": load(1, 8, 1) + cmp() + DROP,
    "an address that is only part of one": load(1, 13, 2) + cmp() + DROP,
    "a longer load": load(1, 12, 8) + cmp() + DROP,
    "another meta key": meta(10) + cmp() + DROP,
    "a mark that is set": expr("immediate", (1, 8)) + expr("meta", (2, MARK), (3, 8)),
    "a masked port": DPORT + mask() + cmp() + DROP,
    "a mask that flips bits": SADDR + mask(flips=b"\1\0\0\0") + cmp() + DROP,
    "a shift": SADDR + mask(shift=1) + cmp() + DROP,
    "a written payload": expr("payload", (5, 8), (2, 1), (3, 12), (4, 4)),
    "a limit in bytes": expr("limit", (4, 1), (5, 0)) + DROP,
    "a limit that is exceeded": expr("limit", (4, 0), (5, 1)) + DROP,
    "nft's log": expr("log", (3, 0)),
    "an expression of tomorrow": expr("oracle") + DROP,
}


@pytest.mark.parametrize("name", OWN)
def test_what_iptables_writes_is_trusted(name: str) -> None:
    assert shown_truly(OWN[name], "ip")


@pytest.mark.parametrize("name", FOREIGN)
def test_what_only_nft_writes_is_not_trusted(name: str) -> None:
    assert not shown_truly(FOREIGN[name], "ip")


@pytest.mark.parametrize(
    ("family", "offset", "length", "trusted"),
    [("ip6", 8, 16, True), ("ip6", 24, 8, True), ("ip6", 12, 4, False), ("ip", 8, 16, False), ("ip6", 9, 1, False)],
)
def test_each_family_has_its_own_header(family: TableFamily, offset: int, length: int, trusted: bool) -> None:
    assert shown_truly(load(1, offset, length) + cmp() + DROP, family) is trusted


def test_tables_and_rules_are_read_from_their_messages() -> None:
    generic = bytes([2, 0, 0, 0])
    table = generic + attribute(1, b"filter\0") + attribute(2, (1).to_bytes(4, "big")) + attribute(3, b"\0\0\0\7")
    assert parse_table(table) == NftTable("ip", "filter", dormant=True, empty=False)
    empty = generic + attribute(1, b"x\0") + attribute(2, b"\0\0\0\0") + attribute(3, b"\0\0\0\0")
    assert parse_table(empty) == NftTable("ip", "x", dormant=False, empty=True)
    rule = generic + attribute(1, b"filter\0") + attribute(2, b"FORWARD\0") + attribute(3, (7).to_bytes(8, "big"))
    assert parse_rule_message(rule + attribute(4, DROP)) == NftRule("FORWARD", 7, DROP)


@pytest.mark.parametrize("junk", [b"", b"\0", b"\xff" * 40, b"\x04\0\1\0" * 5])
def test_junk_does_not_crash(junk: bytes) -> None:
    shown_truly(junk, "ip")
    shown_truly(attribute(1, junk), "ip6")
    parse_rule_message(b"\2\0\0\0" + junk)
