"""What could not be seen, judged by the evidence of what was: which of it matters, and the true reason.

That a process may not be looked into, or a namespace not be entered, proves
nothing about the rest.  A link tells that there is another end: every end of
a pair in the namespaces that were read either leads to one that was read, or
it is said here what is missing.  Only a link over which the traffic of a
network may go counts: a bridge's port, or one that isn't the namespace's own
way out (what lies beyond that is beyond sight anyway).

A gap of the section ``namespaces`` whose scope is a namespace that *was* read
says this of its links; one whose scope is another namespace says why that
one wasn't read.  Changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from dnet_tui.inspect.kernel.capabilities import CAP_SYS_ADMIN, CAP_SYS_PTRACE, explain_refusal
from dnet_tui.inspect.kernel.cgroups import short_id
from dnet_tui.inspect.kernel.netlink import NetlinkSocket
from dnet_tui.inspect.kernel.netns import NamespaceGoneError, current_inode, namespace_id
from dnet_tui.inspect.kernel.procfs import HiddenProcess, ProcessTable, read_namespace_files
from dnet_tui.inspect.kernel.rtnetlink.parse_links import parse_link_table
from dnet_tui.inspect.kernel.rtnetlink.read_dumps import read_links
from dnet_tui.inspect.model import Link, Route
from dnet_tui.inspect.model.coverage.gaps import Gap
from dnet_tui.inspect.model.coverage.namespace_reading import NamespaceReading
from dnet_tui.inspect.model.default_routes import is_anywhere
from dnet_tui.inspect.model.engine_kinds.registry import ENGINE_KINDS
from dnet_tui.inspect.snapshot.namespace_candidates import NamespaceCandidate
from dnet_tui.inspect.snapshot.resolve_peers import is_out_of_sight
from dnet_tui.inspect.text.encoding import storable

_NAMED_AT_MOST = 4
_PROXIES = frozenset(name for kind in ENGINE_KINDS for name in kind.proxy_processes)
_ENGINES = {kind.daemon: kind.kind for kind in ENGINE_KINDS if kind.daemon}


class NotRead(NamedTuple):
    """Why a namespace was not read, and what to do about it.  ``gone``: it isn't there any more."""

    reason: str
    hint: str = ""
    gone: bool = False


def why_not_read(place: NamespaceCandidate, error: Exception) -> NotRead:
    """Put the error that came of entering and reading a namespace into words."""
    if isinstance(error, NamespaceGoneError):
        if _is_covered(place):
            path = storable(place.handle.path)
            reason = f"its file {path} is covered by another mount, and no process that can be seen is in it"
            return NotRead(reason, f"see what covers it: findmnt {path}")
        return NotRead("it went away while it was being read", gone=True)
    if isinstance(error, PermissionError):
        if str(error.filename or "").startswith("/proc/"):
            first = place.processes[0] if place.processes else None
            who = f"process {first.name} ({first.pid})" if first is not None else "its process"
            reason, hint = explain_refusal(CAP_SYS_PTRACE, "the kernel refuses it")
            return NotRead(f"not permitted to look into {who}: {reason}", hint)
        reason, hint = explain_refusal(CAP_SYS_ADMIN, "it belongs to another user namespace")
        return NotRead(f"not permitted to enter it: {reason}", hint)
    return NotRead(storable(str(error)) or type(error).__name__)


def _is_covered(place: NamespaceCandidate) -> bool:
    """Whether the namespace is still bound to its file, which then leads elsewhere: something lies over it."""
    try:
        return any(
            (file.path, file.inode) == (place.handle.path, place.handle.inode) for file in read_namespace_files()
        )
    except OSError:
        return False


class SeenNamespaces(NamedTuple):
    """All that is known of what was seen: what was read, with its links resolved, and what was not.

    ``unread`` and ``labels`` (what to call a namespace) go by the namespace's
    id.  ``routed``: the routes were read, so that a namespace's own ways out
    are known; without them only bridges' ports count.
    """

    host: str
    spaces: Mapping[str, NamespaceReading]
    links: Mapping[str, tuple[Link, ...]]
    unread: Mapping[str, NotRead]
    labels: Mapping[str, str]
    table: ProcessTable
    routed: bool = True


def unseen_ends(seen: SeenNamespaces) -> Iterator[Gap]:
    """A gap for each namespace that was read, and each reason, whose links lead out of sight."""
    vanished = _vanished(seen)
    for key, contents in seen.spaces.items():
        ways_out = _ways_out(contents.routes)
        found: dict[NotRead, dict[str, str]] = {}
        for link in seen.links[key]:
            counts = link.master is not None or (seen.routed and link.ifindex not in ways_out)
            if not counts or not is_out_of_sight(link) or (key == seen.host and link.ifindex in vanished):
                continue
            target = contents.nsids.get(link.lower_nsid) if link.lower_nsid is not None else None
            why = seen.unread.get(target or "") or _why_not_found(seen.table)
            found.setdefault(why, {})[link.name] = target or ""
        for why, ends in found.items():
            yield _gap(seen, key, why, ends)


