"""Queues that throw all away, loopbacks that are down, policy rules for ports and users."""

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


_SELECTORS = (
    "ipproto tcp dport 80",
    "ipproto udp",
    "ipproto tcp sport 20001-20010",
    "dport 50-500",
    "sport 1-1000",
    "ipproto icmp",
    "uidrange 0-0",
    "uidrange 1000-2000",
    "not ipproto tcp",
    "ipproto tcp dport 1-79",
)
_OWN_PORT = 4430
_OWN_SELECTORS = ("ipproto tcp dport 4430", "dport 4400-4500", "ipproto tcp dport 4431", "ipproto udp dport 4430")


def flow_rules(draft: Draft) -> None:
    """Policy rules that ask for protocols, ports and users of what is received; for ports of what is made, too.

    A raw socket's packets have neither ports nor a protocol to their own host's rules, so those ask for a port that
    only real connections use.
    """
    box = draft.box()
    for priority, place in enumerate((HOST, HOST, draft.pick((HOST, box.name))), start=100):
        action = draft.pick(("prohibit", "blackhole", "unreachable", "lookup main"))
        if draft.chance(0.5) and place == HOST:
            _, negated, words = draft.pick(_SELECTORS).rpartition("not ")
            words = f"{negated}iif {draft.pick((UPLINK, draft.bridge().name))} {words}"
        else:
            words = draft.pick(("", "", f"from {address(box)} ")) + draft.pick(_OWN_SELECTORS)
        draft.step(place, f"ip rule add pref {priority} {words} {action}")
    if draft.chance(0.5):
        draft.sysctl(HOST, "ipv4.conf.all.rp_filter", draft.pick((0, 1, 2)))
    draft.listens(_OWN_PORT)
    for origin in (HOST, OUTSIDE, box.name, draft.box().name):
        for dst in (UPLINK_ADDRESS, OUTSIDE_SERVER, address(draft.home(box)), address(box)):
            if origin != OUTSIDE or dst != OUTSIDE_SERVER:
                draft.probes(origin, dst)
                draft.probe(origin, dst, "tcp", _OWN_PORT, connects=True)
