"""From the words of ``dnet-tui capture`` to points: interfaces, what a container stands for, the points of a walk."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

import msgspec

from dnet_tui.inspect.capture.points import CapturePoint, meant_container, point_of, resolve
from dnet_tui.inspect.errors import CannotInspectError, UsageError
from dnet_tui.inspect.model import LinkRef
from dnet_tui.inspect.model.coverage.needs import EVERYTHING, Needs, SectionName
from dnet_tui.inspect.model.view import View
from dnet_tui.inspect.text.sanitize import clean
from dnet_tui.tui.commands.snapshot_source import snapshot_from

if TYPE_CHECKING:
    from dnet_tui.diagnostics.context.host_context import HostContext

_LINKS = Needs(everywhere=frozenset({SectionName.ADDRESSES}))
WALKS = Needs(everywhere=EVERYTHING.everywhere - {SectionName.CHECKSUMS, SectionName.LOG, SectionName.NAMES})
"""Whatever decides over a packet."""

ALONG = "along"


class ChosenPoints(msgspec.Struct, frozen=True):
    """The points, and the view they are of.  ``whole``: all that decides over packets was read."""

    view: View
    points: tuple[CapturePoint, ...]
    whole: bool


def chosen_points(texts: list[str], *, proto: str = "tcp") -> ChosenPoints:
    """What a person asked for.

    Raises:
        UsageError: a name means nothing here, or several things.
        CannotInspectError: what it means could not be seen.
    """
    view = View(snapshot_from(None, _LINKS))
    along = texts[0] == ALONG and not _is_name(view, ALONG)
    if along and len(texts) != 3:
        ends = {1: "FROM and TO are missing", 2: "TO is missing"}.get(len(texts), "it takes FROM and TO alone")
        raise UsageError(
            f"“along” takes the links of the way between two ends: {ends}.",
            f"For example: dnet-tui capture along {clean(texts[1]) if len(texts) > 1 else 'web'} 203.0.113.9:443",
        )
    if not along and len(texts) == 1 and meant_container(view, texts[0]) is None:
        return ChosenPoints(view, (resolve(view, texts[0]),), whole=False)
    from dnet_tui.diagnostics.context.host_context import HostContext  # noqa: PLC0415  only to walk

    case = HostContext(snapshot_from(None, WALKS))
    refs = _along(case, texts[1], texts[2], proto) if along else _of_texts(case, texts)
    points = tuple(point for ref in refs if (point := point_of(case.view, ref)) is not None)
    if not points:
        raise CannotInspectError("There is no link to capture at: the way could not be seen.", "Name interfaces.")
    return ChosenPoints(case.view, points, whole=True)


def _is_name(view: View, text: str) -> bool:
    try:
        resolve(view, text)
    except (UsageError, CannotInspectError):
        return meant_container(view, text) is not None
    return True


def _of_texts(case: HostContext, texts: list[str]) -> list[LinkRef]:
    from dnet_tui.diagnostics.capture.path_points import container_links  # noqa: PLC0415  only to walk

    found: dict[LinkRef, None] = {}
    last: dict[LinkRef, None] = {}
    for text in texts:
        container = meant_container(case.view, text)
        if container is None:
            point = resolve(case.view, text)
            found.setdefault(LinkRef(namespace=point.namespace, ifindex=point.ifindex))
            continue
        links = container_links(case, container)
        if not links:
            point = resolve(case.view, text)  # says why there is none
            links = (LinkRef(namespace=point.namespace, ifindex=point.ifindex),)
        for ref in links:
            link = case.view.links.get(ref)
            uplink = link is not None and link.peer is None and link.kind != "bridge"
            (last if uplink and ref == links[-1] and len(links) > 1 else found).setdefault(ref)
    return list(dict.fromkeys([*found, *last]))


def _along(case: HostContext, source: str, target: str, proto: str) -> list[LinkRef]:
    from dnet_tui.diagnostics.capture.path_points import links_passed  # noqa: PLC0415  only to walk
    from dnet_tui.diagnostics.trace.endpoints import find  # noqa: PLC0415  as above
    from dnet_tui.diagnostics.trace.trace import trace  # noqa: PLC0415  as above
    from dnet_tui.diagnostics.walk.api import walk  # noqa: PLC0415  as above

    address, port = split_port(target)
    wanted = "udp" if proto == "udp" else "icmp" if proto == "icmp" else "tcp"
    made = trace(case, find(case, source), find(case, address), proto=wanted, port=port)  # type: ignore[arg-type]
    way = made.forward
    if way.arrives is not True and way.origin:  # the points beyond what stops it, too: there it is missed
        way = walk(case.view, way.start, origin=way.origin, outside=True, beyond=True)
    if not (passed := links_passed(case.view, way)):
        raise CannotInspectError(
            f"The way from {clean(source)} to {clean(target)} passes no link that could be seen.", "Name interfaces."
        )
    return list(passed)


def split_port(text: str) -> tuple[str, int]:
    """An address with a port in two (``203.0.113.9:443``, ``[2001:db8::1]:443``); a name's port is left to it."""
    head, colon, tail = text.rpartition(":")
    if colon and tail.isdecimal() and int(tail) < 65_536:
        try:
            return str(ipaddress.ip_address(head.strip("[]"))), int(tail)
        except ValueError:
            pass
    return text, 0
