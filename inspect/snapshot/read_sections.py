"""Phase one, beyond the links: the other sections of one network namespace, as far as they are wanted.

Runs in a thread that has entered the namespace.  Whatever fails leaves a gap
in its own section.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from dnet_tui.inspect.kernel.checksums import read_checksums
from dnet_tui.inspect.kernel.device_settings import DeviceSettings
from dnet_tui.inspect.kernel.netlink import Dump, NetlinkSocket
from dnet_tui.inspect.kernel.rtnetlink import read_dumps
from dnet_tui.inspect.kernel.rtnetlink.parse_addresses import (
    parse_addresses,
    parse_fdb,
    parse_neighbours,
    parse_proxied,
)
from dnet_tui.inspect.kernel.rtnetlink.parse_links import LinkTable
from dnet_tui.inspect.kernel.sockets.counters import read_counters
from dnet_tui.inspect.model.coverage.namespace_reading import AS_ROOT, NamespaceReading
from dnet_tui.inspect.model.coverage.needs import SectionName
from dnet_tui.inspect.snapshot.read_namespace import ReadRequest, take_dump


def collect_tables(contents: NamespaceReading, sock: NetlinkSocket, sections: Collection[SectionName]) -> None:
    """Read rtnetlink's other tables."""

    def take(section: SectionName, read: Callable[[NetlinkSocket], Dump]) -> tuple[bytes, ...]:
        try:
            return take_dump(contents, section, read(sock))
        except OSError as error:
            contents.miss(section, error)
            return ()

    if SectionName.ADDRESSES in sections:
        contents.addresses = parse_addresses(take(SectionName.ADDRESSES, read_dumps.read_addresses))
    if SectionName.ROUTES in sections or SectionName.POLICY_RULES in sections:
        from dnet_tui.inspect.kernel.rtnetlink.parse_routes import parse_routes, parse_rules  # noqa: PLC0415 - wanted

        if SectionName.ROUTES in sections:
            contents.routes = parse_routes(take(SectionName.ROUTES, read_dumps.read_routes))
        if SectionName.POLICY_RULES in sections:
            contents.policy_rules = parse_rules(take(SectionName.POLICY_RULES, read_dumps.read_rules))
    if SectionName.NEIGHBOURS in sections:
        contents.neighbours = parse_neighbours(take(SectionName.NEIGHBOURS, read_dumps.read_neighbours))
        contents.proxied = parse_proxied(take(SectionName.NEIGHBOURS, read_dumps.read_proxied))
    if SectionName.FDB in sections:
        contents.fdb = parse_fdb(take(SectionName.FDB, read_dumps.read_fdb))
    if SectionName.TRAFFIC_CONTROL in sections:
        _collect_traffic_control(contents, sock)


def _collect_traffic_control(contents: NamespaceReading, sock: NetlinkSocket) -> None:
    from dnet_tui.inspect.kernel.traffic_control import read_programs, read_traffic_control  # noqa: PLC0415 - only when wanted

    try:
        contents.traffic_control = read_traffic_control(sock)
        contents.traffic_control = (*read_programs(contents.links), *contents.traffic_control)
    except OSError as error:
        contents.miss(SectionName.TRAFFIC_CONTROL, error)


def collect_sections(contents: NamespaceReading, errand: ReadRequest, table: LinkTable | None) -> None:
    """Read what isn't rtnetlink's; ``table`` has the devices' own settings, which came with the links."""
    wanted = errand.sections
    if SectionName.SYSCTLS in wanted:
        _collect_sysctls(contents, None if table is None else table.settings)
    _collect_counts(contents, wanted)
    for section, collect in _BY_THEMSELVES.items():
        if section in wanted:
            collect(contents)
    if SectionName.CONNTRACK in wanted or errand.conntrack > 0:
        _collect_conntrack(contents, errand)
    if SectionName.FIREWALL in wanted:
        if errand.rules is not None:
            errand.rules.fill(contents)
        else:
            from dnet_tui.inspect.ruleset.read_firewall import read_rules  # noqa: PLC0415 - only when wanted

            read_rules(contents, errand.before)


def _collect_counts(contents: NamespaceReading, wanted: Collection[SectionName]) -> None:
    if SectionName.COUNTERS in wanted:
        contents.counters = read_counters()
    if SectionName.CHECKSUMS in wanted:
        contents.checksums = read_checksums()


