"""Snapshots one after the other: what is read again, what is taken over, and that this is said."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dnet_tui.inspect.model import known_items
from lab.machines.hosts import DemoHost, python_argv

PRELUDE = """
import json, msgspec, subprocess, time
from dnet_tui.inspect.model import known_items
from dnet_tui.inspect.snapshot import snapshot_run as discover
from dnet_tui.inspect.snapshot.take_snapshot import Observer, Options, take_snapshot
from dnet_tui.inspect.kernel.netns import own_handle
from dnet_tui.inspect.kernel.procfs import read_process

def sh(*lines):
    for line in lines:
        subprocess.run(line.split(), check=True)

def named(snapshot, name):
    return next((item for item in known_items(snapshot.namespaces) if name in item.names), None)

def cidrs(space):
    return sorted(item.cidr for item in space.addresses if item.scope == "global")

def fresh(snapshot):
    spaces = known_items(snapshot.namespaces)
    return sorted(item.names[0] if item.names else item.kind for item in spaces if not item.read_at)

def later(observer, touched=()):
    # Times have a resolution of one second: only after it has passed does an old reading differ from a new one.
    time.sleep(1.1)
    return observer.refresh(touched)

def rules(space, table, chain):
    return [rule.text for item in space.firewall.tables if item.name == table
            for one in item.chains if one.name == chain for rule in one.rules]
"""


def run(host: DemoHost, code: str) -> Any:
    """Run a piece of Python on the host and return what it printed as JSON."""
    return json.loads(host.run(*python_argv(PRELUDE + code)).stdout)


def test_a_new_container_is_read_and_the_others_carry_their_time(demo_host: DemoHost) -> None:
    answer = run(
        demo_host,
        """
observer = Observer()
first = observer.take()
sh("ip netns add fresh", "ip link add vfresh type veth peer name eth0 netns fresh",
   "ip link set vfresh master br-front up",
   "ip -n fresh link set eth0 up", "ip -n fresh addr add 172.30.1.99/24 dev eth0")
second = later(observer)
print(json.dumps([fresh(first), len(known_items(first.namespaces)), fresh(second), len(known_items(second.namespaces)),
    sorted({item.read_at for item in known_items(second.namespaces) if item.read_at}) == [first.taken_at],
    cidrs(named(second, "fresh")),
    [(item.mode, [one.addresses for one in item.endpoints]) for item in known_items(second.containers)
     if item.name == "fresh"],
    [link.peer_note for item in known_items(second.namespaces) for link in item.links
     if link.kind == "veth" and not link.peer]]))
""",
    )
    all_first, count, again, more, dated, addresses, containers, unsettled = answer
    assert len(all_first) == count
    assert again == ["fresh", "host"]
    assert more == count + 1
    assert dated is True
    assert addresses == ["172.30.1.99/24"]
    assert containers == [["bridge", [["172.30.1.99/24"]]]]
    assert unsettled == []


def test_what_nothing_tells_of_is_seen_when_it_is_asked_for_and_dated_until_then(demo_host: DemoHost) -> None:
    answer = run(
        demo_host,
        """
observer = Observer()
first = observer.take()
sh("ip -n db addr add 172.30.2.77/24 dev eth0")
unseen = later(observer)
seen = observer.refresh([named(first, "db").id])
print(json.dumps([cidrs(named(unseen, "db")), named(unseen, "db").read_at == first.taken_at, cidrs(named(seen, "db")),
    named(seen, "db").read_at]))
""",
    )
    before, dated, after, at = answer
    assert "172.30.2.77/24" not in before
    assert dated is True
    assert "172.30.2.77/24" in after
    assert at == ""


def test_a_sign_at_the_hosts_end_is_followed(demo_host: DemoHost) -> None:
    answer = run(
        demo_host,
        """
observer = Observer()
observer.take()
sh("ip -n db link set eth0 down")
second = later(observer)
eth0 = next(link for link in named(second, "db").links if link.name == "eth0")
print(json.dumps([fresh(second), eth0.up]))
""",
    )
    assert answer == [["db", "host"], False]


def test_one_that_is_gone_is_gone_and_one_of_the_same_name_is_another(demo_host: DemoHost) -> None:
    answer = run(
        demo_host,
        """
observer = Observer()
sh("ip netns add brief", "ip -n brief addr add 192.0.2.1/32 dev lo", "ip netns add other")
first = observer.take()
sh("ip netns del other", "ip netns del brief", "ip netns add brief")
second = later(observer)
kept = later(observer)
print(json.dumps([cidrs(named(first, "brief")), cidrs(named(second, "brief")), named(second, "other") is None,
    named(second, "brief").read_at, named(kept, "brief").read_at == second.taken_at]))
""",
    )
    assert answer == [["192.0.2.1/32"], [], True, "", True]


def test_rules_are_taken_over_only_while_they_stand(demo_host: DemoHost) -> None:
    answer = run(
        demo_host,
        """
