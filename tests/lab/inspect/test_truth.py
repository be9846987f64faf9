"""A snapshot beside what the tools of iproute2 say of the same host, field by field."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from dnet_tui.actions.demo.topology import DEMO
from dnet_tui.inspect.model import Address, Namespace, Partial, ProxiedAddress, Snapshot, Tun, Unread, known_items
from lab.machines.hosts import DemoHost, python_argv
from lab.machines.requirements import require_lab
from lab.packets import truth

KINDS: dict[str, tuple[str, ...]] = {
    "vxlan": (
        "link add vx0 type vxlan id 42 local 203.0.113.2 remote 198.51.100.7 dev eth0 dstport 4789 nolearning proxy",
    ),
    "vxlan over IPv6": ("link add vx6 type vxlan id 43 local 2001:db8::2 remote 2001:db8::9 dstport 8472 l2miss",),
    "vxlan for programs": ("link add vxe type vxlan external dstport 8473",),
    "geneve": ("link add gen0 type geneve id 5 remote 198.51.100.8",),
    "macvlan": ("link add mv0 link eth0 type macvlan mode bridge", "link add mv1 link eth0 type macvlan mode private"),
    "macvtap": ("link add mt0 link eth0 type macvtap mode vepa",),
    "ipvlan": ("link add iv0 link eth0 type ipvlan mode l3",),
    "vlan": ("link add link eth0 name eth0.7 type vlan id 7",),
    "dummy": ("link add du0 type dummy",),
    "ifb": ("link add ifb0 type ifb",),
    "bond": ("link add bo0 type bond mode active-backup miimon 100",),
    "wireguard": ("link add wg0 type wireguard",),
    "vrf": ("link add vrf0 type vrf table 1001",),
    "gre": ("link add gr0 type gre local 203.0.113.2 remote 198.51.100.9 key 7",),
    "gretap": ("link add gt0 type gretap local 203.0.113.2 remote 198.51.100.9",),
    "ipip": ("link add ii0 type ipip local 203.0.113.2 remote 198.51.100.9",),
    "sit": ("link add si0 type sit local 203.0.113.2 remote 198.51.100.9",),
    "ip6tnl": ("link add i6 type ip6tnl local 2001:db8::2 remote 2001:db8::9",),
    "ip6gre": ("link add g6 type ip6gre local 2001:db8::2 remote 2001:db8::9",),
    "vti": ("link add vt0 type vti local 203.0.113.2 remote 198.51.100.9",),
    "tun": ("tuntap add tun0 mode tun user 1000",),
    "tap": ("tuntap add tap0 mode tap group 5 multi_queue",),
}
"""How to make a link of each kind.  A kernel may be built without any of them."""

ALWAYS = {"vxlan", "macvlan", "tun", "tap"}
"""Kinds without which containers' networks can't be had at all, so every lab's kernel has them."""

NOT_OFFERED = ("Unknown device type", "not supported")

