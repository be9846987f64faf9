"""Tracked connections, compared with what conntrack(8) says: real ones, and one of every kind made with it."""

from __future__ import annotations

import platform
import re
from typing import Any

import msgspec
import pytest

from dnet_tui.actions.demo.requirements import missing
from dnet_tui.inspect.kernel.sockets.conntrack import ConntrackTable
from dnet_tui.inspect.model import ConntrackEntry, ConntrackTuple, Snapshot
from lab.machines.docker_host import DockerHost
from lab.machines.hosts import OUTSIDE_SERVER, UPLINK_ADDRESS, DemoHost, LabHost, python_argv
from lab.machines.requirements import decline
from lab.packets.traffic import Probe, Went, expect

_READ = """
import sys
import msgspec
from dnet_tui.inspect.kernel.sockets.conntrack import read_conntrack
from dnet_tui.inspect.kernel.sockets.conntrack_parse import ConntrackFilter
sys.stdout.buffer.write(msgspec.json.encode(read_conntrack({})))
"""

MADE: tuple[tuple[str, ...], ...] = (
    ("-p", "tcp", "--sport", "1000", "--dport", "80", "--state", "ESTABLISHED", "-u", "SEEN_REPLY,ASSURED"),
    ("-p", "tcp", "--sport", "1001", "--dport", "80", "--state", "SYN_SENT", "-m", "8192"),
    ("-p", "udp", "--sport", "1002", "--dport", "53", "-w", "5"),
    ("-p", "udp", "--sport", "1003", "--dport", "53", "--orig-zone", "7"),
    ("-p", "udp", "--sport", "1004", "--dport", "53", "--src-nat", "203.0.113.2"),
    ("-p", "tcp", "--sport", "1005", "--dport", "8080", "--state", "NONE", "--dst-nat", "172.17.0.2:80"),
    (
        "-p",
        "sctp",
        "--orig-port-src",
        "1006",
        "--orig-port-dst",
        "9",
        "--state",
        "ESTABLISHED",
        "--orig-vtag",
        "1",
        "--reply-vtag",
        "2",
    ),
    ("-p", "icmp", "--icmp-type", "8", "--icmp-code", "0", "--icmp-id", "77"),
)
"""Entries to be made, between the same two addresses."""


def require_conntrack() -> None:
    if missing("conntrack"):
        decline("not installed: conntrack")


def said(host: LabHost) -> dict[int, dict[str, Any]]:
    """``conntrack -L -o extended,id``, both families, by the entry's id."""
    found: dict[int, dict[str, Any]] = {}
    for family in ("ipv4", "ipv6"):
        for line in host.run("conntrack", "-L", "-f", family, "-o", "extended,id").stdout.decode().splitlines():
            words = line.split()
            if not words or words[0] != family:
                continue
            pairs = re.findall(r"(\S+?)=(\S+)", line)
            starts = [index for index, (key, _) in enumerate(pairs) if key == "src"]
            last = next(index for index, (key, _) in enumerate(pairs) if key in ("mark", "zone", "use"))
            ids = [value for key, value in pairs[last:] if key == "id"]
            plain = dict(pairs)
            flags = re.findall(r"\[(\w+)\]", line)
            found[int(ids[0])] = {
                "family": family,
                "proto": words[2],
                "state": words[5] if words[5].isupper() and words[5][0] != "[" and "=" not in words[5] else "",
                "original": way(pairs[starts[0] : starts[1]]),
                "reply": way(pairs[starts[1] : last]),
                "assured": "ASSURED" in flags,
                "unreplied": "UNREPLIED" in flags,
                "mark": int(plain.get("mark", "0")),
                "zone": int(plain.get("zone", "0")),
            }
    return found


def way(pairs: list[tuple[str, str]]) -> dict[str, str]:
    return dict(pairs)


NAMED = frozenset({"tcp", "udp", "icmp", "icmpv6", "sctp", "dccp", "gre", "udplite"})
"""The protocols that conntrack has a name for (conntrack-tools, src/conntrack.c)."""


