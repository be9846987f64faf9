"""What changed in the engines, their containers and networks, as they tell it.  Pure."""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.difference.base import (
    DifferenceEntry,
    DifferenceItem,
    DifferenceKind,
    arrow,
    entries,
    fields,
    said,
)
from dnet_tui.inspect.model import Container, Engine, Network, PortProxy, Snapshot, known_items
from dnet_tui.inspect.model.view import View


def engines(old: Snapshot, new: Snapshot) -> Iterator[DifferenceItem]:
    """Every change of the engines themselves."""
    was, now = ({engine.name: engine for engine in known_items(side.engines)} for side in (old, new))
    for name in dict.fromkeys((*was, *now)):
        before, after = was.get(name), now.get(name)
        scope = f"engine {name}"
        if before is None or after is None:
            kind: DifferenceKind = "added" if before is None else "removed"
            text = "appeared" if before is None else "is gone"
            yield DifferenceItem(kind=kind, section="engine", scope=scope, what=name, text=text)
            continue
        if before.reachable != after.reachable:
            text = "answers again" if after.reachable else "does not answer any more"
            yield _changed("engine", scope, "reachable", text, said(before.reachable), said(after.reachable))
        if after.reachable and before.reachable:
            # A log's lines are events: what they led to is told where it is.
            for field, one, other in fields(before, after, ("name", "reachable", "netns", "log", "address_pools")):
                yield _changed("engine", scope, field, f"{field} {one} → {other}", one, other)
            if None not in (before.address_pools, after.address_pools) and before.address_pools != after.address_pools:
                one, other = _pools(before), _pools(after)
                yield _changed("engine", scope, "address pools", f"address pools {one} → {other}", one, other)


def _pools(engine: Engine) -> str:
    return ", ".join(f"{pool.base} in /{pool.size}" for pool in engine.address_pools or ()) or "none"


def _changed(section: str, scope: str, what: str, text: str, before: str, after: str) -> DifferenceItem:
    return DifferenceItem(
        kind="changed", section=section, scope=scope, what=what, text=text, before=before, after=after
    )


def containers(old: View, new: View, mute: frozenset[str]) -> Iterator[DifferenceItem]:
    """Every change of the containers, recognised by engine and name; not of the engines that are ``mute``."""
    was, now = (
        {(item.engine, item.name): item for item in known_items(view.snapshot.containers) if item.engine not in mute}
        for view in (old, new)
    )
    for key, before in was.items():
        after = now.get(key)
        if after is not None:
            yield from _container(old, new, before, after)
        else:
            text = _described(old, before)
            yield DifferenceItem(
                kind="removed", section="containers", scope=before.name, what=before.name,
                text=f"the container is gone ({text})", before=text,
            )  # fmt: skip
    for key, after in now.items():
        if key not in was:
            text = _described(new, after)
            yield DifferenceItem(
                kind="added", section="containers", scope=after.name, what=after.name,
                text=f"the container appeared ({text})", after=text,
            )  # fmt: skip


def _described(view: View, item: Container) -> str:
    parts = [item.engine, "running" if item.running else "not running", f"mode {item.mode}"]
    parts += [f"on {name} {addresses}".strip() for name, addresses in _places(view, item).items()]
    return ", ".join([*parts, *(f"publishes {port}" for port in _published(item))])


def _places(view: View, item: Container) -> dict[str, str]:
    """The networks a container is on by name, with its addresses there."""
    found = {}
    for endpoint in item.endpoints:
        network = view.networks.get(endpoint.network)
        found[network.name if network is not None else endpoint.network] = ", ".join(endpoint.addresses)
    return found


def _published(item: Container) -> list[str]:
    return [
        f"{f'[{port.host_ip}]' if ':' in port.host_ip else port.host_ip}:{port.host_port} → "
        f"{port.container_port}/{port.proto}"
        for port in item.published
    ]


def _container(old: View, new: View, was: Container, now: Container) -> Iterator[DifferenceItem]:
    if was.running != now.running:
        yield _at(now, "running", "started" if now.running else "stopped", said(was.running), said(now.running))
    if was.id != now.id:
        yield _at(now, "id", "was made anew", was.id[:12], now.id[:12])
    elif was.running and now.running and None not in (was.pid, now.pid) and was.pid != now.pid:
        yield _at(now, "pid", "was restarted", str(was.pid), str(now.pid))
    for what, before, after in (
        ("image", was.image, now.image),
        ("mode", was.mode, now.mode),
        ("shares the network of", _joined(old, was), _joined(new, now)),
        # One that is stopped, or whose file wasn't read, has none.
        ("asks for names", *((_servers(was), _servers(now)) if was.resolver and now.resolver else ("", ""))),
        ("last error", was.error, now.error),
    ):
        if before != after:
            yield _at(now, what, f"{what} {arrow(before, after)}", before, after)
    if now.running and was.running:  # a stopped one has neither addresses nor published ports
        yield from _moved(now, _places(old, was), _places(new, now))
        yield from _exposed(now, _published(was), _published(now))


