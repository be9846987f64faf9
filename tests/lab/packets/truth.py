"""What ``ip -j`` and ``bridge -j`` say of a namespace, in the model's words, to lay beside a snapshot.

Only what both know is compared: a key that the tools leave out (they leave
out what is "off", or what their version doesn't know) is left out here too.
Each function returns plain data by a key; the tests compare whole dictionaries.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from dnet_tui.inspect.model import Link, Namespace, Route
from lab.machines.hosts import LabHost

Told = dict[str, Any]
"""One record of the tools, or one of ours made alike."""

_BRIDGE = {
    "stp_state": "stp",
    "vlan_filtering": "vlan_filtering",
    "nf_call_iptables": "nf_call_iptables",
    "nf_call_ip6tables": "nf_call_ip6tables",
    "nf_call_arptables": "nf_call_arptables",
    "ageing_time": "ageing_time",
    "forward_delay": "forward_delay",
    "vlan_protocol": "vlan_protocol",
    "vlan_default_pvid": "vlan_default_pvid",
    "mcast_snooping": "mcast_snooping",
    "mcast_querier": "mcast_querier",
}
_PORT = {
    "state": "state",
    "hairpin": "hairpin",
    "guard": "guard",
    "root_block": "root_block",
    "fastleave": "fast_leave",
    "learning": "learning",
    "flood": "flood",
    "proxy_arp": "proxy_arp",
    "proxy_arp_wifi": "proxy_arp_wifi",
    "mcast_flood": "multicast_flood",
    "bcast_flood": "broadcast_flood",
    "mcast_to_unicast": "multicast_to_unicast",
    "neigh_suppress": "neigh_suppress",
    "vlan_tunnel": "vlan_tunnel",
    "isolated": "isolated",
    "locked": "locked",
}
_TUNNELS = ("ipip", "sit", "gre", "gretap", "ip6tnl", "ip6gre", "vti")
_DETAILS: dict[str, dict[str, str]] = {
    "vxlan": {
        "id": "vni",
        "local": "local",
        "remote": "remote",
        "group": "remote",
        "local6": "local",
        "remote6": "remote",
        "group6": "remote",
        "port": "port",
        "learning": "learning",
        "external": "external",
        "proxy": "proxy",
        "l2miss": "l2miss",
        "l3miss": "l3miss",
    },
    "geneve": {"id": "vni", "remote": "remote", "port": "port", "external": "external"},
    "macvlan": {"mode": "mode"},
    "macvtap": {"mode": "mode"},
    "ipvlan": {"mode": "mode"},
    "vlan": {"id": "vid", "protocol": "protocol"},
    "tun": {"type": "type", "persist": "persist", "multi_queue": "multi_queue"},
    "bond": {"mode": "mode", "miimon": "miimon"},
    "vrf": {"table": "table"},
    **{kind: {"local": "local", "remote": "remote"} for kind in _TUNNELS},
}
_FLAGS = {"UP", "BROADCAST", "LOOPBACK", "POINTOPOINT", "NOARP", "PROMISC", "ALLMULTI", "MULTICAST", "LOWER_UP"}
_STATS = ("packets", "bytes", "errors", "dropped")


def ask(host: LabHost, namespace: Namespace, *argv: str) -> Any:
    """What a tool prints as JSON inside a namespace of the host; an empty list when it prints nothing."""
    prefix = [] if namespace.kind == "host" else ["nsenter", f"--net={namespace.path}", "--"]
    return json.loads(host.run(*prefix, *argv).stdout or b"[]")


def links_told(records: Iterable[Told]) -> dict[int, Told]:
    """``ip -j -d -s link``, by ifindex."""
    names = {item["ifname"]: item["ifindex"] for item in records}
    return {item["ifindex"]: _link_told(item, names) for item in records}


def _link_told(item: Told, names: Mapping[str, int]) -> Told:
    info = item.get("linkinfo", {})
    told = {
        "name": item["ifname"],
        "mtu": item["mtu"],
        "operstate": item["operstate"],
        "flags": set(item["flags"]) & _FLAGS,
        "alias": item.get("ifalias", ""),
        "master": names[item["master"]] if "master" in item else None,
        "kind": "loopback" if item["link_type"] == "loopback" else info.get("info_kind", ""),
        "mac": item.get("address", "") if item["link_type"] in {"ether", "loopback"} else "",
        "lower": names[item["link"]] if item.get("link") in names else item.get("link_index"),
        "nsid": item.get("link_netnsid"),
        "permanent": item.get("permaddr", ""),
        "stats": {f"{way}_{name}": item["stats64"][way][name] for way in ("rx", "tx") for name in _STATS},
    }
    data, slave = info.get("info_data", {}), info.get("info_slave_data", {})
    if info.get("info_kind") == "bridge":
        told |= {f"bridge {ours}": data[key] for key, ours in _BRIDGE.items() if key in data}
        told["bridge group_fwd_mask"] = int(data["group_fwd_mask"], 16)
    elif info.get("info_kind") in _DETAILS:
        told |= {f"detail {ours}": data[key] for key, ours in _DETAILS[info["info_kind"]].items() if key in data}
    if info.get("info_slave_kind") == "bridge":
        told |= {f"port {ours}": slave[key] for key, ours in _PORT.items() if key in slave}
    return told


def links_seen(namespace: Namespace, told: Mapping[int, Told]) -> dict[int, Told]:
    """The snapshot's links, with the keys that were told of each."""
    return {link.ifindex: _link_seen(link, told.get(link.ifindex, {})) for link in namespace.links}


