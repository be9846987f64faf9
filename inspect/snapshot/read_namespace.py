"""Phase one: what is wanted of one network namespace, read from inside it.

Runs in a thread that has entered the namespace.  Each section is read on its
own: one that fails leaves a gap, and the others go on.  The links come first
and always; the rest is in :mod:`dnet_tui.inspect.snapshot.read_sections`,
which isn't even imported where only the links are wanted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from dnet_tui.inspect.kernel.netlink import Dump, NetlinkSocket
from dnet_tui.inspect.kernel.rtnetlink import read_dumps
from dnet_tui.inspect.kernel.rtnetlink.parse_links import LinkTable, parse_link_table, parse_vlans
from dnet_tui.inspect.model.coverage.namespace_reading import NamespaceReading
from dnet_tui.inspect.model.coverage.needs import EVERYTHING, SectionName

if TYPE_CHECKING:
    from dnet_tui.inspect.kernel.sockets.conntrack_parse import ConntrackFilter
    from dnet_tui.inspect.ruleset.read_firewall import BackgroundRuleRefresh

_FALLBACK_KINDS = frozenset(
    {"loopback", "ipip", "sit", "gre", "gretap", "erspan", "vti", "vti6", "ip6tnl", "ip6gre", "ip6gretap", "ip6erspan"}
)
"""Kinds that a kernel with tunnel modules puts, down, into every new namespace."""


class ReadRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What to read of a namespace.

    ``sections`` are those that are wanted.  ``conntrack`` is how many tracked
    connections are wanted at most (0: none), and ``conntrack_filter`` which (None: any).
    With ``only_if_connected`` nothing but the tables of links is read where
    there is no link that leads anywhere (a service's sandbox, a browser's).
    ``before`` is what was read of it earlier: rules that are proved to be
    unchanged are taken from there; ``rules`` are those of the host, where
    they are being brought up to date.
    """

    sections: frozenset[SectionName] = EVERYTHING.everywhere
    conntrack: int = 0
    conntrack_filter: ConntrackFilter | None = None
    only_if_connected: bool = False
    before: NamespaceReading | None = None
    rules: BackgroundRuleRefresh | None = None


def is_connected(contents: NamespaceReading) -> bool:
    """Whether a namespace has any link but those that every new one is born with."""
    return any(link.kind not in _FALLBACK_KINDS or link.up for link in contents.links if link.kind != "loopback")


def collect(scope: str, errand: ReadRequest, *, at: str, host: tuple[str, int] | None) -> NamespaceReading:
    """Read the calling thread's namespace.  Never raises for a section; see ``gaps``.

    Args:
        scope: the namespace's id.
        errand: what is wanted.
        at: the time, as the snapshot will have it.
        host: the id and an open descriptor of the host's namespace, which most links lead to.
    """
    contents = NamespaceReading(id=scope, read_at=at)
    try:
        with NetlinkSocket() as sock:
            contents.cookie = sock.cookie()
            table = _collect_links(contents, sock)
            _collect_nsid(contents, sock, host)
            if errand.only_if_connected and not contents.gaps and not is_connected(contents):
                return contents
            if errand.sections - {SectionName.LINKS}:
                from dnet_tui.inspect.snapshot.read_sections import collect_tables  # noqa: PLC0415 - only when wanted

                collect_tables(contents, sock, errand.sections)
    except OSError as error:
        table = None
        contents.miss("links", error)
    _collect_peers(contents)
    if errand.sections - {SectionName.LINKS, SectionName.ADDRESSES} or errand.conntrack:
        from dnet_tui.inspect.snapshot.read_sections import collect_sections  # noqa: PLC0415 - only when wanted

        collect_sections(contents, errand, table)
    return contents


def take_dump(contents: NamespaceReading, section: str, dump: Dump) -> tuple[bytes, ...]:
    """The bodies of a dump, with a gap where the tables changed under it each time."""
    if dump.torn:
        contents.miss(section, "it changed while it was being read, three times over", "take the snapshot again")
    return dump.bodies


def _collect_links(contents: NamespaceReading, sock: NetlinkSocket) -> LinkTable | None:
    """Read the links; returns the whole table, None when they could not be read."""
    try:
        table = parse_link_table(take_dump(contents, "links", read_dumps.read_links(sock)))
    except OSError as error:
        contents.miss("links", error)
        return None
    contents.links = table.links
    if any(link.bridge is not None and link.bridge.vlan_filtering for link in table.links):
        try:
            vlans = parse_vlans(take_dump(contents, "links", read_dumps.read_vlans(sock)))
        except OSError as error:
            contents.miss("links", error)
        else:
            contents.links = tuple(
                msgspec.structs.replace(link, vlans=vlans[link.ifindex]) if link.ifindex in vlans else link
                for link in table.links
            )
    return table


def _collect_nsid(contents: NamespaceReading, sock: NetlinkSocket, host: tuple[str, int] | None) -> None:
    """Ask by which number this namespace knows the host's, if it knows any: most often that settles all its links."""
    if host is None or host[0] == contents.id or all(link.lower_nsid is None for link in contents.links):
        return
    try:
        nsid = read_dumps.read_nsid(sock, host[1])
    except OSError:
        return  # then the links that lead there say that their peer wasn't found
    if nsid is not None:
        contents.nsids = {nsid: host[0]}


def _collect_peers(contents: NamespaceReading) -> None:
    """Call ethtool's statistic as the second witness, only for the veths whose peer netlink leaves open."""
    open_ones = [link for link in contents.links if link.kind == "veth" and not link.lower]
    if not open_ones:
        return
    from dnet_tui.inspect.kernel.ethtool import read_peer_ifindex  # noqa: PLC0415 - hardly ever wanted

    for link in open_ones:
        try:
            peer = read_peer_ifindex(link.name)
        except OSError:
            continue  # a witness that can't be heard; the link's note says what is missing
        if peer is not None:
            contents.peers = {**contents.peers, link.ifindex: peer}