SETUP = (
    "link set br-front type bridge stp_state 1 group_fwd_mask 8 ageing_time 6000 mcast_querier 1",
    "link set br-back type bridge mcast_snooping 0 nf_call_iptables 1 forward_delay 200",
    "link set veth-web type bridge_slave hairpin on isolated on guard on mcast_flood off bcast_flood off",
    "link set veth-api type bridge_slave learning off flood off neigh_suppress on fastleave on root_block on",
    "link set veth-db type bridge_slave mcast_to_unicast on proxy_arp on",
    "addr add 192.0.2.1 peer 192.0.2.2/32 dev eth0",
    "addr add 203.0.113.50/24 dev eth0",
    "addr add 203.0.113.60/32 dev eth0 noprefixroute",
    "addr add 2001:db8::2/64 dev eth0 nodad",
    "link set vx0 up",
    "route add 198.51.100.0/24 via 203.0.113.1 mtu 1400 advmss 1360",
    "route add 198.51.101.0/24 metric 50 nexthop via 203.0.113.1 weight 3 nexthop via 203.0.113.9",
    "route add blackhole 10.99.0.0/16 metric 7",
    "route add unreachable 10.98.0.0/16",
    "route add prohibit 10.97.0.0/16 table 1000",
    "route add throw 10.96.0.0/16 table 1000",
    "route add local 192.0.2.128/25 dev lo",
    "rule add pref 100 from 172.30.1.0/24 to 198.51.100.0/24 fwmark 0x10/0xff iif br-front lookup 1000",
    "rule add pref 200 not from 203.0.113.2 oif eth0 lookup main suppress_prefixlength 0",
    "rule add pref 300 to 10.95.0.0/16 prohibit",
    "neigh add 203.0.113.9 lladdr 02:00:00:00:00:09 dev eth0 nud permanent",
    "neigh add 203.0.113.10 lladdr 02:00:00:00:00:10 dev eth0 nud stale",
    "neigh add proxy 203.0.113.77 dev eth0",
    "xfrm policy add src 10.90.0.0/24 dst 10.91.0.0/24 dir out tmpl proto esp mode tunnel",
    "xfrm policy add src 10.91.0.0/24 dst 10.90.0.0/24 dir in tmpl proto esp mode tunnel",
)
SETUP6 = (
    "route add 2001:db8:1::/48 via 2001:db8::1 mtu 1380",
    "route add 2001:db8:2::/48 nexthop via 2001:db8::1 nexthop via 2001:db8::3",
    "route add default via 2001:db8::1 metric 9 pref high",
    "route add unreachable 2001:db8:3::/48",
    "rule add pref 100 from 2001:db8::/64 lookup 1000",
    "neigh add 2001:db8::9 lladdr 02:00:00:00:00:09 dev eth0 nud stale router",
)
FDB = (
    "append 00:00:00:00:00:00 dev vx0 dst 198.51.100.8 vni 44 port 4790",
    "add 02:00:00:00:00:77 dev veth-web master static",
    "add 02:00:00:00:00:78 dev veth-db master dynamic",
)
SETTINGS = {
    "net.ipv4.conf.br-front.rp_filter": "2",
    "net.ipv4.conf.br-front.route_localnet": "1",
    "net.ipv4.conf.eth0.arp_ignore": "1",
    "net.ipv4.conf.eth0.arp_announce": "2",
    "net.ipv4.conf.eth0.proxy_arp_pvlan": "1",
    "net.ipv4.conf.eth0.src_valid_mark": "1",
    "net.ipv4.conf.br-back.accept_local": "1",
    "net.ipv4.conf.br-back.send_redirects": "0",
    "net.ipv4.conf.veth-web.arp_filter": "1",
    "net.ipv4.conf.veth-web.arp_accept": "1",
    "net.ipv4.conf.veth-web.log_martians": "1",
    "net.ipv4.conf.veth-db.proxy_arp": "1",
    "net.ipv4.neigh.veth-db.proxy_delay": "40",
    "net.ipv4.conf.veth-db.accept_redirects": "0",
    "net.ipv4.conf.vx0.forwarding": "0",
    "net.ipv6.conf.eth0.accept_ra": "2",
    "net.ipv6.conf.eth0.proxy_ndp": "1",
    "net.ipv6.conf.veth-db.disable_ipv6": "1",
    "net.ipv6.conf.br-front.forwarding": "1",
}


def _addresses(snapshot: Snapshot) -> Iterator[Address]:
    return (item for space in snapshot.namespaces for item in space.addresses)


class Furnished:
    """The demo's host with links of every kind the kernel offers, and the snapshot of it."""

    def __init__(self, host: DemoHost) -> None:
        self.host = host
        self.offered = {kind for kind in KINDS if self._make(kind)}
        host.run("ip", "-batch", "-", stdin="\n".join(SETUP).encode())
        host.run("ip", "-6", "-batch", "-", stdin="\n".join(SETUP6).encode())
        host.run("bridge", "-batch", "-", stdin="\n".join(f"fdb {line}" for line in FDB).encode())
        for name, value in SETTINGS.items():
            host.run("sysctl", "-q", "-w", f"{name}={value}")
        self.snapshot = self._settled()

    def _settled(self) -> Snapshot:
        """A snapshot of the host once the kernel is done with it: link-local addresses and their routes come late."""
        before: list[object] = []
        for _ in range(40):
            snapshot = self.host.snapshot()
            now: list[object] = [(space.id, space.addresses, space.routes) for space in snapshot.namespaces]
            if now == before and not any("tentative" in item.flags for item in _addresses(snapshot)):
                return snapshot
            before = now
            time.sleep(0.5)
        raise AssertionError("the host doesn't settle")

    def _make(self, kind: str) -> bool:
        """Make links of a kind; False when the kernel has none such, and for any other reason the test fails."""
        for command in KINDS[kind]:
            done = self.host.run("ip", *command.split(), check=False)
            if done.returncode:
                words = done.stderr.decode()
                assert any(reason in words for reason in NOT_OFFERED), f"{kind}: {words}"
                return False
        return True

    def namespaces(self) -> Iterator[tuple[Namespace, dict[str, int]]]:
        """Every namespace of the snapshot with its links' names."""
        for namespace in self.snapshot.namespaces:
            yield namespace, {link.name: link.ifindex for link in namespace.links}

    def ask(self, namespace: Namespace, *argv: str) -> Any:
        return truth.ask(self.host, namespace, *argv)


