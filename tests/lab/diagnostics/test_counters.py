"""Counters of lost packets, read live: what grows and nothing explains is said."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from dnet_tui.inspect.model import KernelCounters, known_items
from lab.faults.machinery import doctor
from lab.machines.hosts import DemoHost, python_argv

_FULL = """
import socket, time
# A program that listens and never takes a connection: its queue holds two.
server = socket.socket()
server.bind(("127.0.0.1", 7777))
server.listen(1)
clients = []
for _ in range(12):
    client = socket.socket()
    client.setblocking(False)
    try:
        client.connect(("127.0.0.1", 7777))
    except BlockingIOError:
        pass
    clients.append(client)
deadline = time.monotonic() + 60
while time.monotonic() < deadline:
    words = open("/proc/net/netstat").read().splitlines()
    names, values = words[0].split(), words[1].split()
    if int(values[names.index("ListenDrops")]) >= 8:
        break
    time.sleep(0.1)
"""


@pytest.fixture(scope="module")
def host() -> Iterator[DemoHost]:
    with DemoHost.start() as started:
        yield started


def test_connections_that_nobody_takes_are_counted_and_said(host: DemoHost) -> None:
    saved = host.dnet("snapshot", "save", "/run/before.json")
    assert saved.returncode == 0, saved.stderr.decode()
    host.run(*python_argv(_FULL))
    report = doctor(host, "--since", "/run/before.json")
    told = [item for item in report["findings"] if item["check"] == "drops-growing"]
    assert [item["subject"]["name"] for item in told] == ["TcpExt.ListenDrops"]
    assert int(told[0]["evidence"][0]["value"].removeprefix("+")) >= 8


def test_counters_are_read_of_the_hosts_own_namespace_alone(host: DemoHost) -> None:
    spaces = known_items(host.snapshot().namespaces)
    counted = [ns for ns in spaces if isinstance(ns.counters, KernelCounters)]
    assert [ns.kind for ns in counted] == ["host"]
    values = counted[0].counters
    assert isinstance(values, KernelCounters)
    said = host.run("cat", "/proc/net/snmp").stdout.decode()
    assert all(name in said for name in ("InDiscards", "OutNoRoutes"))
    assert {"Ip.InDiscards", "TcpExt.ListenDrops", "softnet.dropped"} <= values.values.keys()
    assert json.dumps(values.values)
