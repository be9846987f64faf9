"""The places between which packets are traced: container, host, outside, address.  Pure.

A place is what a person types: a container's name (or the start of its id, or
``name:port``), ``host``, ``outside`` (any host beyond the uplink), or an
address.  Names are never guessed.
"""

from __future__ import annotations

import difflib
import ipaddress
from contextlib import suppress
from typing import Literal

import msgspec

from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.trace.outside import outside_addresses
from dnet_tui.inspect.errors import CannotInspectError, UsageError
from dnet_tui.inspect.model import Container, VirtualAddress, known_items
from dnet_tui.inspect.text.sanitize import clean

EndpointKind = Literal["container", "host", "outside", "address"]

HOST, BEYOND = "host", "outside"
_SHORT_ID = 12
_SHOWN = 8  # containers of one name that are told apart


class TraceEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One end of a trace.

    ``namespace`` is where it is (empty for outside and for foreign
    addresses); ``addresses`` are its own, the likeliest first; ``port`` was
    given with the name (0: none).
    """

    kind: EndpointKind
    label: str
    namespace: str = ""
    addresses: tuple[str, ...] = ()
    port: int = 0
    container: Container | None = None


def find(case: HostContext, text: str) -> TraceEndpoint:
    """Return the place that ``text`` names.

    Raises:
        UsageError: nothing or more than one thing has that name (the hint says what is near).
        CannotInspectError: it is there, but has no network or was not seen.
    """
    name = text.strip()
    if name == BEYOND:
        return TraceEndpoint(kind="outside", label=BEYOND, addresses=outside_addresses(case))
    if name == HOST:
        return _host(case)
    address = _address(name)
    if address:
        return _at_address(case, address)
    found = _called(case, name)
    virtual = [] if found else service_addresses(case, name)
    if virtual:
        return TraceEndpoint(kind="address", label=name, addresses=tuple(item.address for item in virtual))
    head, colon, tail = name.rpartition(":")
    if not found and colon and tail.isdecimal() and 0 < int(tail) <= 65535:
        place = find(case, head)
        return msgspec.structs.replace(place, port=int(tail), label=f"{place.label}:{tail}")
    if not found and colon and _is_place(case, head):
        msg = f"{clean(tail)!r} is no port: that of {clean(head)} is a number from 1 to 65535"
        raise UsageError(msg, f"for example {clean(head)}:80")
    if not found:
        raise _unknown(case, name)
    if len(found) > 1:
        shown = ", ".join(f"{item.id[:_SHORT_ID]} ({item.engine})" for item in found[:_SHOWN])
        shown += ", …" if len(found) > _SHOWN else ""
        raise UsageError(f"several containers are called {clean(name)!r}", f"use the id instead: {shown}")
    return _container(case, found[0])


def _is_place(case: HostContext, name: str) -> bool:
    """Whether a name alone is that of a place."""
    known = name in {HOST, BEYOND} or bool(_address(name)) or bool(_called(case, name))
    return known or bool(service_addresses(case, name))


def service_addresses(case: HostContext, name: str) -> list[VirtualAddress]:
    """The virtual addresses of a service."""
    networks = known_items(case.snapshot.networks)
    return [item for network in networks for item in network.virtual if item.service == name]


def _called(case: HostContext, name: str) -> list[Container]:
    exact = case.kept("containers by name", lambda: _by_name(case)).get(name, [])
    if exact or len(name) < _SHORT_ID:
        return exact
    return [item for item in known_items(case.snapshot.containers) if item.id.startswith(name)]


def _by_name(case: HostContext) -> dict[str, list[Container]]:
    found: dict[str, list[Container]] = {}
    for item in known_items(case.snapshot.containers):
        for name in dict.fromkeys((item.name, item.id)):
            found.setdefault(name, []).append(item)
    return found


def every_container(case: HostContext) -> list[TraceEndpoint]:
    """The containers that have a network of their own and a name that nobody else has, as places."""
    found = []
    for item in known_items(case.snapshot.containers):
        if item.running and item.joined is None and len(_called(case, item.name)) == 1:
            with suppress(CannotInspectError):
                found.append(_container(case, item))
    return [place for place in found if place.kind == "container"]


def _host(case: HostContext) -> TraceEndpoint:
    host = case.view.host
    if host is None:
        raise CannotInspectError("the host's own namespace is not in the snapshot", "take it again as root")
    uplinks = [address for name in case.uplinks if (address := case.uplink_address(name))]
    others = [item.address for item in host.addresses if item.family == "ip" and item.scope == "global"]
    return TraceEndpoint(
        kind="host", label=HOST, namespace=host.id, addresses=tuple(dict.fromkeys((*uplinks, *others)))
    )


def _container(case: HostContext, container: Container) -> TraceEndpoint:
    name = clean(container.name)
    if not container.running:
        raise CannotInspectError(f"container {name} is not running", "start it, then try again")
    ns = case.view.namespaces.get(container.netns or "")
    if ns is None:
        gaps = (*case.view.gaps("containers", container.name), *case.view.gaps("namespaces", container.netns or ""))
        reason = f": {gaps[0].reason}" if gaps else ""
        raise CannotInspectError(f"the network of container {name} was not seen{reason}", "run dnet-tui as root")
    if ns.kind == "host":
        return msgspec.structs.replace(_host(case), label=container.name, container=container)
    own = tuple(item.address for item in ns.addresses if item.scope == "global" and item.family == "ip")
    own += tuple(item.address for item in ns.addresses if item.scope == "global" and item.family == "ip6")
    if not own:
        raise CannotInspectError(
            f"container {name} has no address: its network mode is {container.mode}",
            "connect it to a network, or choose another place",
        )
    return TraceEndpoint(kind="container", label=container.name, namespace=ns.id, addresses=own, container=container)


def _at_address(case: HostContext, address: str) -> TraceEndpoint:
    """An address: that of a container or of the host when it is theirs alone, otherwise just an address."""
    known = known_items(case.snapshot.namespaces)
    owners = [ns for ns in known if any(item.address == address for item in known_items(ns.addresses))]
    namespace = owners[0].id if len(owners) == 1 else ""
    return TraceEndpoint(kind="address", label=address, namespace=namespace, addresses=(address,))


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text.strip("[]")))
    except ValueError:
        return ""


def _unknown(case: HostContext, name: str) -> UsageError:
    known = [HOST, BEYOND, *(item.name for item in known_items(case.snapshot.containers))]
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(map(clean, near))}?" if near else "`dnet-tui ls containers` lists them"
    return UsageError(f"there is no container or place called {clean(name)!r}", hint)
