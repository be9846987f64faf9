"""The kernel's counters, of the texts it writes."""

from __future__ import annotations

import pytest

from dnet_tui.inspect.kernel.sockets.counters import parse_softnet, parse_tables

SNMP = b"""Ip: Forwarding DefaultTTL InReceives InHdrErrors
Ip: 1 64 4711 2
Tcp: RtoAlgorithm MaxConn
Tcp: 1 -1
Sctp: CurrEstab
Sctp: 3
"""


def test_pairs_of_lines_become_counters_by_group_and_name() -> None:
    found = parse_tables(SNMP)
    assert (found["Ip.InReceives"], found["Ip.InHdrErrors"], found["Tcp.MaxConn"]) == (4711, 2, -1)
    assert not any(name.startswith("Sctp") for name in found)


def test_what_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        parse_tables(b"Ip: InReceives\nIp: many\n")


def test_drops_of_all_processors_are_added_up() -> None:
    assert parse_softnet(b"000000ff 0000000a 0\n00000001 00000001 0\n") == {"softnet.dropped": 11}


def test_a_line_without_its_second_column_is_refused() -> None:
    with pytest.raises(ValueError, match="second column"):
        parse_softnet(b"000000ff\n")
