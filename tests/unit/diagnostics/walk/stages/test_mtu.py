"""Packets with a length: each MTU on the way, to the byte; who is told; fragments."""

from __future__ import annotations

import json

import msgspec
import pytest

from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.operations.rule import InsertRule
from dnet_tui.diagnostics.operations.simulate import after
from dnet_tui.diagnostics.trace.endpoints import find
from dnet_tui.diagnostics.trace.matrix import MatrixRequest, matrix
from dnet_tui.diagnostics.trace.trace import Trace, trace
from dnet_tui.diagnostics.walk.api import reply, walk
from dnet_tui.diagnostics.walk.icmp_too_big import too_big_message
from dnet_tui.diagnostics.walk.packet import Packet, Walk
from dnet_tui.diagnostics.walk.stages.mtu import piece
from dnet_tui.inspect.errors import UsageError
from dnet_tui.inspect.model import Host, Snapshot
from dnet_tui.inspect.model.view import View
from dnet_tui.tui.reports.terminal import OutputStyle
from dnet_tui.tui.reports.trace.matrix_text import matrix_text
from dnet_tui.tui.reports.trace.trace_json import trace_data
from dnet_tui.tui.reports.trace.trace_text import trace_text
from unit.builders.factories import APP1, HOST, WEB, docker_like_snapshot, with_link, with_namespace, with_sysctl
from unit.builders.factories_links import namespace
from unit.builders.factories_six import six_snapshot
from unit.diagnostics.checks.cases.rules import insert

OUTSIDE, OUTSIDE6 = "198.51.100.77", "2001:db8:77::1"
VETH_WEB, VETH_APP2 = "veth5f0a1b2", "veth99e5f60"


def udp(dst: str, length: int, *, df: bool | None, src: str = "172.17.0.2") -> Packet:
    family = "ip6" if ":" in dst else "ip"
    return Packet(family=family, src=src, dst=dst, proto="udp", sport=4000, dport=53, length=length, df=df)  # type: ignore[arg-type]


def out(snapshot: Snapshot, length: int, *, df: bool | None = True) -> Walk:
    """From the container to the outside."""
    return walk(View(snapshot), udp(OUTSIDE, length, df=df), origin=WEB, outside=True)


def out6(snapshot: Snapshot, length: int, *, df: bool | None = True) -> Walk:
    packet = udp(OUTSIDE6, length, df=df, src="fd00:17::2")
    return walk(View(snapshot), packet, origin=WEB, outside=True)


def across(snapshot: Snapshot, length: int, *, df: bool | None = True) -> Walk:
    """From one container to another on its bridge."""
    return walk(View(snapshot), udp("10.10.0.3", length, df=df, src="10.10.0.2"), origin=APP1)


def narrow(name: str, mtu: int = 1400, ns: str = HOST, snapshot: Snapshot | None = None) -> Snapshot:
    return with_link(snapshot or docker_like_snapshot(), ns, name, mtu=mtu)


def uncalled(snapshot: Snapshot) -> Snapshot:
    return with_sysctl(snapshot, "net.bridge.bridge-nf-call-iptables", "0")


def routed(snapshot: Snapshot, ident: str, mtu: int, *, locked: bool = False) -> Snapshot:
    """The default routes of a namespace with an MTU of their own."""
    routes = tuple(
        msgspec.structs.replace(item, mtu=mtu, mtu_locked=locked) if item.dst in {"0.0.0.0/0", "::/0"} else item
        for item in namespace(snapshot, ident).routes
    )
    return with_namespace(snapshot, ident, routes=routes)


def kernel(snapshot: Snapshot, release: str) -> Snapshot:
    return msgspec.structs.replace(snapshot, host=Host(hostname="lab", kernel=release))


def decided(way: Walk) -> tuple[str, str, str, str]:
    assert way.decided_by is not None
    return way.end, way.obstacles[0].stage, way.decided_by.link or way.decided_by.kind, way.decided_by.value


def test_a_packet_without_a_length_fits_everywhere() -> None:
    assert out(narrow("eth0", 68), 0).end == "left"


@pytest.mark.parametrize(
    ("snapshot", "fits", "stage", "link"),
    [
        (narrow("eth0", ns=WEB), 1400, "mtu", "eth0"),
        (narrow(VETH_WEB), 1404, "link", VETH_WEB),
        (narrow("eth0"), 1400, "mtu", "eth0"),
        (routed(docker_like_snapshot(), WEB, 1400), 1400, "mtu", "route"),
        (routed(docker_like_snapshot(), HOST, 1400), 1400, "mtu", "route"),
    ],
    ids=["own device", "veth", "uplink", "own route", "route"],
)
def test_the_narrow_place_decides_to_the_byte(snapshot: Snapshot, fits: int, stage: str, link: str) -> None:
    assert out(snapshot, fits).end == "left"
    assert decided(out(snapshot, fits + 1)) == ("too-big", stage, link, "1400")


