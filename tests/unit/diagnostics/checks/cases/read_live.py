"""Which fields of the model are filled on live hosts, and by which test that is shown.

A check that rests on anything else can never fire outside of a test.
"""

from __future__ import annotations

from collections.abc import Iterator


def _named(text: str) -> Iterator[str]:
    """``Struct: field field``, line by line; a line that is indented goes on with the one before."""
    struct = ""
    for line in text.strip().splitlines():
        head, colon, rest = line.partition(":")
        struct = head if colon else struct
        yield from (f"{struct}.{field}" for field in (rest if colon else line).split())


DEMO = frozenset(
    _named("""
Address: address family flags ifindex prefixlen scope
BridgePort: state
Chain: bytes hook name packets policy priority rules type
Container: endpoints engine id mode name netns pid status
Endpoint: addresses gateway network
Firewall: tables
Host: hostname kernel resolver
Link: bridge carrier flags ifindex kind lower lower_nsid mac master mtu name operstate peer port stats up
LinkRef: ifindex namespace
LinkStats: rx_bytes rx_packets tx_bytes tx_packets
Match: field negate values
Namespace: addresses checksums conntrack conntrack_counts firewall id inode kind links nat_ports path
    policy_rules processes routes sockets sysctls
Nat: addresses kind ports
Network: bridge engine icc id internal isolated masquerade name subnets
NextHop: gateway ifindex
PolicyRule: family priority table
Process: name pid start
Resolver: servers source
Route: dst family hops metric protocol scope source table type
Rule: bytes exprs handle number packets text
Settings: values
Snapshot: containers host namespaces networks taken_at tool_version
Socket: address inode pid port process proto
Subnet: cidr gateway
Table: backend chains family name
Verdict: chain kind
""")
)
"""Those that a host without an engine has; ``tests/lab/inspect/test_fields.py`` reads one."""

DOCKER = frozenset(
    _named("""
AddressPool: base size
Container: image joined published resolver
Engine: address_pools ip6tables ip_forward iptables iptables_backend iptables_program log name socket
    userland_proxy version
Network: driver
PortProxy: container_ip container_port host_ip host_port netns pid proto
PublishedPort: container_port host_ip host_port proto
Snapshot: engines proxies
Socket: v6only
""")
)
"""Those that Docker's host has besides; read there too."""

PODMAN = frozenset(
    _named("""
Engine: network_backend
Namespace: neighbours
Neighbour: address family ifindex mac state
Network: dns ipv6
Rule: comment
""")
)
"""Those that Podman's host has besides; read there too."""

_START_FILE = "lab/faults/test_faults_startup.py"
_FIREWALLS = "lab/diagnostics/test_doctor_firewalls.py"
_LINKS = "lab/faults/every_host.py::test_on_a_docker_host"
_PROXYLESS = "lab/faults/test_faults_links.py::test_on_a_docker_host_without_a_proxy"
_RULES = "lab/faults/every_host.py::test_on_a_docker_host"
_NAMES = "lab/faults/test_faults_names.py::test_a_server_given_to_one_container_is_asked_from_within_it"
_FALLBACK = "lab/faults/test_faults_names.py::test_servers_that_docker_put_in_by_itself_are_told"
_NONE = "lab/faults/every_host.py::test_on_a_docker_host"
_START = (
    "lab/faults/test_faults_startup.py::test_a_start_that_a_foreign_program_made_fail_is_named_until_the_port_is_free"
)
_LOG = "lab/inspect/test_engine_log.py::test_a_running_daemons_log_is_found_by_itself"
_AWAY = "lab/zoo/test_zoo_engines.py::test_docker_whose_daemon_is_away_while_its_containers_run_on"
_NATIVE = f"{_FIREWALLS}::test_a_policy_that_docker_29_left_in_iptables_is_named_repaired_and_the_repair_undone"
_FILTER = "lab/inspect/test_traffic_control.py::test_a_filter_is_read_and_its_fate_left_open"
_PORTS = "lab/faults/test_faults_nat.py::test_as_many_connections_as_leave_own_ports_free_are_no_fault"
_COUNTS = "lab/inspect/test_conntrack.py::test_counters_are_those_of_conntrack"
_UPLINKS = "lab/faults/test_faults_others.py::test_answers_of_a_second_uplinks_port_that_leave_by_the_first"
_SUMS = f"{_START_FILE}::test_wrong_checksums_are_counted_by_the_receiver_and_a_warning_only_while_they_grow"
_VLANS = "unit/inspect/kernel/rtnetlink/test_parse_links.py::test_vlans_come_with_pvid_and_ranges"
_GROWN = "lab/diagnostics/test_counters.py::test_connections_that_nobody_takes_are_counted_and_said"
_FDB = "lab/inspect/test_truth.py::test_the_fdb_is_what_bridge_says"
_MODES = "lab/machines/test_hosts.py::test_gateway_modes_and_ipv6_of_newer_dockers_are_as_promised"
_FIREWALLD = f"{_FIREWALLS}::test_a_running_firewalld_is_read_as_it_sees_its_own_files"
_ROOTLESS = "unit/inspect/engines/test_rootless.py::test_one_that_was_not_asked_is_listed_with_the_way_in"
_DECISIONS = "lab/diagnostics/test_decisions.py::test_what_somebody_else_decided_is_named_with_its_owner_and_left_alone"
_ZONED = "lab/zoo/test_decided_ways.py::test_it_is_named_and_left_alone_and_what_looks_like_it_is_not_said"
_UNLISTED = "lab/diagnostics/test_silent_ways.py::test_on_a_docker_host"
_MODULES = "unit/inspect/kernel/test_host_info.py::test_modules_that_went_with_an_update"