observer = Observer()
first = observer.take()
same = later(observer)
sh("iptables-nft -A INPUT -s 192.0.2.9 -j DROP")
changed = later(observer)
still = later(observer)
sh("iptables-legacy -A INPUT -s 192.0.2.10 -j DROP")
both = later(observer)
again = later(observer)
host = lambda one: known_items(one.namespaces)[0]
print(json.dumps([
    host(same).firewall == host(first).firewall, host(same).firewall_at == first.taken_at, host(same).read_at,
    "-s 192.0.2.9/32 -j DROP" in rules(host(changed), "filter", "INPUT"), host(changed).firewall_at == first.taken_at,
    host(still).firewall_at == first.taken_at,
    "-s 192.0.2.10/32 -j DROP" in rules(host(both), "filter", "INPUT"), host(both).firewall_at,
    host(again).firewall_at]))
""",
    )
    assert answer == [True, True, "", True, True, True, True, "", ""]


def test_a_refresh_of_everything_is_a_snapshot(demo_host: DemoHost) -> None:
    """With every namespace touched, nothing but times and counters may differ from a snapshot from scratch."""
    answer = run(
        demo_host,
        """
def calm(item):  # rules that are taken over keep the counters they had
    if isinstance(item, dict):
        return {key: calm(value) for key, value in item.items() if key not in ("packets", "bytes")}
    return [calm(value) for value in item] if isinstance(item, (list, tuple)) else item

def bare(snapshot):
    data = calm(msgspec.to_builtins(snapshot))
    data["taken_at"] = ""
    for space in data["namespaces"]:
        space["sysctls"].pop("net.netfilter.nf_conntrack_count", None)
        space.pop("neighbours", None)
        space.pop("firewall_at", None)
        space.pop("read_at", None)
        space["processes"] = [item for item in space.get("processes", []) if item["name"] not in ("python", "nsenter")]
        for link in space["links"]:
            link.pop("stats", None)
    return data

observer = Observer()
first = observer.take()
sh("ip netns add fresh", "ip link add vfresh type veth peer name eth0 netns fresh",
   "ip link set vfresh master br-front up",
   "ip link set veth-db type bridge_slave isolated on", "ip link del veth-api")
for _ in range(8):  # a host settles: duplicate address detection ends, dynamic entries age
    time.sleep(0.5)
    a = bare(observer.refresh([item.id for item in known_items(first.namespaces)]))
    b = bare(take_snapshot())
    if a == b:
        break
different = [key for key in a if a[key] != b[key]]
different += [[one.get("names"), key, one.get(key), two.get(key)]
              for one, two in zip(a["namespaces"], b["namespaces"]) for key in one if one.get(key) != two.get(key)]
print(json.dumps([different, len(a["namespaces"]) == len(b["namespaces"])]))
""",
    )
    assert answer == [[], True]


def test_a_process_whose_number_is_anothers_now_is_not_entered(demo_host: DemoHost) -> None:
    answer = run(
        demo_host,
        """
child = subprocess.Popen(["unshare", "--net", "sleep", "100"])
while read_process(child.pid) is None or read_process(child.pid).inode == own_handle().inode:
    time.sleep(0.01)
sh(f"ip link add vp type veth peer name eth0 netns {child.pid}")
true = take_snapshot()
real = discover.read_processes
def reused(known):
    table = real(known)
    found = tuple(msgspec.structs.replace(item, start=item.start - 1) if item.pid == child.pid else item
                  for item in table.processes)
    return discover.ProcessTable(processes=found, hidden=table.hidden)
discover.read_processes = reused
stale = take_snapshot()
child.kill(); child.wait()
note = next(link.peer_note for link in known_items(stale.namespaces)[0].links if link.name == "vp")
counts = [[item.kind for item in known_items(one.namespaces)].count("process") for one in (true, stale)]
print(json.dumps(counts + [note]))
""",
    )
    seen, unseen, note = answer
    assert (seen, unseen) == (1, 0)
    assert "could not be seen" in note


def test_namespaces_that_vanish_all_the_time_never_break_it(demo_host: DemoHost) -> None:
    answer = run(
        demo_host,
        """
churn = subprocess.Popen(["sh", "-c",
    "i=0; while [ $i -lt 400 ]; do i=$((i+1)); ip netns add churn$((i%7)) 2>/dev/null;"
    " ip link add cv$((i%7)) type veth peer name eth0 netns churn$((i%7)) 2>/dev/null;"
    " ip netns del churn$(((i+3)%7)) 2>/dev/null; done"])
observer = Observer()
kinds, wrong = set(), []
while churn.poll() is None:
    snapshot = observer.refresh()
    kinds |= {gap.section for gap in snapshot.gaps}
    ids = [item.id for item in known_items(snapshot.namespaces)]
    wrong += [ids] if len(ids) != len(set(ids)) else []
    links = {(item.id, link.ifindex) for item in known_items(snapshot.namespaces) for link in item.links}
    wrong += [str(link) for item in known_items(snapshot.namespaces) for link in item.links
              if link.peer and (link.peer.namespace, link.peer.ifindex) not in links]