def test_without_dont_fragment_ip_fragments_and_frames_are_lost() -> None:
    for snapshot in (narrow("eth0"), narrow("eth0", ns=WEB), routed(docker_like_snapshot(), HOST, 1400)):
        way = out(snapshot, 1500, df=False)
        assert way.end == "left"
        assert [hop.verdict for hop in way.hops if hop.stage == "mtu"] == ["fragmented to 1396"]
    assert out(narrow(VETH_WEB), 1405, df=False).end == "too-big"


def test_a_bridges_own_mtu_counts_for_what_ip_sends_by_it_only() -> None:
    snapshot = kernel(narrow("br-app"), "6.18")
    packet = udp("10.10.0.3", 1401, df=True, src="10.10.0.1")
    assert decided(walk(View(snapshot), packet, origin=HOST))[2] == "br-app"
    assert across(snapshot, 1401).end == "refused"


def test_a_port_takes_a_vlan_headers_length_more_unless_iptables_is_called() -> None:
    snapshot = narrow(VETH_APP2)
    assert across(uncalled(snapshot), 1404).end == "refused"
    assert decided(across(uncalled(snapshot), 1405)) == ("too-big", "bridge", VETH_APP2, "1400")
    assert across(snapshot, 1400).end == "refused"
    assert decided(across(snapshot, 1401)) == ("too-big", "bridge", VETH_APP2, "1400")


def test_br_netfilter_cuts_up_by_the_bridges_mtu_or_by_1500() -> None:
    # The far end is as wide as ever, so that only the port's MTU counts.
    matching = narrow("br-app", snapshot=narrow(VETH_APP2))
    wide = narrow(VETH_APP2)
    assert across(kernel(matching, "6.15.2"), 1500, df=False).end == "refused"
    assert across(kernel(matching, "6.1.0"), 1500, df=False).end == "unknown"
    assert across(kernel(wide, "6.15.2"), 1500, df=False).end == "too-big"
    assert across(kernel(wide, "6.1.0"), 1500, df=False).end == "too-big"


def test_as_linux_sends_only_what_does_not_fit_the_own_way_out_is_fragmented() -> None:
    assert out(narrow("eth0"), 1500, df=None).end == "too-big"
    assert out(narrow("eth0", ns=WEB), 1500, df=None).end == "left"
    assert out(with_sysctl(narrow("eth0"), "net.ipv4.ip_no_pmtu_disc", "1", WEB), 1500, df=None).end == "left"
    assert out(routed(narrow("eth0"), WEB, 1500, locked=True), 1500, df=None).end == "left"
    syn = msgspec.structs.replace(udp(OUTSIDE, 1401, df=None), proto="tcp", tcp_flags=("SYN",))
    assert walk(View(narrow("eth0", ns=WEB)), syn, origin=WEB, outside=True).end == "too-big"


def test_no_router_fragments_ipv6() -> None:
    snapshot = narrow("eth0", snapshot=six_snapshot())
    for df in (True, False, None):
        assert out6(snapshot, 1400, df=df).end == "left"
        assert decided(out6(snapshot, 1401, df=df))[1:] == ("mtu", "eth0", "1400")
    own = narrow("eth0", ns=WEB, snapshot=six_snapshot())
    assert (out6(own, 1500, df=None).end, out6(own, 1500, df=True).end) == ("left", "too-big")


def test_ipv6_has_an_mtu_of_its_own() -> None:
    snapshot = with_sysctl(six_snapshot(), "net.ipv6.conf.eth0.mtu", "1400")
    assert out6(snapshot, 1400).end == "left"
    assert decided(out6(snapshot, 1401))[1:] == ("mtu", "eth0", "1400")
    assert out(snapshot, 1500).end == "left"


def test_ipv6_forwards_by_a_routes_mtu_only_when_it_is_locked_and_sends_by_it_anyway() -> None:
    spec = "-s fd00:17::2/128 -j DROP"
    rule = InsertRule(backend="iptables-nft", family="ip6", table="filter", chain="FORWARD", spec=spec, position=1)
    dropping = after(six_snapshot(), [rule])
    ends = [
        out6(routed(base, HOST, 1400, locked=locked), 1401).end
        for base in (six_snapshot(), dropping)
        for locked in (False, True)
    ]
    assert ends == ["too-big", "too-big", "dropped", "too-big"]


def test_ipv6_may_be_cut_up_anew_where_br_netfilter_put_it_together() -> None:
    base = with_sysctl(six_snapshot(), "net.bridge.bridge-nf-call-ip6tables", "1")
    assert out6(narrow("eth0", snapshot=base), 1700, df=None).end == "left"
    silent = with_sysctl(base, "net.bridge.bridge-nf-call-ip6tables", "0")
    assert out6(narrow("eth0", snapshot=silent), 1700, df=None).end == "too-big"


def test_a_route_wider_than_its_device_leaves_it_to_the_driver() -> None:
    assert out(routed(narrow("eth0"), HOST, 1500), 1500).end == "unknown"


def test_fragments_are_as_long_as_their_mtu_allows() -> None:
    assert [piece("ip", mtu) for mtu in (1500, 1400, 1396)] == [1500, 1396, 1396]
    assert [piece("ip6", mtu) for mtu in (1500, 1400)] == [1496, 1400]


