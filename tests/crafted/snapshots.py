"""Crafted snapshots by number: loops, nests, crowds, mutated fields, cut files, hostile names.  Pure.

The number alone decides what comes, so that a failure can be had again.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec

from dnet_tui.inspect.archive.snapshot_file import encode
from dnet_tui.inspect.iptables.save_text import parse_save
from dnet_tui.inspect.model import BridgePort, Link, LinkRef, NextHop, PolicyRule, Route, Snapshot, known_items
from dnet_tui.inspect.model.firewall import Firewall
from lab.recordings import fault_records, swarm_records
from unit.builders.factories import BR_APP, HOST, docker_like_snapshot, with_namespace

HOSTILE = (
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "line\nbreak\rback",
    "[bold]markup[/] [link=x]",
    "-rf",
    "--help",
    "a" * 4000,
    "\u202eright to left",
    "e\u0301\u0301\u0301\u0301",
    "名前" * 50,
    "",
    " ",
    "..",
    "/etc/passwd",
    "%s%n{0}$(id)`id`",
    "\ud7ff\ue000\uffff",
    "outside",
    "host",
    "net:[1]",
)
"""Names that a container, network or device may be given by whoever makes them."""

_WORDS = (
    *HOSTILE,
    "0.0.0.0/0",
    "::/0",
    "255.255.255.255/33",
    "10.0.0.1-9",
    "999.1.1.1",
    "127.0.0.1",
    "ff02::1",
    "veth0",
)
_NUMBERS = (0, 1, -1, 2, 31, 32, 33, 128, 253, 254, 255, 65535, 65536, 2**31, 2**32 - 1, 2**32, 2**63 - 1)


@cache
def bases() -> tuple[bytes, ...]:
    """Sound snapshots of several kinds, as files."""
    found = [docker_like_snapshot(), *(swarm_records.snapshot(name) for name in swarm_records.names()[:1])]
    found += [fault_records.snapshot(name, fault_records.HEALTHY) for name in ("docker", "podman-six", "demo")]
    return tuple(encode(item) for item in found)


def crafted(number: int) -> bytes:
    """The file of a number: a snapshot, or what was left of one."""
    chance = random.Random(number)  # noqa: S311 - chance, not secrecy
    return _KINDS[number % len(_KINDS)](chance)


def kind_of(number: int) -> str:
    """What kind a number's is, for messages."""
    return _KINDS[number % len(_KINDS)].__name__.strip("_")


# -- loops -------------------------------------------------------------------------------------


def _loops_of_routes(chance: random.Random) -> bytes:
    """Every namespace sends everything to another's address, and policy rules go round."""
    snapshot = docker_like_snapshot()
    addresses = [item.address for ns in known_items(snapshot.namespaces) for item in known_items(ns.addresses)]
    for ns in known_items(snapshot.namespaces):
        links = [link.ifindex for link in known_items(ns.links)]
        routes = tuple(
            Route(
                family="ip",
                table=chance.choice((254, 253, 255, 100)),
                type=chance.choice(("unicast", "local", "throw", "blackhole", "multicast", "strange")),
                dst=chance.choice(("0.0.0.0/0", "172.17.0.0/16", "10.10.0.0/24", "0.0.0.0/1", "10.10.0.2/32")),
                hops=tuple(
                    NextHop(ifindex=chance.choice((*links, 999)), gateway=chance.choice((*addresses, None)))
                    for _ in range(chance.randrange(3))
                ),
            )
            for _ in range(20)
        )
        rules = tuple(
            PolicyRule(family="ip", priority=chance.randrange(40000), table=chance.choice((254, 100, 255, 0)))
            for _ in range(8)
        )
        snapshot = with_namespace(snapshot, ns.id, routes=routes, policy_rules=rules)
    return encode(snapshot)


def _loops_of_links(chance: random.Random) -> bytes:
    """Peers, masters and lower links lead anywhere: to themselves, in rings, to what isn't there."""
    snapshot = docker_like_snapshot()
    spaces = known_items(snapshot.namespaces)
    refs = [LinkRef(namespace=ns.id, ifindex=link.ifindex) for ns in spaces for link in known_items(ns.links)]
    refs.append(LinkRef(namespace="net:[0]", ifindex=5))
    kinds = ("veth", "bridge", "macvlan", "ipvlan", "vlan", "vxlan", "bond", "wireguard", "tun", "", "loopback", "vrf")
    for ns in spaces:
        indexes = [link.ifindex for link in known_items(ns.links)]
        links = tuple(
            msgspec.structs.replace(
                link,
                kind=chance.choice((link.kind, *kinds)),
                peer=chance.choice((link.peer, *refs)),
                master=chance.choice((link.master, link.ifindex, *indexes, 777)),
                up=chance.random() < 0.9,
            )
            for link in known_items(ns.links)
        )
        snapshot = with_namespace(snapshot, ns.id, links=links)
    return encode(snapshot)


def _rows_of_bridges(chance: random.Random) -> bytes:
    """Bridges in a row, a ring or a bundle behind a container's network, as a guest with NET_ADMIN may link them."""
    snapshot = docker_like_snapshot()
    links = list(known_items(next(ns for ns in known_items(snapshot.namespaces) if ns.id == HOST).links))
    count, master, ring = chance.choice((3, 50, 600)), BR_APP, chance.random() < 0.5
    for number in range(count):
        near, far, onward = 1000 + 3 * number, 1001 + 3 * number, 1002 + 3 * number
        onward = BR_APP if ring and number == count - 1 else onward
        if chance.random() < 0.05:
            master = BR_APP
        for one, other, bridge in ((near, far, master), (far, near, onward)):
            peer = LinkRef(namespace=HOST, ifindex=other)
            port = BridgePort(state="forwarding")
            links.append(Link(ifindex=one, name=f"v{one}", kind="veth", up=True, master=bridge, peer=peer, port=port))
        if onward != BR_APP:
            links.append(Link(ifindex=onward, name=f"b{onward}", kind="bridge", up=True, carrier=True))
        master = onward
    return encode(with_namespace(snapshot, HOST, links=tuple(links)))


