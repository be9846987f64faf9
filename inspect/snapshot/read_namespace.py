"""Phase one: everything of one network namespace, read from inside it.

Runs in a thread that has entered the namespace.  Each section is read on its
own: one that fails leaves a gap, and the others go on.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

import msgspec

from dnet_tui.inspect.kernel.checksums import read_checksums
from dnet_tui.inspect.kernel.device_settings import DeviceSettings
from dnet_tui.inspect.kernel.ethtool import read_peer_ifindex
from dnet_tui.inspect.kernel.netlink import Dump, NetlinkSocket
from dnet_tui.inspect.kernel.rtnetlink import read_dumps
from dnet_tui.inspect.kernel.rtnetlink.parse_addresses import (
    parse_addresses,
    parse_fdb,
    parse_neighbours,
    parse_proxied,
)
from dnet_tui.inspect.kernel.rtnetlink.parse_links import parse_link_table, parse_vlans
from dnet_tui.inspect.kernel.rtnetlink.parse_routes import parse_routes, parse_rules
from dnet_tui.inspect.kernel.sockets.conntrack import read_conntrack, read_udp
from dnet_tui.inspect.kernel.sockets.conntrack_counts import read_counts
from dnet_tui.inspect.kernel.sockets.conntrack_parse import ConntrackFilter
from dnet_tui.inspect.kernel.sockets.listening import read_listening
from dnet_tui.inspect.kernel.sockets.nat_ports import read_nat_ports
from dnet_tui.inspect.kernel.sysctl import read_sysctls
from dnet_tui.inspect.kernel.traffic_control import read_traffic_control
from dnet_tui.inspect.kernel.xfrm import read_policies
from dnet_tui.inspect.model.namespace_reading import AS_ROOT, Contents
from dnet_tui.inspect.ruleset.read_firewall import RulesAhead, read_rules

_FALLBACK_KINDS = frozenset(
    {"loopback", "ipip", "sit", "gre", "gretap", "erspan", "vti", "vti6", "ip6tnl", "ip6gre", "ip6gretap", "ip6erspan"}
)
"""Kinds that a kernel with tunnel modules puts, down, into every new namespace."""


class Errand(msgspec.Struct, frozen=True, kw_only=True):
    """What to read of a namespace.

    ``conntrack`` is how many tracked connections are wanted at most (0: none),
    and ``conntrack_filter`` which.  With ``only_if_connected`` nothing but
    the tables of links is read where there is no link that leads anywhere (a
    service's sandbox, a browser's).  ``before`` is what was read of it
    earlier: rules that are proved to be unchanged are taken from there;
    ``rules`` are those of the host, where they are being brought up to date.
    ``map_only`` asks for links and addresses and nothing else.
    """

    map_only: bool = False
    firewall: bool = True
    conntrack: int = 0
    conntrack_filter: ConntrackFilter = ConntrackFilter()
    only_if_connected: bool = False
    before: Contents | None = None
    rules: RulesAhead | None = None


def is_connected(contents: Contents) -> bool:
    """Whether a namespace has any link but those that every new one is born with."""
    return any(link.kind not in _FALLBACK_KINDS or link.up for link in contents.links if link.kind != "loopback")


def collect(scope: str, errand: Errand, *, at: str, host: tuple[str, int] | None) -> Contents:
    """Read the calling thread's namespace.  Never raises for a section; see ``gaps``.

    Args:
        scope: the namespace's id.
        errand: what is wanted.
        at: the time, as the snapshot will have it.
        host: the id and an open descriptor of the host's namespace, which most links lead to.
    """
    contents = Contents(id=scope, read_at=at)
    settings: dict[str, DeviceSettings] | None = None
    try:
        with NetlinkSocket() as sock:
            contents.cookie = sock.cookie()
            settings = _collect_tables(contents, sock, map_only=errand.map_only)
            _collect_nsid(contents, sock, host)
    except OSError as error:
        contents.miss("links", error)
    if errand.only_if_connected and not contents.gaps and not is_connected(contents):
        return contents
    _collect_peers(contents)
    if errand.map_only:
        return contents
    _collect_sysctls(contents, settings)
    try:
        contents.sockets = read_listening()
    except OSError as error:
        contents.miss("sockets", error)
    contents.checksums = read_checksums()
    try:
        contents.xfrm = read_policies()
        contents.xfrm_policies = len(contents.xfrm)
    except OSError as error:
        contents.miss("xfrm", error)
    _collect_conntrack(contents, errand, is_host=host is not None and host[0] == scope)
    if errand.firewall:
        if errand.rules is not None:
            errand.rules.fill(contents)
        else:
            read_rules(contents, errand.before)
    return contents


def _collect_tables(contents: Contents, sock: NetlinkSocket, *, map_only: bool) -> dict[str, DeviceSettings] | None:
    """Read rtnetlink's tables; returns the devices' settings, None when the links could not be read."""

    def take(section: str, read: Callable[[NetlinkSocket], Dump]) -> tuple[bytes, ...] | None:
        try:
            dump = read(sock)
        except OSError as error:
            contents.miss(section, error)
            return None
        if dump.torn:
            contents.miss(section, "it changed while it was being read, three times over", "take the snapshot again")
        return dump.bodies

    links = take("links", read_dumps.read_links)
    table = parse_link_table(links or ())
    contents.links = table.links
    if any(link.bridge is not None and link.bridge.vlan_filtering for link in table.links):
        vlans = parse_vlans(take("links", read_dumps.read_vlans) or ())
        contents.links = tuple(
            msgspec.structs.replace(link, vlans=vlans[link.ifindex]) if link.ifindex in vlans else link
            for link in table.links
        )
    contents.addresses = parse_addresses(take("addresses", read_dumps.read_addresses) or ())
    if map_only:
        return None
    contents.routes = parse_routes(take("routes", read_dumps.read_routes) or ())
    contents.policy_rules = parse_rules(take("policy-rules", read_dumps.read_rules) or ())
    contents.neighbours = parse_neighbours(take("neighbours", read_dumps.read_neighbours) or ())
    contents.proxied = parse_proxied(take("neighbours", read_dumps.read_proxied) or ())
    contents.fdb = parse_fdb(take("fdb", read_dumps.read_fdb) or ())
    try:
        contents.traffic_control = read_traffic_control(sock, contents.links)
    except OSError as error:
        contents.miss("traffic-control", error)
    return None if links is None else table.settings


def _collect_nsid(contents: Contents, sock: NetlinkSocket, host: tuple[str, int] | None) -> None:
    """Ask by which number this namespace knows the host's, if it knows any: most often that settles all its links."""
    if host is None or host[0] == contents.id or all(link.lower_nsid is None for link in contents.links):
        return
    try:
        nsid = read_dumps.read_nsid(sock, host[1])
    except OSError:
        return  # then the links that lead there say that their peer wasn't found
    if nsid is not None:
        contents.nsids = {nsid: host[0]}