def test_an_echo_comes_back_as_long_as_it_went() -> None:
    ping = msgspec.structs.replace(udp(OUTSIDE, 1500, df=None), proto="icmp", icmp_type=8, sport=0, dport=0)
    for bridge, end in ((1500, "delivered"), (1400, "delivered")):
        view = View(narrow("docker0", bridge))
        back = reply(view, walk(view, ping, origin=WEB, outside=True))
        assert (back.end, back.start.length, back.last.fragment) == (end, 1500, 0 if bridge == 1500 else 1396)
    view = View(docker_like_snapshot())
    long = msgspec.structs.replace(ping, length=3000)
    assert reply(view, walk(view, long, origin=WEB, outside=True)).end == "delivered"


def test_what_is_that_long_may_not_come_in_from_outside_at_all() -> None:
    found = between("outside", "host", size=1501)
    assert (found.verdict, found.forward.obstacles[0].stage) == ("unknown", "link")
    assert between("outside", "host", size=1500).arrives is True


def test_a_rule_about_lengths_is_decided_by_a_length() -> None:
    snapshot = insert("-m length --length 1000:65535 -j DROP")
    assert [out(snapshot, length).end for length in (0, 999, 1000)] == ["unknown", "left", "dropped"]
    fragmented = narrow("eth0", 900, WEB, snapshot)
    assert out(fragmented, 1000, df=False).end == "dropped"  # br_netfilter put it together
    assert out(uncalled(fragmented), 1000, df=False).end == "unknown"


def between(source: str, target: str, snapshot: Snapshot | None = None, size: int = 0) -> Trace:
    case = HostContext(snapshot or docker_like_snapshot())
    return trace(case, find(case, source), find(case, target), proto="tcp", port=8080, size=size)


def test_the_sender_is_told_unless_a_rule_drops_the_message() -> None:
    found = between("web", "outside", narrow("eth0"), 1500)
    assert found.told is not None
    assert (found.told.end, found.told.last_namespace) == ("delivered", WEB)
    assert (found.told.start.dst, found.told.start.icmp_type, found.told.start.icmp_code) == ("172.17.0.2", 3, 4)
    assert "gets back to the sender" in found.why
    deaf = narrow("eth0", snapshot=insert("-p icmp -j DROP", "OUTPUT"))
    told = between("web", "outside", deaf, 1500)
    assert told.told is not None
    assert told.told.end == "dropped"
    assert "does not get back (dropped)" in told.why


def test_ipv6_tells_in_its_own_words() -> None:
    snapshot = narrow("eth0", snapshot=six_snapshot())
    told = too_big_message(View(snapshot), out6(snapshot, 1500))
    assert told is not None
    assert (told.end, told.last_namespace) == ("delivered", WEB)
    assert (told.start.proto, told.start.icmp_type, told.start.src) == ("icmpv6", 2, "fd00:17::1")


def test_nobody_is_told_of_a_lost_frame_and_a_sender_needs_no_message() -> None:
    lost = between("web", "outside", narrow(VETH_WEB), 1500)
    assert (lost.told, lost.why) == (None, "the sender is not notified: the frame is dropped silently")
    own = between("web", "outside", narrow("eth0", ns=WEB), 1500)
    assert (own.told, own.why) == (None, "its sender gets an error at once (EMSGSIZE)")


@pytest.mark.parametrize(("size", "fine"), [(39, False), (40, True), (65535, True), (65536, False)])
def test_only_sizes_that_a_packet_can_have_are_traced(size: int, *, fine: bool) -> None:
    if fine:
        assert between("web", "outside", size=size).forward.start.length == size
        return
    with pytest.raises(UsageError, match=f"no tcp packet of IPv4 has {size} bytes"):
        between("web", "outside", size=size)


def test_the_reports_say_it() -> None:
    snapshot = narrow("eth0")
    found = between("web", "outside", snapshot, 1500)
    text = trace_text(found, View(snapshot), OutputStyle(width=100))
    assert "1500 bytes" in text
    assert "The packet is too big for a link on its way." in text
    assert "Decided by: link eth0 has mtu 1400" in text
    assert "The message to the sender  icmp 172.17.0.1 → 172.17.0.2" in text
    data = json.loads(json.dumps(trace_data(found, View(snapshot))))
    assert (data["verdict"], data["size"], data["df"], data["told"]["verdict"]) == ("too-big", 1500, None, "delivered")
    assert "size" not in trace_data(between("web", "outside", snapshot), View(snapshot))


def test_the_matrix_has_a_letter_for_it() -> None:
    case = HostContext(narrow("eth0"))
    found = matrix(case, MatrixRequest(size=1500))
    reach = {(cell.source, cell.target): cell.reach for cell in found.cells}
    assert reach["web", "outside"] == "too-big"
    assert reach["app1", "app2"] == "yes"
    assert "b too big" in matrix_text(found, OutputStyle())
    assert "b too big" not in matrix_text(matrix(case), OutputStyle())