def _nests_of_chains(chance: random.Random) -> bytes:
    """Chains that double at each level, that call each other in a ring, that set marks all the while."""
    depth = chance.choice((5, 22, 28, 64, 120))
    act = chance.choice(("-j MARK --set-xmark 0x{n}/0x{n}", "-m mark --mark 0x{n}", "-s 10.0.0.{n}"))
    lines = ["*filter", ":INPUT ACCEPT [0:0]", ":FORWARD DROP [0:0]", ":OUTPUT ACCEPT [0:0]"]
    lines += [f":C{level} - [0:0]" for level in range(depth + 1)]
    for hook in ("INPUT", "FORWARD", "OUTPUT"):
        lines.append(f"-A {hook} -j C0")
    for level in range(depth):
        mark = act.replace("{n}", str(1 + level % 200))
        body = [f"-A C{level} {mark}" if "-j" in mark else f"-A C{level} {mark} -j C{level + 1}"]
        body += [
            f"-A C{level} -j C{level + 1}",
            f"-A C{level} -m statistic --mode random --probability 0.5 -j C{level + 1}",
        ]
        chance.shuffle(body)
        lines += body
    if chance.random() < 0.5:
        lines.append(f"-A C{depth} -j C{chance.randrange(depth)}")
    tables = parse_save("\n".join([*lines, "COMMIT", ""]), backend="iptables-nft", family="ip")
    snapshot = docker_like_snapshot()
    return encode(with_namespace(snapshot, HOST, firewall=Firewall(tables=tables)))


# -- crowds ------------------------------------------------------------------------------------


def _crowd(chance: random.Random) -> bytes:
    """Many containers with hardly anything behind them; thousands of the small kind."""
    base = docker_like_snapshot()
    first = known_items(base.containers)[0]
    count = chance.choice((50, 300, 5000))
    running = chance.random() < 0.5
    more = tuple(
        msgspec.structs.replace(
            first,
            id=f"{number:064x}",
            name=chance.choice((f"c{number}", "twice", first.name)),
            netns=chance.choice((first.netns, None, f"net:[{number}]")) if running and number < 40 else None,
            running=running and number < 40,
        )
        for number in range(count)
    )
    return encode(msgspec.structs.replace(base, containers=(*known_items(base.containers), *more)))


# -- fields ------------------------------------------------------------------------------------


def _hostile_names(chance: random.Random) -> bytes:
    """Every name of a container, network, link, chain, process and host is one that nobody would choose."""
    document = json.loads(chance.choice(bases()))
    _rename(document, chance)
    return json.dumps(document).encode()


def _rename(value: Any, chance: random.Random) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            if isinstance(item, str) and key in {"name", "hostname", "process", "comment", "image", "version", "alias"}:
                if chance.random() < 0.5:
                    value[key] = chance.choice(HOSTILE)
            else:
                _rename(item, chance)
    elif isinstance(value, list):
        for item in value:
            _rename(item, chance)


def _mutated(chance: random.Random) -> bytes:
    """A few fields, or many, hold another value of their type; some are gone, some are lists of the same."""
    document = json.loads(chance.choice(bases()))
    spots = _spots(document)
    for _ in range(chance.choice((1, 3, 10, 100))):
        _mutate(*chance.choice(spots), chance)
    return json.dumps(document).encode()


def _spots(value: Any) -> list[tuple[Any, Any]]:
    """Every place in a document: its container and its key."""
    keys: list[Any] = (
        list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    )
    found: list[tuple[Any, Any]] = []
    for key in keys:
        found.append((value, key))
        found += _spots(value[key])
    return found


def _mutate(place: Any, key: Any, chance: random.Random) -> None:
    try:
        old = place[key]
    except (KeyError, IndexError):
        return
    if chance.random() < 0.1 and isinstance(place, dict):
        del place[key]
    elif isinstance(old, bool):
        place[key] = not old
    elif isinstance(old, int):
        place[key] = chance.choice(_NUMBERS)
    elif isinstance(old, str):
        place[key] = chance.choice(_WORDS)
    elif isinstance(old, list):
        place[key] = chance.choice((old * 2, old[:1], [], list(reversed(old))))
    elif old is None:
        place[key] = chance.choice((0, "", [], "x"))


def _cut(chance: random.Random) -> bytes:
    """A file that is cut short, or of which some bytes are others."""
    data = bytearray(chance.choice(bases()))
    if chance.random() < 0.5:
        return bytes(data[: chance.randrange(len(data))])
    for _ in range(chance.choice((1, 20))):
        data[chance.randrange(len(data))] = chance.randrange(256)
    return bytes(data)


_KINDS: tuple[Callable[[random.Random], bytes], ...] = (
    _loops_of_routes,
    _loops_of_links,
    _nests_of_chains,
    _mutated,
    _hostile_names,
    _mutated,
    _crowd,
    _loops_of_links,
    _mutated,
    _cut,
    _rows_of_bridges,
)


def sound(data: bytes) -> Snapshot | None:
    """The snapshot of a file; None where it isn't one."""
    from dnet_tui.inspect.archive.snapshot_file import decode  # noqa: PLC0415 - beside its inverse above
    from dnet_tui.inspect.errors import DnetError  # noqa: PLC0415 - as above

    try:
        return decode(data)
    except DnetError:
        return None
