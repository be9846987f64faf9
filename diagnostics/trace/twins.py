"""Containers that packets can't tell apart, so that one of them stands for all in a matrix.  Pure.

Two containers are twins when everything that a walk may look at is the same
for both but for their own names and numbers: their namespaces, their ports of
the host's bridges, what the host remembers of them, and every range, name or
number anywhere on the host that holds one of them holds the other as well.
Whatever isn't recognised makes a container stand for itself alone, and what
was not read, or may look at single bits of an address, all of them.
"""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any

import msgspec

from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.trace.endpoints import TraceEndpoint
from dnet_tui.inspect.model import Container, Link, LinkRef, Namespace, Partial, Unread, known_items
from dnet_tui.inspect.model.coverage.sections import NOT_ASKED
from dnet_tui.inspect.model.firewall import Firewall, Match, Rule

_TOKEN = re.compile(r"[^\s\"'{},;()=<>!]+")
_BITWISE = re.compile(r"addr\s*&|/\d+\.\d+\.\d+\.\d+")
_LISTS = ("links", "addresses", "routes", "policy_rules", "neighbours", "fdb", "sockets", "proxied", "traffic_control")
_READ = (*_LISTS, "sysctls", "firewall")
_PLAIN_KINDS = frozenset({"veth", "loopback"})
_LOOPBACK = ("127.", "::1")

Span = tuple[int, int, int]
"""A range: its version, its first and its last address."""


class Mentions:
    """All that the host says of addresses, devices and MAC addresses anywhere, to be asked what of it holds one."""

    def __init__(self, words: Iterable[str]) -> None:
        self._words: set[str] = set()
        self._networks: dict[tuple[int, int], set[int]] = {}
        self._spans: set[Span] = set()
        self._prefixes: set[str] = set()
        for word in words:
            self._note(word.strip("[]"))

    def _note(self, word: str) -> None:
        self._words.add(word.lower())
        if word.endswith(("+", "*")):
            self._prefixes.add(word[:-1])
        if word[:1] not in "0123456789abcdefABCDEF:" or not ("." in word or ":" in word):
            return
        parts = word.split("-")
        try:
            if len(parts) == 2:
                low, high = map(ipaddress.ip_address, parts)
                self._spans.add((low.version, int(low), int(high)))
                return
            net = ipaddress.ip_network(word, strict=False)
        except ValueError:
            head = word.rpartition(":")[0]  # an address with its port
            if head and head != word:
                self._note(head.strip("[]"))
            return
        rest = net.max_prefixlen - net.prefixlen
        self._networks.setdefault((net.version, rest), set()).add(int(net.network_address) >> rest)

    def of_address(self, address: str) -> tuple[object, ...]:
        """The ranges that hold an address."""
        parsed = ipaddress.ip_address(address)
        number, version = int(parsed), parsed.version
        nets = tuple(
            (rest, number >> rest)
            for (other, rest), found in sorted(self._networks.items())
            if other == version and number >> rest in found
        )
        spans = tuple(span for span in sorted(self._spans) if span[0] == version and span[1] <= number <= span[2])
        return nets, spans

    def of_name(self, name: str) -> tuple[object, ...]:
        """The patterns that a name fits."""
        return tuple(sorted(item for item in self._prefixes if name.startswith(item)))

    def says(self, name: str) -> bool:
        """Whether a name is said anywhere."""
        return name.lower() in self._words


