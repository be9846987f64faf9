"""A SYN that conntrack doesn't see isn't translated, but what follows it is: nobody there has that connection."""

from __future__ import annotations

import json
import sys

import pytest

from lab.machines.hosts import OUTSIDE_SERVER, UPLINK_ADDRESS, DemoHost

_ASK = """
import socket, sys
try:
    with socket.create_connection((sys.argv[1], 80), timeout=1) as sock:
        sock.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
        print("answered" if sock.recv(64) else "closed")
except ConnectionResetError:
    print("reset")
except OSError:
    print("nothing")
"""
_ROUTED = f"iptables -I FORWARD -j ACCEPT; ip -n internet route add 172.30.1.0/24 via {UPLINK_ADDRESS}"


@pytest.mark.parametrize(
    ("rule", "verdict", "really"),
    [
        ("-p tcp --syn -j CT --notrack", "data misdelivered", "reset"),
        ("-p tcp -s 172.30.1.0/24 -j CT --notrack", "delivered", "answered"),
    ],
    ids=["the SYN alone", "every packet there"],
)
def test_what_follows_an_untracked_opening(demo_host: DemoHost, rule: str, verdict: str, really: str) -> None:
    demo_host.run("sh", "-ec", f"{_ROUTED}; iptables -t raw -A PREROUTING {rule}")
    said = json.loads(demo_host.dnet("trace", "web", OUTSIDE_SERVER, "--port", "80", "--format", "json").stdout)
    asked = demo_host.run(*demo_host.enter("web"), sys.executable, "-c", _ASK, OUTSIDE_SERVER, check=False)
    assert (said["verdict"], asked.stdout.decode().strip()) == (verdict, really), said
