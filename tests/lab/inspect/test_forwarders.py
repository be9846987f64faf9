"""A program on the host that passes on connections to a container: found by its real sockets, and its second leg."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.trace.endpoints import find
from dnet_tui.diagnostics.trace.trace import Trace, trace
from dnet_tui.inspect.model import Forwarder
from lab.machines.docker_host import DockerHost
from lab.machines.hosts import python_argv

PORT = 7070
PROGRAM = """
import os, socket, threading
listener = socket.create_server(("0.0.0.0", PORT))
def copy(one, other):
    while data := one.recv(4096):
        other.sendall(data)
    other.shutdown(socket.SHUT_WR)
held = socket.create_connection((TARGET, 80))
print(os.getpid(), flush=True)
while True:
    client, _ = listener.accept()
    backend = socket.create_connection((TARGET, 80))
    for pair in ((client, backend), (backend, client)):
        threading.Thread(target=copy, args=pair, daemon=True).start()
"""


@pytest.fixture
def relayed(docker_host: DockerHost) -> Iterator[DockerHost]:
    code = PROGRAM.replace("PORT", str(PORT)).replace("TARGET", repr(docker_host.addresses["web"]))
    program = docker_host.sandbox.popen(
        list(python_argv(code)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, environment=docker_host.environment
    )
    assert program.stdout is not None
    with program.stdout as said:
        pid = said.readline().strip().decode()
        assert pid.isdigit()
        yield docker_host
        docker_host.run("kill", pid)  # what was started here only leads into the host
    program.wait()


def seen(host: DockerHost) -> tuple[tuple[Forwarder, ...], Trace]:
    snapshot = host.snapshot()
    case = HostContext(snapshot)
    found = trace(case, find(case, "host"), find(case, "127.0.0.1"), port=PORT)
    return tuple(item for item in snapshot.forwarders if item.host_port == PORT), found


def test_its_sockets_show_both_sides(relayed: DockerHost) -> None:
    own, found = seen(relayed)
    assert [(item.to_ip, item.to_port, item.certain) for item in own] == [(relayed.addresses["web"], 80, False)]
    assert (found.arrives, found.received_by) == (True, "web")
    request = "s.sendall(b'GET /hostname HTTP/1.0\\r\\n\\r\\n'); print(s.makefile().read())"
    code = f"import socket; s = socket.create_connection(('127.0.0.1', {PORT}), 2); {request}"
    assert "web" in relayed.run("python3", "-c", code).stdout.decode()


def test_where_its_way_is_cut_nothing_is_sure(relayed: DockerHost) -> None:
    relayed.run("iptables-nft", "-I", "OUTPUT", "1", "-o", "docker0", "-p", "tcp", "--dport", "80", "-j", "DROP")
    try:
        _, found = seen(relayed)
        assert found.relay is not None
        assert found.relay.forward.end == "dropped"
        assert found.arrives is None
    finally:
        relayed.run("iptables-nft", "-D", "OUTPUT", "-o", "docker0", "-p", "tcp", "--dport", "80", "-j", "DROP")


def test_no_other_program_of_the_host_is_taken_for_one(docker_host: DockerHost) -> None:
    assert docker_host.snapshot().forwarders == ()