class Twins:
    """The classes of a host's containers."""

    def __init__(self, case: HostContext) -> None:
        self.case = case
        self.view = case.view
        spaces = known_items(case.snapshot.namespaces)
        self._owners = Counter(item.address for ns in spaces for item in known_items(ns.addresses))
        self._macs = Counter(link.mac for ns in spaces for link in known_items(ns.links) if link.mac)

    @cached_property
    def _own(self) -> dict[str, set[str]]:
        """The addresses and MAC addresses of each running container's namespace."""
        spaces = {item.netns for item in known_items(self.case.snapshot.containers) if item.netns}
        return {
            ns.id: {item.address for item in known_items(ns.addresses)} | {item.mac for item in known_items(ns.links)}
            for ns in known_items(self.case.snapshot.namespaces)
            if ns.id in spaces and ns.kind != "host"
        }

    @cached_property
    def mentions(self) -> Mentions | None:
        """What is said on the host; None where it can't be told what that looks at."""
        snapshot = self.case.snapshot
        words: list[str] = []
        for ns in known_items(snapshot.namespaces):
            if not isinstance(ns.firewall, Firewall) or ns.firewall.unread:
                return None
            unasked = isinstance(ns.conntrack, Unread) and ns.conntrack.reason == NOT_ASKED
            if not unasked and known_items(ns.conntrack):
                return None
            texts = list(_texts(ns.firewall))
            if any(_BITWISE.search(text) for text in texts):
                return None
            words += [word for text in texts for word in _TOKEN.findall(text)]
            words += self._of_tables(ns)
        words += [str(value) for item in snapshot.proxies for value in (item.container_ip, item.host_ip)]
        words += [item.to_ip for item in snapshot.forwarders]
        return Mentions(words)

    def _of_tables(self, ns: Namespace) -> Iterator[str]:
        """What a namespace's routes, rules, policies and neighbours name; what is a container's own is told apart."""
        own = self._own.get(ns.id, set())
        for route in known_items(ns.routes):
            if route.dst.partition("/")[0] not in own:
                yield route.dst
            yield from (hop.gateway for hop in route.hops if hop.gateway)
        for rule in known_items(ns.policy_rules):
            yield from (cidr for cidr in (rule.src, rule.dst) if cidr)
        policies = () if isinstance(ns.xfrm, Unread) else known_items(ns.xfrm)
        tunnels = () if isinstance(ns.wireguard, Unread) else known_items(ns.wireguard)
        for item in (*policies, *tunnels):
            yield from _TOKEN.findall(str(msgspec.to_builtins(item)))
        yield from (item.address for item in known_items(ns.proxied))
        if ns.kind != "host":  # the host's are part of each container's own signature
            yield from (word for item in known_items(ns.neighbours) for word in (item.address, item.mac))
            yield from (item.mac for item in known_items(ns.fdb) if item.mac not in own)

    def classes(self, places: Sequence[TraceEndpoint]) -> dict[str, object]:
        """The class of each place, by its label; a place without a twin has one of its own."""
        found: dict[str, object] = {}
        for place in places:
            signature = self._signature(place) if place.kind == "container" and not place.port else None
            found[place.label] = (place.label,) if signature is None else signature
        return found

    def _signature(self, place: TraceEndpoint) -> bytes | None:
        ns, container = self.view.namespaces.get(place.namespace), place.container
        host, mentions = self.view.host, self.mentions
        if ns is None or container is None or host is None or mentions is None or ns.kind != "container":
            return None
        sections = [getattr(ns, name) for name in _READ] + [getattr(host, name) for name in _READ]
        if any(isinstance(item, Unread | Partial) or getattr(item, "lacks", ()) for item in sections):
            return None
        if container.published or len(self.view.containers_in(ns.id)) != 1:
            return None
        if any(link.kind not in _PLAIN_KINDS or link.xdp for link in ns.links):
            return None
        own = [item.address for item in ns.addresses if not item.address.startswith(_LOOPBACK)]
        if not all(map(_is_address, own)):
            return None
        macs = [link.mac for link in ns.links if link.kind == "veth" and link.mac]
        if any(self._owners[item] != 1 for item in own) or any(self._macs[item] != 1 for item in macs):
            return None
        if any(mentions.says(item) for item in macs):
            return None
        cables = [self._cable(host, link, mentions) for link in ns.links if link.kind == "veth"]
        if None in cables:
            return None
        parts = (
            _of_container(container),
            [mentions.of_address(item) for item in own],
            cables,
            [[(index, state, mac in macs) for index, state, mac in self._neighbours.get(item, ())] for item in own],
            _renamed(ns, own, macs),
        )
        return msgspec.json.encode(parts)

    def _cable(self, host: Namespace, link: Link, mentions: Mentions) -> object:
        """The host's end of a container's link, as far as it isn't only its name and number; None: it isn't plain."""
        far = self.view.links.get(link.peer) if link.peer is not None and link.peer.namespace == host.id else None
        if far is None or far.xdp or any(item.ifindex == far.ifindex for item in host.traffic_control):
            return None
        if far.ifindex in self._used_devices or mentions.says(far.name) or (far.mac and mentions.says(far.mac)):
            return None
        settings = f".{far.name.replace('.', '/')}."
        values = sorted((key.replace(settings, "."), value) for key, value in self._by_device.get(settings, ()))
        stations = sorted(
            (item.mac == link.mac, item.mac if item.mac not in {link.mac, far.mac} else "", item.state, *item.flags)
            for item in host.fdb
            if item.ifindex == far.ifindex
        )
        strays = [item for item in host.fdb if item.mac == link.mac and item.ifindex != far.ifindex]
        if strays:
            return None
        plain = msgspec.structs.replace(
            far, ifindex=0, name="", mac="", lower=None, lower_nsid=None, peer=None, stats=type(far.stats)(), alias=""
        )
        master = self.view.links.get(LinkRef(namespace=host.id, ifindex=far.master)) if far.master else None
        return (
            msgspec.to_builtins(plain),
            master.name if master else "",
            mentions.of_name(far.name),
            values,
            stations,
        )

    @cached_property
    def _by_device(self) -> dict[str, list[tuple[str, str]]]:
        found: dict[str, list[tuple[str, str]]] = {}
        host = self.view.host
        values = host.sysctls.values if host is not None and not isinstance(host.sysctls, Unread) else {}
        for key, value in values.items():
            parts = key.split(".")
            if len(parts) > 4 and parts[2] in {"conf", "neigh"}:
                found.setdefault(f".{'.'.join(parts[3:-1])}.", []).append((key, value))
        return found

    @cached_property
    def _used_devices(self) -> frozenset[int | None]:
        """The host's devices that have addresses or routes, but for those that IPv6 gives to every device."""
        host = self.view.host
        if host is None:
            return frozenset()
        routed = (hop.ifindex for route in host.routes if not _is_link_local(route.dst) for hop in route.hops)
        return frozenset((*routed, *(item.ifindex for item in host.addresses if not _is_link_local(item.address))))

    @cached_property
    def _neighbours(self) -> dict[str, list[tuple[int, str, str]]]:
        found: dict[str, list[tuple[int, str, str]]] = {}
        for item in known_items(self.view.host.neighbours) if self.view.host is not None else ():
            found.setdefault(item.address, []).append((item.ifindex, item.state, item.mac))
        return found


