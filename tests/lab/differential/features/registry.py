"""The features by name, with how often a random host has each."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from lab.differential.features import (
    bridge_features,
    connection_features,
    device_features,
    filter_features,
    link_features,
    match_features,
    neighbour_features,
)
from lab.differential.features.draft import Draft
from lab.differential.spec import HostSpec

FEATURES: dict[str, Callable[[Draft], None]] = {
    "proxy-arp": neighbour_features.proxy_arp,
    "proxy-arp-bridge": neighbour_features.proxy_arp_bridge,
    "proxy-ndp": neighbour_features.proxy_ndp,
    "arp": neighbour_features.arp_settings,
    "fdb": bridge_features.fdb,
    "flooding": bridge_features.flooding,
    "isolation": bridge_features.isolation,
    "bridge-rules": bridge_features.bridge_rules,
    "redirect": filter_features.redirect,
    "xfrm": filter_features.xfrm,
    "xfrm6": filter_features.xfrm6,
    "untracked": filter_features.untracked,
    "matches": match_features.matches,
    "remembered": match_features.remembered,
    "tproxy": match_features.transparent_proxy,
    "connections": connection_features.connections,
    "proxies": connection_features.proxies,
    "sockets": connection_features.sockets,
    "later": connection_features.later,
    "second-uplink": link_features.second_uplink,
    "linkdown": link_features.linkdown,
    "queues": device_features.queues,
    "flow-rules": device_features.flow_rules,
    "macvlan": link_features.macvlan,
    "vxlan": link_features.vxlan,
    "overlay": link_features.overlay,
    "multicast": link_features.multicast,
}

TEACHING = frozenset({"arp", "fdb", "flooding", "isolation", "bridge-rules", "connections", "remembered", "xfrm6"})
"""Those with which a packet may change where the next one goes: by them neighbours and bridges learn."""

OFTEN = 0.05
"""The share of random hosts that have a given one."""


def with_feature(spec: HostSpec, name: str) -> HostSpec:
    """Return the host with a feature more."""
    draft = Draft(spec, name)
    FEATURES[name](draft)
    spec = draft.spec
    return msgspec.structs.replace(
        spec, features=(*spec.features, name), one_by_one=spec.one_by_one or name in TEACHING
    )


def chosen(spec: HostSpec) -> tuple[str, ...]:
    """The features that a random host has, by its seed."""
    found = [name for name in FEATURES if Draft(spec, f"whether {name}").chance(OFTEN)]
    # Both replace the second uplink's end.
    return tuple(name for name in found if not (name == "linkdown" and "second-uplink" in found))