ELSEWHERE = {
    "BridgeInfo.vlan_filtering": _VLANS,
    "BridgePort.broadcast_flood": _LINKS,
    "BridgePort.hairpin": _PROXYLESS,
    "BridgePort.isolated": _LINKS,
    "BridgePort.locked": _UNLISTED,
    "ChecksumCounts": _SUMS,
    "ConntrackCounts": _COUNTS,
    "ConntrackEntry": _PROXYLESS,
    "ConntrackTuple": _PROXYLESS,
    "Container.error": _START,
    "Container.running": _START,
    "Container.wanted": _START,
    "Element": _NATIVE,
    "Engine.firewall": _FALLBACK,
    "Engine.reachable": _AWAY,
    "Engine.rootless": _ROOTLESS,
    "FdbEntry": _FDB,
    "Firewalld": _FIREWALLD,
    "FirewalldZone": _FIREWALLD,
    "Host.modules_present": _MODULES,
    "KernelCounters": _GROWN,
    "Lack": _AWAY,
    "Link.peer_note": "lab/inspect/test_namespaces.py::test_veths_whose_other_end_is_out_of_sight_say_so",
    "Link.vlans": _VLANS,
    "LogLine": _LOG,
    "NameServer": _NAMES,
    "NamedSet": _NATIVE,
    "Namespace.conntrack_udp": _PROXYLESS,
    "Namespace.traffic_control": _FILTER,
    "LinkStats.rx_dropped": _GROWN,
    "Namespace.counters": _GROWN,
    "Namespace.fdb": _FDB,
    "NatPortUse": _PORTS,
    "Network.gateway_mode6": _MODES,
    "Partial": _AWAY,
    "PolicyRule.action": _LINKS,
    "PolicyRule.dst": _LINKS,
    "PolicyRule.mark": _UNLISTED,
    "PolicyRule.src": _UPLINKS,
    "PortVlan": _VLANS,
    "NoTrack": _DECISIONS,
    "Note": _DECISIONS,
    "Resolver": _NAMES,
    "Resolver.fell_back": _FALLBACK,
    "Resolver.none_left": _NONE,
    "SetMark.value": _UNLISTED,
    "SetZone": _ZONED,
    "Snapshot.firewalld": _FIREWALLD,
    "Table.sets": _NATIVE,
    "TrafficFilter": _FILTER,
    "Rule.owner": "lab/inspect/test_owners.py::test_every_rule_that_docker_wrote_is_dockers_and_names_what_it_is_for",
    "Verdict.reject_with": _RULES,
    "VerdictMap": _NATIVE,
    "Namespace.xfrm": _DECISIONS,
    "Namespace.xfrm_policies": _DECISIONS,
    "XfrmPolicy": _DECISIONS,
}
"""Other fields, or all of a struct, with the test that shows them read.

Most are of hosts that a lab test breaks or starts for itself.  What its kernel or its engines don't have is shown by
the test of the reader, over what a real one wrote: VLAN filtering, a rootless engine, a kernel that was replaced.
"""


def is_read_live(field: str) -> bool:
    """Whether a field (``Link.mtu``) is filled on some live host."""
    return field in DEMO | DOCKER | PODMAN or field in ELSEWHERE or field.partition(".")[0] in ELSEWHERE
