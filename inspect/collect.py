"""Phase one: everything of one network namespace, read from inside it.

Runs in a thread that has entered the namespace.  Each section is read on its
own: one that fails leaves a gap, and the others go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from dnet_tui.inspect import rtnl
from dnet_tui.inspect.conntrack import read_conntrack
from dnet_tui.inspect.conntrack_parse import ConntrackFilter
from dnet_tui.inspect.contents import AS_ROOT, Contents
from dnet_tui.inspect.ethtool import read_peer_ifindex
from dnet_tui.inspect.listening import read_listening
from dnet_tui.inspect.netlink import Dump, NetlinkSocket
from dnet_tui.inspect.netns import NamespaceGoneError, NsHandle, opened
from dnet_tui.inspect.route_parse import parse_routes, parse_rules
from dnet_tui.inspect.link_parse import parse_links
from dnet_tui.inspect.rtnl_parse import parse_addresses, parse_fdb, parse_neighbours
from dnet_tui.inspect.sysctl import read_sysctls

_FALLBACK_KINDS = frozenset(
    {"loopback", "ipip", "sit", "gre", "gretap", "erspan", "vti", "vti6", "ip6tnl", "ip6gre", "ip6gretap", "ip6erspan"}
)
"""Kinds that a kernel with tunnel modules puts, down, into every new namespace."""


def is_connected(contents: Contents) -> bool:
    """Whether a namespace has any link but those that every new one is born with."""
    return any(link.kind not in _FALLBACK_KINDS or link.up for link in contents.links if link.kind != "loopback")


def collect(
    scope: str,
    others: Iterable[NsHandle],
    *,
    firewall: bool = True,
    conntrack: tuple[int, ConntrackFilter] | None = None,
    only_if_connected: bool = False,
) -> Contents:
    """Read the calling thread's namespace.  Never raises for a section; see ``gaps``.

    ``others`` are the namespaces that its links may lead to, the likeliest
    first.  ``conntrack`` is how many tracked connections are wanted at most,
    and which; None for none.  With ``only_if_connected`` the rest isn't read where there is no
    link that leads anywhere (a service's sandbox, a browser's).
    """
    contents = Contents(id=scope)
    try:
        with NetlinkSocket() as sock:
            _collect_tables(contents, sock)
            _collect_nsids(contents, sock, others)
    except OSError as error:
        contents.miss("links", error)
    if only_if_connected and not contents.gaps and not is_connected(contents):
        return contents
    _collect_peers(contents)
    _collect_sysctls(contents)
    try:
        contents.sockets = read_listening()
    except OSError as error:
        contents.miss("sockets", error)
    if conntrack is not None:
        _collect_conntrack(contents, *conntrack)
    if firewall:
        _collect_firewall(contents)
    return contents


def _collect_tables(contents: Contents, sock: NetlinkSocket) -> None:
    def take(section: str, read: Callable[[NetlinkSocket], Dump]) -> tuple[bytes, ...]:
        try:
            dump = read(sock)
        except OSError as error:
            contents.miss(section, error)
            return ()
        if dump.torn:
            contents.miss(section, "it changed while it was being read, three times over", "take the snapshot again")
        return dump.bodies

    contents.links = parse_links(take("links", rtnl.read_links))
    contents.addresses = parse_addresses(take("addresses", rtnl.read_addresses))
    contents.routes = parse_routes(take("routes", rtnl.read_routes))
    contents.policy_rules = parse_rules(take("policy-rules", rtnl.read_rules))
    contents.neighbours = parse_neighbours(take("neighbours", rtnl.read_neighbours))
    contents.fdb = parse_fdb(take("fdb", rtnl.read_fdb))


def _collect_nsids(contents: Contents, sock: NetlinkSocket, others: Iterable[NsHandle]) -> None:
    """Ask which namespaces the numbers in this one's links stand for, until all are known."""
    wanted = {link.lower_nsid for link in contents.links if link.lower_nsid is not None}
    found: dict[int, str] = {}
    for other in others:
        if not wanted - found.keys():
            break
        if other.id == contents.id:
            continue
        try:
            with opened(other) as fd:
                nsid = rtnl.read_nsid(sock, fd)
        except (OSError, NamespaceGoneError):
            continue  # then the link that leads there says that its peer wasn't found
        if nsid is not None:
            found[nsid] = other.id
    contents.nsids = found


def _collect_peers(contents: Contents) -> None:
    """Call ethtool's statistic as the second witness, only for the veths whose peer netlink leaves open."""
    peers: dict[int, int] = {}
    for link in contents.links:
        is_told = bool(link.lower) and (link.lower_nsid is None or link.lower_nsid in contents.nsids)
        if link.kind != "veth" or is_told:
            continue
        try:
            peer = read_peer_ifindex(link.name)
        except OSError:
            continue  # a witness that can't be heard; the link's note says what is missing
        if peer is not None:
            peers[link.ifindex] = peer
    contents.peers = peers


def _collect_sysctls(contents: Contents) -> None:
    sysctls = read_sysctls()
    contents.sysctls = sysctls.values
    if sysctls.unreadable:
        name, reason = next(iter(sysctls.unreadable.items()))
        more = f" and {len(sysctls.unreadable) - 1} more" if len(sysctls.unreadable) > 1 else ""
        contents.miss("sysctls", f"{name}{more}: {reason}", AS_ROOT)


def _collect_conntrack(contents: Contents, limit: int, wanted: ConntrackFilter) -> None:
    try:
        table = read_conntrack(wanted, limit=limit)
    except (OSError, ValueError) as error:
        contents.miss("conntrack", error)
        return
    contents.conntrack = table.entries
    if table.stopped:
        contents.miss("conntrack", f"{len(table.entries)} entries were read: {table.stopped}")


def _collect_firewall(contents: Contents) -> None:
    from dnet_tui.inspect.iptables_read import read_firewall  # noqa: PLC0415 - only when the rules are wanted

    try:
        contents.firewall, gaps = read_firewall(contents.id)
    except Exception as error:  # noqa: BLE001 - text from host programs: whatever it provokes is a gap, not the end
        contents.miss("firewall", f"the rules could not be read: {error}")
    else:
        contents.gaps.extend(gaps)
