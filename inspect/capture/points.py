"""From what a person types to a place where packets can be captured.  Pure.

A POINT is the name of a host's interface, of a container (or of a named
namespace), ``container:interface``, ``namespace:interface`` (``host:eth0``
too), or the name of a network or bridge.  Names are never guessed: what
doesn't exist is answered with what is near, what fits two things with both.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator

import msgspec

from dnet_tui.inspect.errors import CannotInspectError, DnetError, UsageError
from dnet_tui.inspect.model import Container, Link, LinkRef, Namespace, Network, known_items
from dnet_tui.inspect.model.coverage.sections import lacks_of
from dnet_tui.inspect.model.view import View
from dnet_tui.inspect.text.sanitize import clean

_SHORT_ID = 12


class CapturePoint(msgspec.Struct, frozen=True, kw_only=True):
    """One interface to capture at.

    ``label`` names it for a person (``docker0``, ``web:eth0``) and is unique
    in its snapshot; ``description`` says what is behind it: the container's,
    network's or bridge's name, or nothing.
    """

    namespace: str
    ifindex: int
    interface: str
    label: str
    description: str = ""


def resolve(view: View, text: str) -> CapturePoint:
    """The capture point that ``text`` names.

    Raises:
        UsageError: nothing has that name, or several things have it.
        CannotInspectError: it could not be seen when the snapshot was taken.
    """
    found: dict[LinkRef, CapturePoint] = {}
    problems: list[DnetError] = []
    for point in _meanings(view, text.strip(), problems):
        found.setdefault(LinkRef(namespace=point.namespace, ifindex=point.ifindex), point)
    if len(found) == 1:
        return next(iter(found.values()))
    if found:
        labels = ", ".join(_exact(view, point) for point in found.values())
        raise UsageError(f"“{clean(text)}” can mean several points.", f"Say which: {labels}")
    if problems:
        raise problems[0]
    raise _unknown(view, text)


def meant_container(view: View, text: str) -> Container | None:
    """The container that a text names, if it names nothing else; its own name wins over the start of an id.

    None as well for one that has no network namespace of its own to be seen:
    :func:`resolve` says what is the matter.
    """
    name = text.strip()
    if view.host is not None and view.link_named(view.host.id, name):
        return None
    if any(name in (network.name, network.id) for network in known_items(view.snapshot.networks)):
        return None
    found = _called(view, name)
    if len(found) != 1:
        return None
    ns = view.namespaces.get(found[0].netns or "")
    return found[0] if ns is not None and ns.kind != "host" else None


def _called(view: View, text: str) -> list[Container]:
    """The containers with a name: exactly that one, or else those whose id begins so."""
    every = known_items(view.snapshot.containers)
    exact = [item for item in every if text and text in (item.name, item.id)]
    return exact or [item for item in every if len(text) >= _SHORT_ID and item.id.startswith(text)]


def resolve_all(view: View, texts: tuple[str, ...] | list[str]) -> tuple[CapturePoint, ...]:
    """The points of several texts in their order, each point once."""
    return tuple(dict.fromkeys(resolve(view, text) for text in texts))


def names(view: View) -> tuple[str, ...]:
    """Everything :func:`resolve` would accept, for completion and pick lists: sorted, cleaned of nothing."""
    found = {point.label for ns in known_items(view.snapshot.namespaces) for point in _points(view, ns)}
    found.update(item.name for item in known_items(view.snapshot.containers))
    found.update(item.name for item in known_items(view.snapshot.networks) if item.bridge)
    return tuple(sorted(found))


def point_of(view: View, ref: LinkRef) -> CapturePoint | None:
    """The capture point of a link; None when the snapshot lacks the link."""
    namespace, link = view.namespaces.get(ref.namespace), view.links.get(ref)
    return _point(view, namespace, link) if namespace and link else None


def _meanings(view: View, text: str, problems: list[DnetError]) -> Iterator[CapturePoint]:
    """Every reading of ``text``; why a reading failed goes to ``problems``."""
    if view.host is not None and (link := view.link_named(view.host.id, text)):
        yield _point(view, view.host, link)
    for container in _called(view, text):
        yield from _of_container(view, container, problems)
    for network in known_items(view.snapshot.networks):
        if text in (network.name, network.id):
            yield from _of_network(view, network, problems)
    for ns in known_items(view.snapshot.namespaces):
        if text in ns.names and not view.containers_in(ns.id):
            yield from _only_interface(view, ns, text, problems)
    owner, colon, interface = text.rpartition(":")  # an interface's name holds no colon; a namespace's id does
    if colon:
        yield from _of_pair(view, owner, interface, problems)


def _of_container(view: View, container: Container, problems: list[DnetError]) -> Iterator[CapturePoint]:
    ns = _home(view, container, problems)
    if ns is None:
        return
    if ns.kind == "host":
        problems.append(
            UsageError(
                f"Container {clean(container.name)} uses the host's network: it has no interface of its own.",
                f"Name one of the host's: {_choices(view, ns)}",
            )
        )
        return
    yield from _only_interface(view, ns, container.name, problems)


def _home(view: View, container: Container, problems: list[DnetError]) -> Namespace | None:
    ns = view.namespaces.get(container.netns or "")
    if ns is None:
        name = clean(container.name)
        if container.running:
            gap = next(iter(view.gaps("namespaces", container.netns or container.name)), None)
            problems.append(
                CannotInspectError(
                    f"The namespace of container {name} could not be seen" + (f": {gap.reason}" if gap else "."),
                    gap.hint if gap else "",
                )
            )
        else:
            problems.append(UsageError(f"Container {name} isn't running.", "Start it, then capture."))
    return ns


def _only_interface(view: View, ns: Namespace, name: str, problems: list[DnetError]) -> Iterator[CapturePoint]:
    """Every interface but ``lo``: more than one is ambiguous, none is a problem."""
    points = [point for point in _points(view, ns) if point.interface != "lo"]
    yield from points
    if not points:
        lack = next(iter(lacks_of(ns.links)), None)
        if lack is not None:
            text = f"The links of {clean(name)} could not be read: {lack.reason}"
            problems.append(CannotInspectError(text, lack.hint))
        else:
            problems.append(
                UsageError(f"{clean(name)} has no interface but lo.", f"Name it to capture there: {clean(name)}:lo")
            )


def _of_network(view: View, network: Network, problems: list[DnetError]) -> Iterator[CapturePoint]:
    link = view.link_named(view.host.id, network.bridge) if view.host and network.bridge else None
    if link and view.host:
        yield _point(view, view.host, link)
        return
    name, driver = clean(network.name), clean(network.driver)
    why = f"its bridge {clean(network.bridge)} isn't on this host" if network.bridge else f"its driver is {driver}"
    problems.append(
        UsageError(f"Network {name} has no bridge to capture at: {why}.", "Name a container or an interface instead.")
    )


def _of_pair(view: View, owner: str, interface: str, problems: list[DnetError]) -> Iterator[CapturePoint]:
    homes: dict[str, Namespace] = {}
    for container in _called(view, owner):
        if ns := _home(view, container, problems):
            homes[ns.id] = ns
    for ns in known_items(view.snapshot.namespaces):
        if owner in (*ns.names, ns.id) or (owner == "host" and ns.kind == "host"):
            homes[ns.id] = ns
    for ns in homes.values():
        link = view.link_named(ns.id, interface)
        if link is not None:
            yield _point(view, ns, link)
        else:
            problems.append(
                UsageError(
                    f"{clean(owner)} has no interface “{clean(interface)}”.", f"It has: {_choices(view, ns) or 'none'}"
                )
            )


def _points(view: View, ns: Namespace) -> Iterator[CapturePoint]:
    return (_point(view, ns, link) for link in known_items(ns.links))


def _point(view: View, ns: Namespace, link: Link) -> CapturePoint:
    label = link.name if ns.kind == "host" else f"{view.label(ns.id)}:{link.name}"
    return CapturePoint(
        namespace=ns.id,
        ifindex=link.ifindex,
        interface=link.name,
        label=clean(label),
        description=clean(_description(view, ns, link)),
    )


def _description(view: View, ns: Namespace, link: Link) -> str:
    """What is behind an interface, in the engines' words where they have one."""
    if ns.kind != "host":
        return view.label(ns.id)
    if link.kind == "bridge":
        network = view.network_of_bridge(link.name)
        return f"network {network.name}" if network else "bridge"
    if link.peer is not None and link.peer.namespace != ns.id:
        return f"veth of {view.label(link.peer.namespace)}"
    return ""


def _exact(view: View, point: CapturePoint) -> str:
    """A text that names this point and no other, even where labels are alike."""
    ns = view.namespaces[point.namespace]
    if ns.kind == "host":
        return f"host:{point.interface}"
    label = view.label(ns.id)
    alike = [other for other in known_items(view.snapshot.namespaces) if view.label(other.id) == label]
    return clean(f"{label if len(alike) == 1 else ns.id}:{point.interface}")


def _choices(view: View, ns: Namespace) -> str:
    return ", ".join(point.label for point in _points(view, ns))


def _unknown(view: View, text: str) -> UsageError:
    near = difflib.get_close_matches(text, names(view), n=5, cutoff=0.6)
    if near:
        hint = f"Near: {', '.join(clean(name) for name in near)}"
    else:
        hint = "A point is an interface, a container, container:interface or a network (see dnet-tui ls)."
    return UsageError(f"Nothing here is called “{clean(text)}”.", hint)
