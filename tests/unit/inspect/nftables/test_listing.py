"""nft's plain listing: the rules' texts by handle."""

from __future__ import annotations

import pytest

from dnet_tui.inspect.nftables.listing import Base, read_texts

LISTING = b"""table inet t { # handle 3
\tset s { # handle 4
\t\ttype ipv4_addr # handle 9
\t}

\tchain c { # handle 1
\t\tcomment "one # handle 9"
\t\ttype filter hook forward priority filter - 10; policy drop;
\t\tip saddr 10.0.0.1 drop # handle 5
\t\t meta mark 0x00000001 accept comment "x # handle 6" # handle 7
\t\tjump {
\t\t\taccept # handle 8
\t\t} # handle 10
\t}
\tchain d { # handle 2
\t}
}
"""


def test_rules_are_found_by_their_handles() -> None:
    found = read_texts(LISTING)
    assert found.rules == {5: "ip saddr 10.0.0.1 drop", 7: 'meta mark 0x00000001 accept comment "x # handle 6"'}
    assert found.chains == {"c": [5, 7, 10], "d": []}
    assert found.bases == {"c": Base("filter", "forward", "filter - 10", "drop", ())}


def test_a_handle_that_stands_there_twice_tells_nothing() -> None:
    assert read_texts(b"\tchain c {\n\t\taccept # handle 5\n\t\tdrop # handle 5\n\t}\n").rules == {}


@pytest.mark.parametrize(
    ("line", "devices"),
    [
        ('ingress device "lo" priority -500', ("lo",)),
        ("ingress devices = { a*b, lo } priority -500", ("a*b", "lo")),
        ('ingress devices = { "eth0", "eth1" } priority -500', ("eth0", "eth1")),
        ("egress priority filter", ()),
    ],
)
def test_a_chains_devices_stand_in_its_first_line(line: str, devices: tuple[str, ...]) -> None:
    text = f"\tchain c {{ # handle 1\n\t\ttype filter hook {line}; policy accept;\n\t}}\n"
    assert read_texts(text.encode()).bases["c"].devices == devices


@pytest.mark.parametrize(
    "text", [b"", b"\xff\xfe", b"\t\taccept # handle 1\n", b"# handle 1", b"\tchain c {\n\taccept # handle 1"]
)
def test_anything_else_has_no_rules(text: bytes) -> None:
    assert read_texts(text).rules == {}