def _collect_peers(contents: Contents) -> None:
    """Call ethtool's statistic as the second witness, only for the veths whose peer netlink leaves open."""
    peers: dict[int, int] = {}
    for link in contents.links:
        if link.kind != "veth" or link.lower:
            continue
        try:
            peer = read_peer_ifindex(link.name)
        except OSError:
            continue  # a witness that can't be heard; the link's note says what is missing
        if peer is not None:
            peers[link.ifindex] = peer
    contents.peers = peers


def _collect_sysctls(contents: Contents, settings: dict[str, DeviceSettings] | None) -> None:
    sysctls = read_sysctls(settings or {}, bridges=any(link.bridge is not None for link in contents.links))
    contents.sysctls = sysctls.values
    if settings is None:
        contents.miss("sysctls", "the devices' own come with the links, which could not be read")
    if sysctls.unreadable:
        name, reason = next(iter(sysctls.unreadable.items()))
        more = f" and {len(sysctls.unreadable) - 1} more" if len(sysctls.unreadable) > 1 else ""
        contents.miss("sysctls", f"{name}{more}: {reason}", AS_ROOT)


def _collect_conntrack(contents: Contents, errand: Errand, *, is_host: bool) -> None:
    try:
        contents.conntrack_counts = read_counts()
    except OSError as error:
        contents.miss("conntrack", error)
    if is_host:
        _collect_nat_ports(contents)
    if errand.conntrack > 0:
        _collect_entries(contents, errand.conntrack, errand.conntrack_filter)


def _collect_nat_ports(contents: Contents) -> None:
    try:
        contents.nat_ports = read_nat_ports()
    except OSError as error:
        contents.miss("nat-ports", error)
        return
    if any(not use.complete for use in contents.nat_ports):
        contents.miss("nat-ports", "there are too many connections to count those to one destination in time")


def _collect_entries(contents: Contents, limit: int, wanted: ConntrackFilter) -> None:
    try:
        table = read_conntrack(wanted, limit=limit)
    except (OSError, ValueError) as error:
        contents.miss("conntrack", error)
        return
    contents.conntrack = table.entries
    if table.stopped:
        contents.miss("conntrack", f"{len(table.entries)} entries were read: {table.stopped}")


def collect_udp(contents: Contents, ports: Collection[int]) -> None:
    """Add the tracked UDP connections to some ports to what was read of the calling thread's namespace."""
    try:
        tables = [read_udp(port) for port in ports]
    except OSError as error:
        contents.miss("conntrack", error)
        return
    contents.conntrack = tuple(entry for table in tables for entry in table.entries)
    contents.conntrack_udp = tuple(ports)
    stopped = next((table.stopped for table in tables if table.stopped), "")
    if stopped:
        contents.miss("conntrack", f"not all UDP connections to published ports were read: {stopped}")