def _is_address(text: str) -> bool:
    """Whether it is one: a snapshot's file may say anything."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_group(mac: str) -> bool:
    """Whether a MAC address is a group's: the kernel makes one of each IPv6 address."""
    return mac[1:2].lower() in set("13579bdf")


def _is_link_local(text: str) -> bool:
    return text.lower().startswith(("fe80:", "ff00:"))


def _of_container(item: Container) -> object:
    return item.mode, [end.network for end in item.endpoints], [end.gateway for end in item.endpoints]


def _texts(firewall: Firewall) -> Iterator[str]:
    """Every text of a firewall that may name something, but for what only concerns the loopback."""
    for table in firewall.tables:
        for chain in table.chains:
            yield from chain.devices
            for rule in chain.rules:
                if not _is_loopbacks(rule):
                    yield rule.text
                    yield str(msgspec.to_builtins(rule.exprs))
        yield from (str(msgspec.to_builtins(item)) for item in table.sets)
    yield from (str(msgspec.to_builtins(item)) for item in firewall.ipsets)


def _is_loopbacks(rule: Rule) -> bool:
    """Whether a rule is met only by packets of the loopback: an engine's name server has such ones, with odd ports."""
    first = rule.exprs[0] if rule.exprs else None
    return (
        isinstance(first, Match)
        and first.field in {"saddr", "daddr"}
        and not first.negate
        and all(value.startswith("127.") for value in first.values)
    )


def _renamed(ns: Namespace, own: Sequence[str], macs: Sequence[str]) -> object:
    """A container's namespace with its own addresses and numbers replaced by their places."""
    numbers = {link.ifindex: f"#{at}" for at, link in enumerate(ns.links)}
    names = {item: f"@{at}" for at, item in enumerate(own)} | {item: f"%{at}" for at, item in enumerate(macs)}
    keep: dict[str, Any] = {name: msgspec.to_builtins(getattr(ns, name)) for name in _LISTS}
    for link in keep["links"]:
        for gone in ("stats", "peer", "lower", "lower_nsid", "alias", "peer_note"):
            link.pop(gone, None)
    keep["fdb"] = [item for item in keep["fdb"] if not _is_group(item["mac"])]
    keep["sockets"] = sorted(
        (item.proto, item.address, item.port, item.v6only, numbers.get(item.ifindex or 0, ""), item.process)
        for item in ns.sockets
        if not item.address.startswith(_LOOPBACK)
    )
    keep["sysctls"] = ns.sysctls.values if not isinstance(ns.sysctls, Unread) else {}
    firewall = ns.firewall if isinstance(ns.firewall, Firewall) else Firewall()
    keep["firewall"] = [
        (
            (table.family, table.name, table.backend, table.dormant),
            (chain.name, chain.hook, chain.priority, chain.policy, chain.devices),
            [rule.text for rule in chain.rules if not _is_loopbacks(rule)],
        )
        for table in firewall.tables
        for chain in table.chains
    ]
    return _replaced(keep, numbers, names)


def _replaced(value: Any, numbers: dict[int, str], names: dict[str, str], key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _replaced(item, numbers, names, name) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_replaced(item, numbers, names, key) for item in value]
    if isinstance(value, int) and key in {"ifindex", "master"}:
        return numbers.get(value, value)
    if isinstance(value, str):
        head, slash, tail = value.partition("/")
        return names.get(head, head) + slash + tail
    return value