@pytest.fixture(scope="module")
def furnished() -> Iterator[Furnished]:
    require_lab("bridge", "sysctl")
    with DemoHost.start() as host:
        found = Furnished(host)
        print("links not offered by this kernel:", ", ".join(sorted(KINDS.keys() - found.offered)) or "none")
        yield found


def test_what_every_lab_has_was_made(furnished: Furnished) -> None:
    assert furnished.offered >= ALWAYS
    assert furnished.snapshot.gaps == ()
    assert len(furnished.snapshot.namespaces) == len(DEMO.members) + 2


def test_links_are_what_ip_says(furnished: Furnished) -> None:
    for namespace, _ in furnished.namespaces():
        told = truth.links_told(furnished.ask(namespace, "ip", "-j", "-d", "-s", "link"))
        seen = truth.links_seen(namespace, told)
        for record in (*told.values(), *seen.values()):
            if record["name"] != "lo" and "UP" in record["flags"]:
                del record["stats"]  # those of a running link move on; lo's and a sleeping one's don't
        assert seen == told, namespace.names


def test_the_details_of_every_kind_that_was_made_were_compared(furnished: Furnished) -> None:
    (host,) = (namespace for namespace in furnished.snapshot.namespaces if namespace.kind == "host")
    told = truth.links_told(furnished.ask(host, "ip", "-j", "-d", "-s", "link"))
    with_details = {record["kind"] for record in told.values() if any(key.startswith("detail ") for key in record)}
    made = {kind.split(" ", maxsplit=1)[0].replace("tap", "tun") for kind in furnished.offered if kind != "macvtap"}
    assert with_details >= made - {"dummy", "ifb", "wireguard", "gretun"}
    ports = [record for record in told.values() if "port isolated" in record]
    assert len(ports) == len(DEMO.members)
    assert {len([key for key in port if key.startswith("port ")]) for port in ports} == {16}


def test_a_tun_devices_owner_is_told_by_number(furnished: Furnished) -> None:
    (host,) = (namespace for namespace in furnished.snapshot.namespaces if namespace.kind == "host")
    owners = {link.name: (link.detail.owner, link.detail.group) for link in host.links if isinstance(link.detail, Tun)}
    assert owners == {"tun0": (1000, None), "tap0": (None, 5)}


def test_bridge_ports_are_what_bridge_says(furnished: Furnished) -> None:
    words = {"mcast_flood": "multicast_flood", "bcast_flood": "broadcast_flood", "fastleave": "fast_leave"}
    words |= {name: name for name in ("state", "hairpin", "guard", "root_block", "learning", "flood", "isolated")}
    for namespace, _ in furnished.namespaces():
        told = {
            item["ifindex"]: {ours: item[key] for key, ours in words.items() if key in item}
            for item in furnished.ask(namespace, "bridge", "-j", "-d", "link")
        }
        ports = {link.ifindex: link.port for link in namespace.links if link.port is not None}
        assert {index: {key: getattr(port, key) for key in told[index]} for index, port in ports.items()} == told


def test_vlans_are_what_bridge_says_where_a_bridge_filters(furnished: Furnished) -> None:
    for namespace, names in furnished.namespaces():
        filtering = {link.ifindex for link in namespace.links if link.bridge is not None and link.bridge.vlan_filtering}
        told = {
            (names[item["ifname"]], vlan["vlan"], "PVID" in vlan.get("flags", []))
            for item in furnished.ask(namespace, "bridge", "-j", "vlan")
            for vlan in item["vlans"]
            if filtering
        }
        seen = {(link.ifindex, vlan.vid, vlan.pvid) for link in namespace.links for vlan in link.vlans}
        assert seen == told


def test_addresses_are_what_ip_says(furnished: Furnished) -> None:
    for namespace, _ in furnished.namespaces():
        told = truth.addresses_told(furnished.ask(namespace, "ip", "-j", "-d", "addr"))
        assert truth.addresses_seen(namespace) == told


def test_routes_of_every_table_are_what_ip_says(furnished: Furnished) -> None:
    compared = set()
    for namespace, names in furnished.namespaces():
        for family, option in (("ip", "-4"), ("ip6", "-6")):
            records = furnished.ask(namespace, "ip", "-j", "-d", option, "route", "show", "table", "all")
            told = truth.routes_told(records, family, names)
            assert truth.routes_seen(namespace.routes, family) == told
            compared |= {record["type"] for record in told}
    assert compared >= {"unicast", "local", "broadcast", "blackhole", "unreachable", "prohibit", "throw"}


def test_policy_rules_are_what_ip_says(furnished: Furnished) -> None:
    for namespace, _ in furnished.namespaces():
        for family, option in (("ip", "-4"), ("ip6", "-6")):
            told = truth.rules_told(furnished.ask(namespace, "ip", "-j", option, "rule"), family)
            assert truth.rules_seen(namespace, family) == told


