"""Hosts for the checks of failed starts, links that others took, and the kernel: faults and near misses."""

from __future__ import annotations

import msgspec

from dnet_tui.inspect.model import Address, Snapshot, Socket, Subnet
from unit.builders.factories import (
    ANY,
    HOST,
    UPLINK,
    VETH_WEB,
    WEB,
    docker_like_snapshot,
    route,
)
from unit.builders.factories_links import HELD, adding, crowded, network
from unit.builders.factories_startup import (
    MASQ,
    MISMATCH,
    NO_POOL,
    OTHER,
    PORT,
    RAW,
    VETH,
    WAITS,
    checksums,
    default_over,
    ended,
    failed,
    foreign_address,
    full_bridge,
    kernel,
    logged,
    neighbours,
    on_veth,
    pools,
    vlans,
    with_table,
    without_table,
)
from unit.diagnostics.checks.cases.case import Build, CheckCases, tabled


def _mismatched() -> Snapshot:
    """A network was to be made on docker0, whose own network is gone: another's address comes first there."""
    base = logged(MISMATCH, foreign_address())
    return network(base, "bridge", subnets=(Subnet(cidr="172.17.0.0/16", gateway="172.17.0.1"),))


FAULTS: dict[str, tuple[str, str, Build]] = {
    "a port that made a start fail": ("port-taken", "warning", lambda: failed(PORT, HELD)),
    "a full bridge that made a start fail": ("exchange-full", "error", full_bridge),
    "a bridge that was full and nearly is": ("exchange-full", "warning", lambda: full_bridge(1001)),
    "pools used up, and a network that failed": (
        "pool-exhausted",
        "error",
        lambda: logged(NO_POOL, pools("10.200.0.0/22", networks=4)),
    ),
    "a bridge with a foreign address first": ("bridge-ip-mismatch", "warning", _mismatched),
    "a daemon that ended over a foreign address": (
        "bridge-ip-mismatch",
        "error",
        lambda: ended(MISMATCH, foreign_address()),
    ),
    "no veth in a kernel that was replaced": ("kernel-not-rebooted", "error", lambda: kernel(False, failed(VETH))),
    "no table raw": ("no-raw-table", "error", lambda: failed(RAW)),
    "no table raw but IPv6's": ("no-raw-table", "error", lambda: with_table("raw", failed(RAW), "ip6")),
    "no table raw in a kernel that was replaced": (
        "kernel-not-rebooted",
        "error",
        lambda: kernel(False, failed(RAW)),
    ),
    "no target MASQUERADE": ("no-xt-masq", "error", lambda: ended(MASQ, without_table("nat", docker_like_snapshot()))),
    "an address on a container's veth": ("link-hijack", "warning", on_veth),
    "a default route into a container": ("link-hijack", "error", lambda: default_over(VETH_WEB, metric=50)),
    "a default route into a container that waits": (
        "link-hijack",
        "warning",
        lambda: default_over(VETH_WEB, metric=500),
    ),
    "two ports in two VLANs": ("vlan-filter", "error", lambda: vlans(bridge=(1, 2), app2=2)),
    "a port in no VLAN": ("vlan-filter", "error", lambda: vlans(app2=0)),
    "both ports in a VLAN that the gateway isn't in": ("vlan-filter", "error", lambda: vlans(app1=7, app2=7)),
    "a table of neighbours that is nearly full": ("neigh-full", "warning", lambda: neighbours(950)),
}


NEAR_MISSES: dict[str, dict[str, Build]] = {
    "port-taken": {
        "a port that is free again": lambda: failed(PORT),
        "an error of a container that runs by now": lambda: failed(PORT, HELD, running=True),
        "an error that is no network's": lambda: failed(OTHER),
        "a port of another protocol": lambda: failed(PORT, Socket(proto="udp", address=ANY, port=9099)),
    },
    "no-raw-table": {
        "another error of a container that runs by now": lambda: failed(RAW, running=True),
        "a table raw that is there by now": lambda: with_table("raw", failed(RAW)),
        "a table raw of IPv6 that is there by now": lambda: with_table(
            "raw", failed(RAW.replace("iptables table", "ip6tables table")), "ip6"
        ),
        "no table raw in the log of a daemon that runs": lambda: logged(RAW),
    },
    "exchange-full": {
        "a bridge that was full and has room again": lambda: failed(
            "adding interface veth1 to bridge docker0 failed: exchange full", base=crowded(900)
        ),
    },
    "pool-exhausted": {
        "pools that have room again": lambda: logged(NO_POOL, pools("10.200.0.0/22", networks=2)),
        "pools that aren't known": lambda: logged(NO_POOL),
        "small pools with one subnet left": lambda: pools("10.200.0.0/22", networks=3),
        "a log that tells of nothing": lambda: msgspec.structs.replace(
            docker_like_snapshot(), engines=(msgspec.structs.replace(docker_like_snapshot().engines[0], log=()),)
        ),
    },
    "bridge-ip-mismatch": {
        "a mismatch whose foreign address is gone": lambda: logged(MISMATCH),
        "a mismatch whose foreign address comes second by now": lambda: logged(MISMATCH, foreign_address(first=False)),
        "a mismatch whose network has that gateway by now": lambda: network(
            logged(MISMATCH, foreign_address()), "bridge", subnets=(Subnet(cidr="172.17.0.0/16", gateway="172.17.0.9"),)
        ),
        "a foreign address, and no failure": foreign_address,
    },
    "kernel-not-rebooted": {
        "a kernel with its modules and an old failure": lambda: kernel(True, failed(VETH)),
        "a kernel with all built in": lambda: kernel(None, failed(VETH)),
    },
    "no-xt-masq": {
        "no MASQUERADE in the log of a daemon that runs": lambda: logged(
            MASQ, without_table("raw", docker_like_snapshot())
        ),
        "an old failure and rules that masquerade": lambda: failed(MASQ),
    },
    "port-not-fwd": {
        "a port that waited in the log and forwards": lambda: logged(WAITS),
    },
    "link-hijack": {
        "an ordinary address on a veth": lambda: on_veth("10.77.0.1"),
        "a network of 169.254 on purpose": lambda: network(
            on_veth(),
            "bridge",
            subnets=(Subnet(cidr="172.17.0.0/16", gateway="172.17.0.1"), Subnet(cidr="169.254.0.0/16")),
        ),
        "a link-local address on the uplink": lambda: adding(
            docker_like_snapshot(),
            HOST,
            "addresses",
            Address(ifindex=UPLINK, family="ip", address="169.254.7.9", prefixlen=16, scope="link"),
        ),
        "a default route over a VPN": lambda: adding(
            docker_like_snapshot(),
            HOST,
            "routes",
            route("0.0.0.0/0", ifindex=UPLINK, gateway="203.0.113.9", metric=900, protocol="dhcp"),
        ),
    },
    "vlan-filter": {
        "one VLAN for all": lambda: vlans(bridge=(5,), app1=5, app2=5),
    },
    "neigh-full": {
        "a table of neighbours that is half full": lambda: neighbours(500),
        "permanent neighbours": lambda: neighbours(990, state="PERMANENT"),
        "no limit of neighbours": lambda: neighbours(990, limit=0),
    },
    "csum-offload": {
        "few wrong checksums": lambda: checksums(WEB, bad=19, good=100),
        "few wrong checksums among many": lambda: checksums(WEB, bad=90),
        "wrong checksums of the host's own": lambda: checksums(HOST, bad=400),
    },
}

CASES: dict[str, CheckCases] = tabled(FAULTS, NEAR_MISSES)