def as_said(entry: ConntrackEntry) -> dict[str, Any]:
    return {
        "family": "ipv4" if entry.family == "ip" else "ipv6",
        "proto": entry.proto if entry.proto in NAMED else "unknown",
        "state": entry.state,
        "original": tuple_as_said(entry.original, "zone-orig"),
        "reply": tuple_as_said(entry.reply, "zone-reply"),
        "assured": "assured" in entry.status,
        "unreplied": "seen-reply" not in entry.status,
        "mark": entry.mark,
        "zone": entry.zone,
    }


def tuple_as_said(one: ConntrackTuple, zone: str) -> dict[str, str]:
    pairs = {
        "src": one.src,
        "dst": one.dst,
        "sport": one.sport,
        "dport": one.dport,
        "type": one.icmp_type,
        "code": one.icmp_code,
        "id": one.icmp_id,
        zone: one.zone,
    }
    return {key: str(value) for key, value in pairs.items() if value is not None}


def read(host: LabHost, arguments: str = "") -> ConntrackTable:
    raw = host.run(*python_argv(_READ.replace("{}", arguments))).stdout
    return msgspec.json.decode(raw, type=ConntrackTable)


def agreeing(host: LabHost) -> tuple[ConntrackTable, dict[int, dict[str, Any]]]:
    """A reading during which nothing changed, and what conntrack(8) said at the time."""
    for _ in range(10):
        before = said(host)
        table = read(host)
        if said(host) == before:
            return table, before
    pytest.fail("the table never kept still")


def make(host: DemoHost) -> None:
    for words in MADE:
        host.run("conntrack", "-I", "-s", "10.9.0.1", "-d", "10.9.0.2", "--timeout", "300", *words)
    host.run("conntrack", "-I", "-s", "fd00::1", "-d", "fd00::2", "-t", "300", *MADE[0])


def test_entries_of_every_kind_are_as_conntrack_says(demo_host: DemoHost) -> None:
    require_conntrack()
    make(demo_host)
    table, theirs = agreeing(demo_host)
    assert {entry.id: as_said(entry) for entry in table.entries} == theirs
    assert len(theirs) > len(MADE)
    assert table.stopped == ""
    assert (table.count or 0) >= len(theirs)
    assert (table.maximum or 0) > 0
    for entry in table.entries:
        assert entry.timeout is not None
        assert 0 < entry.timeout <= 432_000


def test_a_reading_is_bounded_and_filtered(demo_host: DemoHost) -> None:
    require_conntrack()
    make(demo_host)
    cut = read(demo_host, "limit=3")
    assert len(cut.entries) == 3
    assert "more than the 3" in cut.stopped
    whole = read(demo_host, f"limit={len(MADE) + 1}, wanted=ConntrackFilter(addresses=('10.9.0.1', 'fd00::1'))")
    assert (len(whole.entries), whole.stopped) == (len(MADE) + 1, "")
    behind = read(demo_host, "wanted=ConntrackFilter(addresses=('172.17.0.2',))")
    assert [(entry.original.dport, entry.reply.src, entry.reply.sport) for entry in behind.entries] == [
        (8080, "172.17.0.2", 80)
    ]
    assert "dst-nat" in behind.entries[0].status
    ports = read(demo_host, "wanted=ConntrackFilter(ports=(53,), protos=('udp',), addresses=('10.9.0.2',))")
    assert {entry.original.sport for entry in ports.entries} == {1002, 1003, 1004}
    late = read(demo_host, "seconds=-1.0")
    assert (late.entries, "time limit" in late.stopped) == ((), True)


_UDP = """
import sys
import msgspec
from dnet_tui.inspect.kernel.sockets.conntrack import read_conntrack, read_udp, udp_to
told = read_conntrack(ask=udp_to(53), family=2)
sys.stdout.buffer.write(msgspec.json.encode([read_udp(53), told]))
"""


