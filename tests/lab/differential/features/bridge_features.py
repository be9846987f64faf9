"""What a bridge does with a frame: its forwarding entries, the flags of its ports, its own rules."""

from __future__ import annotations

from lab.differential.features.draft import Draft, address
from lab.differential.spec import HOST, OUTSIDE_SERVER, Box

_HOOKS = ("prerouting", "input", "forward", "output", "postrouting")


def _around(draft: Draft, box: Box) -> None:
    """Packets to and from a container that cross its bridge."""
    draft.probes(HOST, address(box))
    draft.probes(box.name, OUTSIDE_SERVER)
    draft.probes(box.name, address(draft.home(box)))
    for other in draft.neighbours(box)[:2]:
        draft.probes(other.name, address(box))
        draft.probes(box.name, address(other))


def fdb(draft: Draft) -> None:
    """Entries that somebody wrote: static, sticky or local, at the right port or another one."""
    box = draft.box()
    ports = [draft.port(item) for item in (box, box, *draft.neighbours(box))]
    kind = draft.pick(("static", "static", "static sticky", "dynamic sticky", "local", "dynamic"))
    port = draft.pick(ports)
    draft.step(HOST, f"bridge fdb replace {draft.mac(box)} dev {port} master {kind}")
    if draft.chance(0.3):
        draft.step(HOST, f"ip link set {draft.port(box)} type bridge_slave learning off")
    _forget(draft, box, 0.4)
    _around(draft, box)


def flooding(draft: Draft) -> None:
    """Ports that get no frames of unknown or all destinations, or whose senders aren't learnt."""
    box = draft.box()
    several = [box, *draft.neighbours(box)]
    for item in several:
        if item is box or draft.chance(0.3):
            flag = draft.pick(("flood", "flood", "bcast_flood", "mcast_flood", "learning"))
            draft.step(HOST, f"bridge link set dev {draft.port(item)} {flag} off")
            if draft.chance(0.7):
                draft.step(HOST, f"ip link set {draft.port(item)} type bridge_slave fdb_flush")
    _forget(draft, box, 0.6)
    _around(draft, box)


def isolation(draft: Draft) -> None:
    """Isolated ports, hairpin mode and blocked states, where nobody is known yet or everybody."""
    box = draft.box()
    for item in [box, *draft.neighbours(box)]:
        if draft.chance(0.6):
            draft.step(HOST, f"bridge link set dev {draft.port(item)} {draft.pick(('isolated', 'hairpin'))} on")
    _forget(draft, box, 0.4)
    _around(draft, box)


def _forget(draft: Draft, box: Box, share: float) -> None:
    """Make somebody forget the container, or the container forget all."""
    if draft.chance(share):
        draft.step(HOST, f"ip neigh flush dev {draft.home(box).name}")
    if draft.chance(share):
        draft.step(box.name, "ip neigh flush all")
    for other in draft.neighbours(box):
        if draft.chance(share):
            draft.step(other.name, "ip neigh flush all")


def bridge_rules(draft: Draft) -> None:
    """Rules of the bridge family, with and without br_netfilter."""
    box = draft.box()
    conditions = (
        f"ip saddr {address(box)}",
        f"ip daddr {address(box)}",
        f'iifname "{draft.port(box)}"',
        f'oifname "{draft.port(box)}"',
        f"ether saddr {draft.mac(box)}",
        f"ether daddr {draft.mac(box)}",
        "ether type arp",
        "arp operation request",
        "ip protocol tcp",
        "tcp dport 80",
        "udp dport 53",
        "icmp type echo-request",
        "meta pkttype broadcast",
        "meta mark 0x1",
    )
    chains = []
    for number, hook in enumerate(draft.random.sample(_HOOKS, draft.random.randint(1, 3))):
        rules = [
            f"{draft.pick(conditions)} {draft.pick(('drop', 'drop', 'accept', 'meta mark set 0x1', 'counter'))}"
            for _ in range(draft.random.randint(1, 3))
        ]
        priority = draft.pick(("-300", "-200", "0", "0", "100"))
        head = f"type filter hook {hook} priority {priority};"
        chains.append(f"  chain c{number} {{ {head}\n    " + "\n    ".join(rules) + "\n  }")
    draft.native("\n".join(["table bridge own {", *chains, "}", ""]))
    _forget(draft, box, 0.3)
    _around(draft, box)
