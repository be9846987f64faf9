"""Queues that throw away what they are given, and loopbacks that are down."""

from __future__ import annotations

from lab.differential.features.draft import Draft, address
from lab.differential.spec import HOST, OUTSIDE, OUTSIDE_SERVER, UPLINK, UPLINK_ADDRESS

_QUEUES = (
    "blackhole",
    "pfifo limit 0",
    "pfifo limit 10",
    "pfifo_head_drop limit 0",
    "bfifo limit 0",
    "bfifo limit 20",
    "bfifo limit 100000",
    "tbf rate 1mbit burst 10b latency 1ms",
    "tbf rate 100mbit burst 100kb latency 100ms",
    "pfifo_fast",
    "htb default 1",
)


def queues(draft: Draft) -> None:
    """Root queues, some of which take nothing, on the host's devices and containers'; a container without loopback."""
    box = draft.box()
    places = [
        (HOST, UPLINK),
        (HOST, draft.bridge().name),
        (HOST, draft.port(box)),
        (box.name, "eth0"),
        (box.name, "lo"),
    ]
    for place, link in draft.random.sample(places, 2):
        draft.step(place, f"tc qdisc replace dev {link} root {draft.pick(_QUEUES)}")
    if draft.chance(0.4):
        draft.step(draft.pick((box.name, box.name, HOST)), "ip link set lo down")
    for origin in (HOST, OUTSIDE, box.name, draft.box().name):
        for dst in (UPLINK_ADDRESS, OUTSIDE_SERVER, address(draft.home(box)), address(box)):
            if origin != OUTSIDE or dst != OUTSIDE_SERVER:
                draft.probes(origin, dst, real=draft.chance(0.3))
    draft.probe(box.name, "127.0.0.1", "udp", 53)
