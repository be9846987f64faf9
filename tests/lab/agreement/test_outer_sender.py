"""Whose socket hangs on a tunnel's outer packet: the inner one's, or nobody's where that came from elsewhere."""

from __future__ import annotations

import json
import sys

import pytest

from lab.machines.hosts import UPLINK_ADDRESS, DemoHost

_PEER = "203.0.113.1"
_ASK = """
import socket
try:
    socket.create_connection(("10.88.0.1", 9), timeout=2)
except ConnectionRefusedError:
    print("refused")
except OSError:
    print("nothing")
"""
_TUNNEL = (
    f"ip link add vx9 type vxlan id 9 local {UPLINK_ADDRESS} remote {_PEER} dstport 4790; "
    f"ip -n internet link add vx9 type vxlan id 9 local {_PEER} remote {UPLINK_ADDRESS} dstport 4790; "
    "ip -n internet addr add 10.88.0.1/24 dev vx9; ip -n internet link set vx9 up; "
    "iptables -I OUTPUT -p udp --dport 4790 -m owner --uid-owner 0 -j DROP; "
)
_IN_THE_HOST = "ip addr add 10.88.0.2/24 dev vx9; ip link set vx9 up"
_MOVED = "ip link set vx9 netns web; ip -n web addr add 10.88.0.2/24 dev vx9; ip -n web link set vx9 up"


@pytest.mark.parametrize(
    ("origin", "where", "verdict", "really"),
    [("host", _IN_THE_HOST, "dropped", "nothing"), ("web", _MOVED, "refused", "refused")],
    ids=["made in the tunnel's namespace", "made in another"],
)
def test_a_rule_for_senders_meets_the_outer_packet(
    demo_host: DemoHost, origin: str, where: str, verdict: str, really: str
) -> None:
    demo_host.run("sh", "-ec", _TUNNEL + where)
    said = json.loads(demo_host.dnet("trace", origin, "10.88.0.1", "--port", "9", "--format", "json").stdout)
    asked = demo_host.run(*demo_host.enter(origin), sys.executable, "-c", _ASK, check=False)
    assert (said["verdict"], asked.stdout.decode().strip()) == (verdict, really), said