def _link_seen(link: Link, told: Told) -> Told:
    seen: Told = {
        "name": link.name,
        "mtu": link.mtu,
        "operstate": link.operstate,
        "flags": set(link.flags) & _FLAGS,
        "alias": link.alias,
        "master": link.master,
        "kind": link.kind,
        "mac": link.mac,
        "lower": link.lower or None,
        "nsid": link.lower_nsid,
        "permanent": link.permanent_mac,
        "stats": {f"{way}_{name}": getattr(link.stats, f"{way}_{name}") for way in ("rx", "tx") for name in _STATS},
    }
    for key in told:
        part, _, field = key.partition(" ")
        if field:
            seen[key] = getattr(getattr(link, part), field, "not there")
    return seen


def addresses_told(records: Iterable[Told]) -> set[tuple[Any, ...]]:
    """``ip -j addr``: ifindex, family, address, prefix length, scope, peer, flags that are told either way."""
    return {
        (
            item["ifindex"],
            "ip" if info["family"] == "inet" else "ip6",
            info["local"],
            info["prefixlen"],
            info["scope"],
            info.get("address", ""),
            frozenset(flag for flag in ("secondary", "temporary", "nodad", "noprefixroute") if info.get(flag)),
        )
        for item in records
        for info in item["addr_info"]
        if info
    }


def addresses_seen(namespace: Namespace) -> set[tuple[Any, ...]]:
    """The same of a snapshot."""
    told = {"secondary", "temporary", "nodad", "noprefixroute"}
    return {
        (item.ifindex, item.family, item.address, item.prefixlen, item.scope, item.peer, frozenset(item.flags) & told)
        for item in namespace.addresses
    }


_TABLES = {"main": 254, "local": 255, "default": 253}


def routes_told(records: Iterable[Told], family: str, names: Mapping[str, int]) -> list[Told]:
    """``ip -j -d route show table all``, sorted."""
    return _sorted(_route_told(item, family, names) for item in records)


def _route_told(item: Told, family: str, names: Mapping[str, int]) -> Told:
    default, whole = ("0.0.0.0/0", "/32") if family == "ip" else ("::/0", "/128")
    dst = default if item["dst"] == "default" else item["dst"] if "/" in item["dst"] else item["dst"] + whole
    hops = item.get("nexthops", [item] if "dev" in item or "gateway" in item else [])
    metrics: Told = {key: value for part in item.get("metrics", []) for key, value in part.items()}
    return {
        "type": item["type"],
        "dst": dst,
        "table": _TABLES.get(item["table"]) or int(item["table"]),
        "protocol": item["protocol"],
        "scope": item["scope"],
        "source": item.get("prefsrc"),
        "metric": item.get("metric", 0),
        "hops": [
            (names.get(hop.get("dev", "")), hop.get("gateway") or hop.get("via", {}).get("host"), hop.get("weight", 1))
            for hop in hops
        ],
        "mtu": metrics.get("mtu"),
        "advmss": metrics.get("advmss"),
        "preference": "" if item.get("pref", "medium") == "medium" else item["pref"],
    }