def _vanished(seen: SeenNamespaces) -> frozenset[int]:
    """The host's links out of sight that aren't there any more: their container ended while it was being read."""
    loose = {link.ifindex for link in seen.links.get(seen.host, ()) if is_out_of_sight(link)}
    if not loose:
        return frozenset()
    try:
        if namespace_id(current_inode()) != seen.host:
            return frozenset()
        with NetlinkSocket() as sock:
            table = parse_link_table(read_links(sock).bodies)
    except OSError:
        return frozenset()
    return frozenset(loose - {link.ifindex for link in table.links})


def _ways_out(routes: Iterable[Route]) -> frozenset[int]:
    """The links that a default route leaves by."""
    return frozenset(
        hop.ifindex
        for route in routes
        if is_anywhere(route.dst) and route.type == "unicast"
        for hop in route.hops
        if hop.ifindex is not None
    )


def _gap(seen: SeenNamespaces, key: str, why: NotRead, ends: Mapping[str, str]) -> Gap:
    names = _listed(list(ends))
    targets = {target for target in ends.values() if target}
    if len(targets) == 1 and len(ends) == 1:
        target = next(iter(targets))
        where = f"leads to {seen.labels.get(target) or target}, which"
    else:
        where = "leads to a namespace that" if len(ends) == 1 else "lead to namespaces that"
    verb = "could not be read" if targets else "could not be found"
    of = "" if key == seen.host else f" of {seen.labels.get(key) or key}"
    return Gap(section="namespaces", scope=key, reason=f"{names}{of} {where} {verb}: {why.reason}", hint=why.hint)


def _why_not_found(table: ProcessTable) -> NotRead:
    """Why a namespace that a link leads to is not among those that there are."""
    if table.hiding:
        reason, hint = explain_refusal(CAP_SYS_PTRACE, "they are another user's")
        return NotRead(f"/proc hides processes here (hidepid={table.hiding}): {reason}", hint)
    if table.hidden:
        reason, hint = explain_refusal(CAP_SYS_PTRACE, "the kernel refuses it")
        return NotRead(f"not permitted to look into {_processes(table.hidden)}: {reason}", hint)
    return NotRead(
        "no process and no file that can be seen from here holds it",
        "run dnet-tui outside of any container, where it sees all processes and mounts",
    )


def _processes(hidden: tuple[HiddenProcess, ...]) -> str:
    names = [f"{item.name or 'process'} ({item.pid})" for item in hidden]
    return ("process " if len(names) == 1 else "processes ") + _listed(names)


def _listed(names: list[str]) -> str:
    if len(names) <= _NAMED_AT_MOST:
        return ", ".join(names)
    return f"{', '.join(names[: _NAMED_AT_MOST - 1])} and {len(names) - _NAMED_AT_MOST + 1} more"


def unseen_processes(table: ProcessTable, host: str, *, complete: bool) -> Iterator[Gap]:
    """What the processes that may not be looked into keep untold.

    Args:
        table: all processes.
        host: the id of the host's namespace.
        complete: whether every link's other end was found without them.
    """
    outside = [item for item in table.hidden if item.container is None]
    proxies = tuple(item for item in outside if item.name in _PROXIES)
    if proxies:
        reason, hint = explain_refusal(CAP_SYS_PTRACE, "the kernel refuses it")
        what = f"which published ports {_processes(proxies)} pass on is not known: {reason}"
        yield Gap(section="sockets", scope=host, reason=what, hint=hint)
    for item in outside:
        if item.name in _ENGINES:
            reason, hint = explain_refusal(CAP_SYS_PTRACE, "the kernel refuses it")
            what = f"its daemon's options are not known: not permitted to look into {_processes((item,))}: {reason}"
            yield Gap(section="engine", scope=_ENGINES[item.name], reason=what, hint=hint)
    seen = {item.container.id for item in table.processes if item.container is not None}
    for key, item in {item.container.id: item for item in table.hidden if item.container is not None}.items():
        if key not in seen:
            reason, hint = explain_refusal(CAP_SYS_PTRACE, "the kernel refuses it")
            what = f"its network namespace is not known: not permitted to look into {_processes((item,))}: {reason}"
            yield Gap(section="containers", scope=short_id(key), reason=what, hint=hint)
    if not (table.hidden or table.hiding):
        return
    why = _why_not_found(table)
    rest = "; every link leads to what was read all the same" if complete else ""
    yield Gap(section="processes", reason=f"{why.reason}{rest}", hint="" if complete else why.hint)