for _ in range(100):  # the kernel takes a namespace down some time after its name is gone
    last = observer.refresh()
    if not last.gaps:
        break
    time.sleep(0.1)
print(json.dumps([sorted(kinds), wrong, [gap.reason for gap in last.gaps], len(known_items(last.namespaces)) >= 7]))
""",
    )
    kinds, wrong, last, seen = answer
    assert set(kinds) <= {
        "namespaces",
        "namespace-files",
        "links",
        "addresses",
        "routes",
        "policy-rules",
        "neighbours",
        "fdb",
    }
    assert (wrong, last, seen) == ([], [], True)


HOSTILE = "x\x1b[31m[b]"
"""A link's name with an escape sequence and markup: the kernel refuses only blanks, slashes and colons."""


def test_names_with_escapes_and_markup_are_kept_and_never_reach_the_terminal_raw(demo_host: DemoHost) -> None:
    demo_host.run("ip", "link", "add", HOSTILE, "type", "veth", "peer", "name", "[b]", "netns", "web")
    demo_host.run("ip", "link", "set", HOSTILE, "alias", "\x1b]0;title\x07[bold]")
    demo_host.run("ip", "netns", "add", "n\x1b[2J[i]")
    snapshot = demo_host.snapshot()
    host = known_items(snapshot.namespaces)[0]
    (link,) = (item for item in host.links if item.name == HOSTILE)
    assert link.alias == "\x1b]0;title\x07[bold]"
    assert link.peer is not None
    assert host.sysctls[f"net.ipv4.conf.{HOSTILE}.forwarding"] in {"0", "1"}
    assert any("n\x1b[2J[i]" in item.names for item in known_items(snapshot.namespaces))
    for command in (("ls",), ("ls", "veths"), ("ls", "bridges"), ("doctor",)):
        shown = demo_host.dnet(*command)
        assert b"\x1b" not in shown.stdout, command
        assert b"Traceback" not in shown.stderr, command


@pytest.mark.timeout(120)
def test_a_hundred_thousand_rules_are_read_in_bounded_memory(demo_host: DemoHost) -> None:
    count = 100_000
    rules = "".join(
        f"-A BIG -s 10.{i >> 16}.{i >> 8 & 255}.{i & 255}/32 -p tcp -m tcp --dport {1 + i % 60000} -j DROP\n"
        for i in range(count)
    )
    demo_host.run("iptables-nft-restore", "--noflush", stdin=f"*filter\n:BIG -\n{rules}COMMIT\n".encode())
    answer = run(
        demo_host,
        """
import resource
snapshot = take_snapshot()
host = known_items(snapshot.namespaces)[0]
big = next(one for item in host.firewall.tables if item.name == "filter" for one in item.chains if one.name == "BIG")
print(json.dumps([len(big.rules), [gap.reason for gap in snapshot.gaps], big.rules[70000].text,
    all(rule.handle for rule in big.rules), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024]))
""",
    )
    found, gaps, text, handles, megabytes = answer
    assert (found, gaps, handles) == (count, [], True)
    assert text == "-s 10.1.17.112/32 -p tcp -m tcp --dport 10001 -j DROP"
    assert megabytes < 400


def test_the_map_alone_relates_everything_and_says_what_is_missing(demo_host: DemoHost) -> None:
    answer = run(
        demo_host,
        """
from dnet_tui.inspect.model.coverage.needs import MAP
from dnet_tui.inspect.model.coverage.sections import Unread
whole, alone = take_snapshot(), take_snapshot(Options(needs=MAP))
peers = lambda one: sorted([item.id, link.ifindex, link.name, str(link.peer), link.master]
                           for item in known_items(one.namespaces) for link in item.links)
print(json.dumps([peers(whole) == peers(alone),
    [cidrs(a) == cidrs(b) for a, b in zip(whole.namespaces, alone.namespaces)],
    [item.name for item in whole.containers] == [item.name for item in alone.containers],
    [gap.section for gap in alone.gaps],
    sorted({(name, str(getattr(getattr(item, name), "reason", "")))
            for item in alone.namespaces for name in item.__struct_fields__
            if isinstance(getattr(item, name), Unread)})]))
""",
    )
    peers, addresses, containers, gaps, unread = answer
    assert (peers, all(addresses), containers, gaps) == (True, True, True, [])
    assert {reason for _, reason in unread} == {"it was not asked for"}
    assert {name for name, _ in unread} == {
        *("routes", "policy_rules", "neighbours", "proxied", "fdb", "traffic_control", "sysctls", "sockets"),
        *(
            "firewall",
            "conntrack",
            "conntrack_counts",
            "nat_ports",
            "queues",
            "counters",
            "recent",
            "checksums",
            "xfrm",
            "xfrm_policies",
        ),
        "wireguard",
    }