def test_neighbours_are_what_ip_says(furnished: Furnished) -> None:
    for namespace, names in furnished.namespaces():
        told = truth.neighbours_told(furnished.ask(namespace, "ip", "-j", "neigh"), names)
        assert truth.neighbours_seen(namespace) == told


def test_addresses_that_are_answered_for_are_what_ip_says(furnished: Furnished) -> None:
    for namespace, names in furnished.namespaces():
        told = {
            (names[item["dev"]], item["dst"]) for item in furnished.ask(namespace, "ip", "-j", "neigh", "show", "proxy")
        }
        assert {(item.ifindex, item.address) for item in namespace.proxied} == told
    (host,) = (namespace for namespace in furnished.snapshot.namespaces if namespace.kind == "host")
    uplink = next(link.ifindex for link in host.links if link.name == DEMO.uplink)
    assert host.proxied == (ProxiedAddress(ifindex=uplink, family="ip", address="203.0.113.77"),)


def test_the_fdb_is_what_bridge_says(furnished: Furnished) -> None:
    for namespace, names in furnished.namespaces():
        told = truth.fdb_told(furnished.ask(namespace, "bridge", "-j", "-d", "fdb"), names)
        assert truth.fdb_seen(namespace) == told
    (host,) = (namespace for namespace in furnished.snapshot.namespaces if namespace.kind == "host")
    assert {(item.remote, item.vni, item.port) for item in host.fdb if item.remote} >= {("198.51.100.8", 44, 4790)}


def test_every_sysctl_is_what_proc_says(furnished: Furnished) -> None:
    for namespace, names in furnished.namespaces():
        prefix = [] if namespace.kind == "host" else ["nsenter", f"--net={namespace.path}", "--"]
        listed = sorted(namespace.sysctls)
        lines = furnished.host.run(*prefix, "sysctl", "-e", *listed).stdout.decode().splitlines()
        told = dict(line.split(" = ", 1) for line in lines)
        counted = "net.netfilter.nf_conntrack_count"
        assert {key: told[key] for key in listed if key != counted} == {
            key: value for key, value in namespace.sysctls.items() if key != counted
        }
        devices = {*names, "all", "default"}
        assert {key.split(".")[3].replace("/", ".") for key in listed if ".ipv4.conf." in key} == devices
    (host,) = (namespace for namespace in furnished.snapshot.namespaces if namespace.kind == "host")
    assert {name: host.sysctls[name] for name in SETTINGS} == SETTINGS
    waiting = {key.split(".")[3] for key in host.sysctls if key.endswith(".proxy_delay")}
    assert waiting == {"eth0", "veth-db"}  # only where a device answers for others


def test_every_per_device_sysctl_that_proc_has_is_told(furnished: Furnished) -> None:
    """A device's settings come over netlink; none of those that are wanted may be missing beside the files."""
    (host,) = (namespace for namespace in furnished.snapshot.namespaces if namespace.kind == "host")
    for family in ("ipv4", "ipv6"):
        wanted = {key.rpartition(".")[2] for key in host.sysctls if f".{family}.conf.all." in key}
        for link in host.links:
            told = {key.rpartition(".")[2] for key in host.sysctls if f".{family}.conf.{link.name}." in key}
            folder = f"/proc/sys/net/{family}/conf/{link.name}"
            files = set(furnished.host.run("ls", folder).stdout.decode().split())
            assert told == wanted & files, link.name


def test_ipsec_policies_are_counted(furnished: Furnished) -> None:
    counts = {namespace.kind: namespace.xfrm_policies for namespace in furnished.snapshot.namespaces}
    assert counts == {"host": 2, "named": 0}


def test_without_capabilities_the_ipsec_policies_are_a_gap(furnished: Furnished) -> None:
    code = """
import ctypes, os, sys
import msgspec
from dnet_tui.inspect.snapshot.take_snapshot import take_snapshot
take_snapshot()  # imports what it needs: nobody may not read this interpreter's files
os.setgroups([]); os.setgid(65534); os.setuid(65534)
ctypes.CDLL(None).prctl(4, 1)  # PR_SET_DUMPABLE: else /proc/self stays root's
sys.stdout.buffer.write(msgspec.json.encode(take_snapshot()))
"""
    snapshot = msgspec.json.decode(furnished.host.run(*python_argv(code)).stdout, type=Snapshot)
    (space,) = known_items(snapshot.namespaces)
    assert isinstance(space.xfrm_policies, Unread)
    assert any(gap.section == "xfrm" for gap in snapshot.gaps)
    # Programs on tcx are shown to nobody without the capability: that there are none isn't known.
    assert isinstance(space.traffic_control, Unread | Partial)
