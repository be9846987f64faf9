"""What a policy rule leads to the host is answered only by a socket that may have others' addresses."""

from __future__ import annotations

import json
import sys

import pytest

from lab.machines.hosts import OUTSIDE_SERVER, DemoHost

PORT = "20560"
_SERVE = """
import socket, sys
server = socket.socket()
server.setsockopt(socket.SOL_IP, socket.IP_TRANSPARENT, int(sys.argv[1]))
server.bind(("", int(sys.argv[2])))
server.listen()
while True:
    client, _ = server.accept()
    client.sendall(b"the host")
    client.close()
"""
_ASK = """
import socket, sys
try:
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=1) as sock:
        print("answered" if sock.recv(64) else "closed")
except ConnectionRefusedError:
    print("refused")
except OSError:
    print("nothing")
"""
_LED = "ip rule add iif br-front to 198.51.100.0/24 pref 90 lookup 177; ip route add local 0.0.0.0/0 dev lo table 177"


@pytest.mark.parametrize(
    ("transparent", "verdict", "really"),
    [("1", "delivered", "answered"), ("0", "answer dropped", "nothing"), ("", "answer dropped", "nothing")],
    ids=["transparent", "plain", "no socket"],
)
def test_only_a_transparent_socket_answers(demo_host: DemoHost, transparent: str, verdict: str, really: str) -> None:
    demo_host.run("sh", "-ec", _LED)
    server = None
    if transparent:
        server = demo_host.sandbox.popen([sys.executable, "-c", _SERVE, transparent, PORT])
        demo_host.run("sh", "-c", f"until ss -Hltn sport = :{PORT} | grep -q LISTEN; do sleep 0.1; done")
    try:
        said = json.loads(demo_host.dnet("trace", "web", OUTSIDE_SERVER, "--port", PORT, "--format", "json").stdout)
        asked = demo_host.run(*demo_host.enter("web"), sys.executable, "-c", _ASK, OUTSIDE_SERVER, PORT, check=False)
    finally:
        if server is not None:
            server.kill()
            server.wait()
    assert (said["verdict"], asked.stdout.decode().strip()) == (verdict, really), said


def test_an_address_of_the_local_table_is_the_hosts_own(demo_host: DemoHost) -> None:
    demo_host.run("sh", "-ec", f"ip route add local {OUTSIDE_SERVER} dev lo")
    said = json.loads(demo_host.dnet("trace", "web", OUTSIDE_SERVER, "--port", PORT, "--format", "json").stdout)
    asked = demo_host.run(*demo_host.enter("web"), sys.executable, "-c", _ASK, OUTSIDE_SERVER, PORT, check=False)
    assert (said["verdict"], asked.stdout.decode().strip()) == ("refused", "refused"), said["why"]