def test_the_kernel_itself_finds_udp_connections_by_port(demo_host: DemoHost) -> None:
    require_conntrack()
    make(demo_host)
    raw = demo_host.run(*python_argv(_UDP)).stdout
    wanted, told = msgspec.json.decode(raw, type=tuple[ConntrackTable, ConntrackTable])
    assert {entry.original.sport for entry in wanted.entries} == {1002, 1003, 1004}
    if tuple(int(part) for part in platform.release().split(".")[:2]) >= (5, 8):
        assert {entry.original.sport for entry in told.entries} == {1002, 1003, 1004}


def test_counters_are_those_of_conntrack(demo_host: DemoHost) -> None:
    require_conntrack()
    expect(demo_host, {Probe("host", "web", 80): Went.OK})
    said_there = demo_host.run("conntrack", "-S").stdout.decode()
    sums = {
        name: sum(map(int, re.findall(rf"\b{name}=(\d+)", said_there)))
        for name in ("invalid", "insert_failed", "drop", "early_drop")
    }
    host = next(item for item in demo_host.snapshot().namespaces if item.kind == "host")
    assert host.conntrack_counts is not None
    assert msgspec.structs.asdict(host.conntrack_counts) == sums


_SNAPSHOT = """
import sys
import msgspec
from dnet_tui.inspect.kernel.sockets.conntrack_parse import ConntrackFilter
from dnet_tui.inspect.snapshot.take_snapshot import Options, take_snapshot
options = Options(conntrack={limit}, conntrack_filter=ConntrackFilter(addresses=({address!r},)))
sys.stdout.buffer.write(msgspec.json.encode(take_snapshot(options)))
"""


def test_a_real_hosts_connections_are_as_conntrack_says(docker_host: DockerHost) -> None:
    require_conntrack()
    web = docker_host.addresses["web"]
    expect(
        docker_host,
        {
            Probe("outside", UPLINK_ADDRESS, 8080, answers="web"): Went.OK,
            Probe("app1", OUTSIDE_SERVER, proto="icmp"): Went.OK,
            Probe("host", "web", 80): Went.OK,
        },
    )
    table, theirs = agreeing(docker_host)
    assert {entry.id: as_said(entry) for entry in table.entries} == theirs
    published = next(entry for entry in table.entries if entry.original.dport == 8080)
    assert (published.original.dst, published.reply.src, published.reply.sport) == (UPLINK_ADDRESS, web, 80)
    assert "dst-nat" in published.status
    ping = next(entry for entry in table.entries if entry.proto == "icmp" and entry.original.dst == OUTSIDE_SERVER)
    assert (ping.original.src, ping.reply.dst) == (docker_host.addresses["app1"], UPLINK_ADDRESS)
    assert "src-nat" in ping.status


def test_a_snapshot_holds_connections_only_when_asked(docker_host: DockerHost) -> None:
    expect(docker_host, {Probe("host", "web", 80): Went.OK})
    assert all(space.conntrack == () for space in docker_host.snapshot().namespaces)
    web = docker_host.addresses["web"]

    def taken(limit: int) -> Snapshot:
        raw = docker_host.run(*python_argv(_SNAPSHOT.format(limit=limit, address=web))).stdout
        return msgspec.json.decode(raw, type=Snapshot)

    whole = taken(1000)
    host = next(item for item in whole.namespaces if item.kind == "host")
    assert host.conntrack
    for entry in host.conntrack:
        assert web in {entry.original.src, entry.original.dst, entry.reply.src, entry.reply.dst}
    assert [gap for gap in whole.gaps if gap.section == "conntrack"] == []
    expect(docker_host, {Probe("host", "web", 80): Went.OK})
    cut = taken(1)
    assert [gap.scope for gap in cut.gaps if gap.section == "conntrack" and gap.scope == host.id] == [host.id]


_DENIED = """
import os
from dnet_tui.inspect.kernel.sockets.conntrack import read_conntrack
os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    read_conntrack()
except PermissionError:
    print("denied")
"""


def test_without_privilege_it_is_denied_not_empty(docker_host: DockerHost) -> None:
    assert docker_host.run(*python_argv(_DENIED)).stdout == b"denied\n"