def _collect_sysctls(contents: NamespaceReading, settings: dict[str, DeviceSettings] | None) -> None:
    from dnet_tui.inspect.kernel.sysctl import read_sysctls  # noqa: PLC0415 - only when wanted

    sysctls = read_sysctls(settings or {}, bridges=any(link.bridge is not None for link in contents.links))
    contents.sysctls = sysctls.values
    if settings is None:
        contents.miss("sysctls", "the devices' own come with the links, which could not be read")
    if sysctls.unreadable:
        name, reason = next(iter(sysctls.unreadable.items()))
        more = f" and {len(sysctls.unreadable) - 1} more" if len(sysctls.unreadable) > 1 else ""
        contents.miss("sysctls", f"{name}{more}: {reason}", AS_ROOT)


def _collect_sockets(contents: NamespaceReading) -> None:
    from dnet_tui.inspect.kernel.sockets.listening import read_listening  # noqa: PLC0415 - only when wanted

    try:
        contents.sockets = read_listening()
    except OSError as error:
        contents.miss("sockets", error)


def _collect_filter_state(contents: NamespaceReading) -> None:
    from dnet_tui.inspect.kernel.filter_state import read_queues, read_recent  # noqa: PLC0415 - only when wanted

    try:
        contents.recent = read_recent()
        contents.queues = read_queues()
    except OSError as error:
        contents.miss(SectionName.FILTER_STATE, error)


def _collect_xfrm(contents: NamespaceReading) -> None:
    from dnet_tui.inspect.kernel.xfrm import read_policies  # noqa: PLC0415 - only when wanted

    try:
        contents.xfrm = read_policies()
        contents.xfrm_policies = len(contents.xfrm)
    except OSError as error:
        contents.miss("xfrm", error)


def _collect_wireguard(contents: NamespaceReading) -> None:
    if not any(link.kind == "wireguard" for link in contents.links):
        return
    from dnet_tui.inspect.kernel.tunnels.wireguard import read_wireguard  # noqa: PLC0415 - hardly ever wanted

    try:
        contents.wireguard = read_wireguard(contents.links)
    except OSError as error:
        contents.miss("wireguard", error)


def _collect_conntrack(contents: NamespaceReading, errand: ReadRequest) -> None:
    from dnet_tui.inspect.kernel.sockets.conntrack import read_conntrack  # noqa: PLC0415 - only when wanted
    from dnet_tui.inspect.kernel.sockets.conntrack_counts import read_counts  # noqa: PLC0415 - as above
    from dnet_tui.inspect.kernel.sockets.conntrack_parse import ConntrackFilter  # noqa: PLC0415 - as above

    if SectionName.CONNTRACK in errand.sections:
        try:
            contents.conntrack_counts = read_counts()
        except OSError as error:
            contents.miss("conntrack", error)
    if errand.conntrack <= 0:
        return
    try:
        table = read_conntrack(errand.conntrack_filter or ConntrackFilter(), limit=errand.conntrack)
    except (OSError, ValueError) as error:
        contents.miss("conntrack", error)
        return
    contents.conntrack = table.entries
    if table.stopped:
        contents.miss("conntrack", f"{len(table.entries)} entries were read: {table.stopped}")


def _collect_nat_ports(contents: NamespaceReading) -> None:
    from dnet_tui.inspect.kernel.sockets.nat_ports import read_nat_ports  # noqa: PLC0415 - only when wanted

    try:
        contents.nat_ports = read_nat_ports()
    except OSError as error:
        contents.miss("nat-ports", error)
        return
    if any(not use.complete for use in contents.nat_ports):
        contents.miss("nat-ports", "there are too many connections to count those to one destination in time")


def collect_udp(contents: NamespaceReading, ports: Collection[int]) -> None:
    """Add the tracked UDP connections to some ports to what was read of the calling thread's namespace."""
    from dnet_tui.inspect.kernel.sockets.conntrack import read_udp  # noqa: PLC0415 - only when wanted

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


_BY_THEMSELVES = {
    SectionName.SOCKETS: _collect_sockets,
    SectionName.XFRM: _collect_xfrm,
    SectionName.WIREGUARD: _collect_wireguard,
    SectionName.NAT_PORTS: _collect_nat_ports,
    SectionName.FILTER_STATE: _collect_filter_state,
}
"""The readers that need nothing but the namespace."""
