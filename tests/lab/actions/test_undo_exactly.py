"""What an undo puts back, to the last setting, on a real kernel."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from lab.actions.test_fix_and_undo import _APPLY, apply, picture, rule, sysctl, undo
from lab.machines.hosts import DemoHost, LabHost, python_argv

_VOLATILE = re.compile(r"_timer$|^ifindex$|^(root|bridge)_id$|_life_time$|^topology|^gc_|stats|^operstate$")
"""What runs on by itself, or is new with each link."""

SETTINGS: dict[str, tuple[str, ...]] = {
    "peer, label, scope, broadcast": (
        "ip address add 10.45.0.1 peer 10.45.0.2/32 dev odd label odd:ppp scope link",
        "ip address add 10.46.0.1/24 broadcast 10.46.0.99 dev odd noprefixroute",
        "ip address add 10.47.0.1/24 dev odd metric 77",
    ),
    "spanning tree": (
        "ip link set odd type bridge stp_state 1 forward_delay 700 hello_time 300 max_age 900 priority 4096",
        "ip link set odd type bridge ageing_time 12300 mcast_snooping 0 group_fwd_mask 8 mcast_querier 1",
    ),
    "the link": ("ip link set odd txqueuelen 77 mtu 1400 multicast off allmulticast on",),
    "IPv6": (
        "ip address add fd00:45::1/64 dev odd nodad",
        "ip address add fe80::1/64 dev odd nodad",
        "sysctl -w net.ipv6.conf.odd.accept_ra=2 net.ipv6.conf.odd.hop_limit=9",
    ),
    "kernel parameters": (
        "sysctl -w net.ipv4.conf.odd.arp_ignore=2 net.ipv4.conf.odd.rp_filter=2 net.ipv4.conf.odd.shared_media=0",
        "sysctl -w net.ipv4.neigh.odd.gc_stale_time=99 net.ipv4.neigh.odd.mcast_solicit=5",
    ),
    "neighbours and forwarding": (
        "ip address add 10.46.0.1/24 dev odd",
        "ip neighbour add 10.46.0.7 lladdr 02:00:00:00:00:07 dev odd nud permanent",
        "bridge fdb add 02:00:00:00:00:09 dev odd self local",
    ),
    "other names": ("ip link property add dev odd altname odd-too altname odd-three",),
    "multicast addresses": (
        "ip maddress add 01:00:5e:01:02:03 dev odd",
        "ip link set odd type bridge mcast_router 2 mcast_query_interval 7000",
    ),
    "not up yet": ("ip address add 10.46.0.1/24 dev odd",),
}


def _settings(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _settings(item) for key, item in value.items() if not _VOLATILE.search(key)}
    return [_settings(item) for item in value] if isinstance(value, list) else value


def portrait(host: LabHost) -> dict[str, Any]:
    """All that can be set of the bridge ``odd``."""

    def shown(*argv: str) -> Any:
        return _settings(json.loads(host.run(*argv).stdout or "[]"))

    forwarding = {entry["mac"] for entry in shown("bridge", "-j", "fdb", "show", "br", "odd")}
    return {
        "address": shown("ip", "-d", "-j", "address", "show", "dev", "odd"),
        "multicast": host.run("ip", "-0", "maddress", "show", "dev", "odd").stdout.decode().count("static"),
        "neighbours": shown("ip", "-j", "neighbour", "show", "dev", "odd", "nud", "permanent"),
        "forwarding": sorted(mac for mac in forwarding if not mac.startswith(("33:33", "01:00"))),
        "sysctls": host.run("sysctl", "-a", "-e", "-r", r"^net\..*\.odd\.").stdout.decode(),
        "routes": host.run("ip", "route", "show", "dev", "odd").stdout.decode(),
    }


def ruleset(host: LabHost) -> bytes:
    return host.run("nft", "-s", "list", "ruleset").stdout


@pytest.mark.parametrize("case", SETTINGS)
def test_a_deleted_bridge_is_put_back_with_all_its_settings(demo_host: DemoHost, case: str) -> None:
    demo_host.run("sysctl", "-w", "net.ipv6.conf.default.accept_dad=0")
    demo_host.run("ip", "link", "add", "odd", "address", "02:00:00:00:00:0d", "type", "bridge")
    plain = portrait(demo_host)
    if case != "not up yet":
        demo_host.run("ip", "link", "set", "odd", "up")
    for line in SETTINGS[case]:
        demo_host.run(*line.split())
    before = portrait(demo_host)
    assert before != plain
    apply(demo_host, {"op": "delete-bridge", "name": "odd"})
    undo(demo_host)
    assert portrait(demo_host) == before


def test_what_undo_could_not_put_back_is_said_before_a_bridge_is_deleted(demo_host: DemoHost) -> None:
    made = demo_host.dnet("net", "create", "side", "--engine", "linux", "--yes")
    assert made.returncode == 0, made.stderr
    demo_host.run("tc", "qdisc", "add", "dev", "br-side", "root", "handle", "7:", "pfifo", "limit", "9")
    before = picture(demo_host)
    refused = demo_host.dnet("net", "rm", "side", "--yes")
    assert refused.returncode == 1, refused.stdout
    assert b"which undo could not put back (nothing was changed)" in refused.stderr
    assert picture(demo_host) == before
    demo_host.run("tc", "qdisc", "del", "dev", "br-side", "root")
    assert demo_host.dnet("net", "rm", "side", "--yes").returncode == 0


def test_a_created_bridge_that_was_renamed_is_found_by_its_index(demo_host: DemoHost) -> None:
    before = picture(demo_host)
    apply(demo_host, {"op": "create-bridge", "name": "fresh", "addresses": ["10.48.0.1/24"]})
    demo_host.run("ip", "link", "set", "fresh", "down")
    demo_host.run("ip", "link", "set", "fresh", "name", "stale")
    demo_host.run("ip", "link", "add", "fresh", "type", "veth", "peer", "name", "fresh2")
    assert "named stale by now" in undo(demo_host)
    demo_host.run("ip", "link", "del", "fresh")
    assert picture(demo_host) == before


@pytest.mark.parametrize("family", ["ip", "ip6"])
def test_a_base_chain_that_was_not_there_disappears_again(demo_host: DemoHost, family: str) -> None:
    demo_host.run("nft", "add", "table", family, "nat")
    before = ruleset(demo_host)
    apply(demo_host, rule("insert", "INPUT", "-i lo -j ACCEPT", 1, table="nat") | {"family": family})
    during = ruleset(demo_host)
    assert during != before
    undo(demo_host)
    assert ruleset(demo_host) == before


def test_a_base_chain_that_somebody_uses_by_now_stays(demo_host: DemoHost) -> None:
    apply(demo_host, rule("insert", "INPUT", "-i lo -j ACCEPT", 1, table="nat"))
    demo_host.run("iptables-nft", "-t", "nat", "-A", "INPUT", "-s", "203.0.113.9", "-j", "ACCEPT")
    undo(demo_host)
    assert b"203.0.113.9" in ruleset(demo_host)


def test_an_address_is_put_back_with_its_label_scope_and_broadcast(demo_host: DemoHost) -> None:
    demo_host.run("ip", "link", "add", "odd", "type", "bridge")
    line = "ip address add 10.46.0.1/24 broadcast 10.46.0.99 label odd:x scope link dev odd"
    demo_host.run(*line.split())
    before = portrait(demo_host)
    plan = {"title": "t", "steps": [{
        "action": {"op": "delete-address", "link": "odd", "cidr": "10.46.0.1/24"},
        "undo": [{"op": "add-address", "link": "odd", "cidr": "10.46.0.1/24"}],
    }]}  # fmt: skip
    demo_host.run(*python_argv(_APPLY), "0", "before", stdin=json.dumps(plan).encode())
    assert portrait(demo_host) != before
    undo(demo_host)
    assert portrait(demo_host) == before


@pytest.mark.parametrize("folder", ["/mnt/dnet-tui", "/mnt/dnet-tui/far/below", "/mnt/link/dnet-tui"])
def test_without_a_journal_nothing_is_changed(demo_host: DemoHost, folder: str) -> None:
    demo_host.run("mount", "-t", "tmpfs", "tmpfs", "/mnt")
    demo_host.run("ln", "-s", "/nowhere", "/mnt/link")
    demo_host.run("mount", "-o", "remount,ro", "/mnt")
    demo_host.environment["DNET_TUI_STATE"] = folder
    before = picture(demo_host)
    for words in (("net", "create", "side", "--engine", "linux"), ("port", "publish", "api", "9090:80"), ("undo",)):
        refused = demo_host.dnet(*words, "--yes")
        assert refused.returncode in (1, 2), refused.stdout
        assert b"journal" in refused.stderr or b"nothing to undo" in refused.stderr
    assert picture(demo_host) == before
    assert demo_host.dnet("doctor").returncode == 0


def test_a_missing_folder_of_the_journal_is_made(demo_host: DemoHost) -> None:
    demo_host.run("mount", "-t", "tmpfs", "tmpfs", "/mnt")
    demo_host.environment["DNET_TUI_STATE"] = "/mnt/a/b/c"
    before = picture(demo_host)
    assert demo_host.dnet("net", "create", "side", "--engine", "linux", "--yes").returncode == 0
    assert demo_host.run("stat", "-c", "%a", "/mnt/a/b/c").stdout == b"700\n"
    undo(demo_host)
    assert picture(demo_host) == before


def test_an_undo_works_on_a_full_disk(demo_host: DemoHost) -> None:
    demo_host.run("mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", "/mnt")
    demo_host.environment["DNET_TUI_STATE"] = "/mnt/dnet-tui"
    before = picture(demo_host)
    apply(demo_host, *(sysctl(f"net.ipv4.conf.{name}.rp_filter", "2") for name in ("all", "lo", "eth0")))
    demo_host.run("dd", "if=/dev/zero", "of=/mnt/fill", "bs=4k", check=False)
    refused = demo_host.dnet("net", "create", "side", "--engine", "linux", "--yes")
    assert refused.returncode == 1
    assert b"No space left" in refused.stderr
    undo(demo_host)
    assert picture(demo_host) == before