def _servers(item: Container) -> str:
    """Whom a running container asks for names; empty when it isn't known."""
    if item.resolver is None:
        return ""
    behind = [f"host({one.address})" if one.from_host else one.address for one in item.resolver.upstreams or ()]
    return ", ".join(item.resolver.servers) + (f" (then {', '.join(behind)})" if behind else "")


def _at(item: Container, what: str, text: str, before: str = "", after: str = "") -> DifferenceItem:
    return _changed("containers", item.name, what, text, before, after)


def _moved(item: Container, before: dict[str, str], after: dict[str, str]) -> Iterator[DifferenceItem]:
    for name in dict.fromkeys((*before, *after)):
        what = f"network {name}"
        if name not in after:
            yield _at(item, what, f"left {what} ({before[name]})", before[name])
        elif name not in before:
            yield _at(item, what, f"joined {what} ({after[name]})", after=after[name])
        elif before[name] != after[name]:
            yield _at(item, what, f"address on {what} {arrow(before[name], after[name])}", before[name], after[name])


def _exposed(item: Container, before: list[str], after: list[str]) -> Iterator[DifferenceItem]:
    yield from (_at(item, "published", f"no longer publishes {port}", port) for port in before if port not in after)
    yield from (_at(item, "published", f"publishes {port}", after=port) for port in after if port not in before)


def _joined(view: View, item: Container) -> str:
    other = view.containers.get(item.joined or "")
    return other.name if other is not None else item.joined or ""


def networks(old: Snapshot, new: Snapshot, mute: frozenset[str]) -> Iterator[DifferenceItem]:
    """Every change of the networks' settings, recognised by engine and name; not of the engines that are ``mute``."""
    was, now = (
        {(item.engine, item.name): item for item in known_items(snapshot.networks) if item.engine not in mute}
        for snapshot in (old, new)
    )
    for key, before in was.items():
        after = now.get(key)
        scope = f"network {before.name}"
        if after is not None:
            yield from _network(scope, before, after)
        else:
            text = _settings(before)
            yield DifferenceItem(
                kind="removed", section="networks", scope=scope, what=before.name, text=f"is gone ({text})", before=text
            )
    for key, after in now.items():
        if key not in was:
            text = _settings(after)
            yield DifferenceItem(
                kind="added", section="networks", scope=f"network {after.name}", what=after.name,
                text=f"appeared ({text})", after=text,
            )  # fmt: skip


def _settings(item: Network) -> str:
    parts = [item.engine, item.driver, *([item.bridge] if item.bridge else [])]
    parts += [subnet.cidr for subnet in item.subnets]
    return ", ".join([*parts, *(["internal"] if item.internal else [])])


def _network(scope: str, was: Network, now: Network) -> Iterator[DifferenceItem]:
    if was.id != now.id:
        yield _changed("networks", scope, "id", "was made anew", was.id[:12], now.id[:12])
    for field, before, after in fields(was, now, ("id", "name", "engine", "subnets", "options")):
        yield _changed("networks", scope, field, f"{field} {before} → {after}", before, after)
    subnets = [{_subnet(item.cidr, item.gateway): None for item in side.subnets} for side in (was, now)]
    for text in subnets[0]:
        if text not in subnets[1]:
            yield _changed("networks", scope, "subnet", f"subnet {text} is gone", text, "")
    for text in subnets[1]:
        if text not in subnets[0]:
            yield _changed("networks", scope, "subnet", f"subnet {text} added", "", text)
    for key in dict.fromkeys((*was.options, *now.options)):
        one, other = was.options.get(key), now.options.get(key)
        if one != other:
            yield _changed("networks", scope, key, f"option {key} {arrow(one, other)}", one or "", other or "")


def _subnet(cidr: str, gateway: str) -> str:
    return f"{cidr} via {gateway}" if gateway else cidr


def proxies(old: Snapshot, new: Snapshot) -> Iterator[DifferenceItem]:
    """The engines' proxy processes for published ports."""

    def word(kind: DifferenceKind, entry: DifferenceEntry) -> str:
        return f"{entry.what} {'runs now' if kind == 'added' else 'is gone'}"

    yield from entries("sockets", "host", map(_proxy, old.proxies), map(_proxy, new.proxies), word)


def _proxy(item: PortProxy) -> DifferenceEntry:
    what = f"the proxy process for {item.proto} {item.host_ip}:{item.host_port}"
    return DifferenceEntry(key=what, what=what, text=f"to {item.container_ip}:{item.container_port}")