def routes_seen(routes: Iterable[Route], family: str) -> list[Told]:
    """The same of a snapshot's routes."""
    return _sorted(
        {
            "type": item.type,
            "dst": item.dst,
            "table": item.table,
            "protocol": item.protocol,
            "scope": item.scope,
            "source": item.source,
            "metric": item.metric,
            "hops": [(hop.ifindex, hop.gateway, hop.weight) for hop in item.hops],
            "mtu": item.mtu,
            "advmss": item.advmss,
            "preference": item.preference,
        }
        for item in routes
        if item.family == family
    )


def rules_told(records: Iterable[Told], family: str) -> list[Told]:
    """``ip -j rule``, sorted."""
    whole = 32 if family == "ip" else 128
    return _sorted(
        {
            "priority": item["priority"],
            "action": item.get("action", "lookup"),
            "table": _TABLES.get(item["table"]) or int(item["table"]) if "table" in item else None,
            "src": None if item["src"] == "all" else f"{item['src']}/{item.get('srclen', whole)}",
            "dst": f"{item['dst']}/{item.get('dstlen', whole)}" if "dst" in item else None,
            "mark": int(item["fwmark"], 16) if "fwmark" in item else None,
            "iif": item.get("iif"),
            "oif": item.get("oif"),
            "invert": "not" in item,
            "suppress": item.get("suppress_prefixlen"),
        }
        for item in records
    )


def rules_seen(namespace: Namespace, family: str) -> list[Told]:
    """The same of a snapshot."""
    return _sorted(
        {
            "priority": item.priority,
            "action": item.action,
            "table": item.table,
            "src": item.src,
            "dst": item.dst,
            "mark": item.mark,
            "iif": item.iif,
            "oif": item.oif,
            "invert": item.invert,
            "suppress": item.suppress_prefixlength,
        }
        for item in namespace.policy_rules
        if item.family == family
    )


_FRESH = {"REACHABLE", "STALE", "DELAY", "PROBE"}
"""States that follow each other by themselves while one looks."""


def neighbours_told(records: Iterable[Told], names: Mapping[str, int]) -> set[tuple[Any, ...]]:
    """``ip -j neigh``: ifindex, address, MAC, state, whether a router."""
    return {
        (
            names[item["dev"]],
            item["dst"],
            item.get("lladdr", ""),
            "known" if set(item["state"]) & _FRESH else item["state"][0],
            "router" in item,
        )
        for item in records
    }


def neighbours_seen(namespace: Namespace) -> set[tuple[Any, ...]]:
    """The same of a snapshot."""
    return {
        (
            item.ifindex,
            item.address,
            item.mac,
            "known" if item.state in _FRESH else item.state,
            "router" in item.flags,
        )
        for item in namespace.neighbours
    }


def fdb_told(records: Iterable[Told], names: Mapping[str, int]) -> set[tuple[Any, ...]]:
    """``bridge -j -d fdb`` of bridges and of VXLAN devices' remotes; a device's own filters are left out."""
    return {
        (
            names[item["ifname"]],
            item["mac"],
            names.get(item.get("master", "")) if "dst" not in item else None,
            item.get("vlan"),
            item.get("state") or "dynamic",
            item.get("dst", ""),
            int(item["port"]) if "port" in item else None,
            item.get("vni"),
        )
        for item in records
        if "master" in item or "dst" in item
    }


def fdb_seen(namespace: Namespace) -> set[tuple[Any, ...]]:
    """The same of a snapshot."""
    return {
        (item.ifindex, item.mac, item.master, item.vlan, item.state, item.remote, item.port, item.vni)
        for item in namespace.fdb
    }


def _sorted(records: Iterable[Told]) -> list[Told]:
    key: Callable[[Told], str] = lambda item: json.dumps(item, sort_keys=True, default=str)  # noqa: E731 - a sort key
    return sorted(records, key=key)
