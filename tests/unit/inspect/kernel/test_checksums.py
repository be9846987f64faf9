"""The counters of wrong checksums, as /proc/net/snmp has them."""

from __future__ import annotations

import pytest

from dnet_tui.inspect.kernel.checksums import parse_checksums, read_checksums
from dnet_tui.inspect.model import ChecksumCounts

SNMP = b"""Ip: Forwarding DefaultTTL
Ip: 1 64
Tcp: RtoAlgorithm InSegs OutSegs RetransSegs InErrs OutRsts InCsumErrors
Tcp: 1 51517 29910 0 7 279 5
Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors
Udp: 792 20 0 818 0 0 3 0 0
UdpLite: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors
UdpLite: 1 0 0 0 0 0 9 0 0
"""


def test_both_protocols_are_read_by_the_names_of_their_columns() -> None:
    assert parse_checksums(SNMP) == ChecksumCounts(tcp=51517, tcp_bad=5, udp=792, udp_bad=3)


@pytest.mark.parametrize("raw", [b"", b"Tcp: InSegs\nTcp: 1\n", SNMP.replace(b"InCsumErrors", b"Other")])
def test_a_kernel_that_does_not_count_them_is_not_taken_for_one_without_errors(raw: bytes) -> None:
    assert parse_checksums(raw) is None


def test_this_kernels_own_can_be_read() -> None:
    counts = read_checksums()
    assert counts is not None
    assert counts.tcp >= counts.tcp_bad >= 0
