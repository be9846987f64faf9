"""Faults of the host itself rather than of an engine's rules: its way out, its bridges, its guests.  Pure data.

They fit the demo host alone, whose containers and devices have fixed names.
"""

from __future__ import annotations

from dnet_tui.actions.demo.fault import Commands, Fault, FaultTarget

_MAC = "02:42:ac:1e:01:02"
_GUESTS = "br-guests"


def _uplink(state: str) -> Commands:
    return (("ip", "-n", "internet", "link", "set", "dev", "eth0", state),)


def _arp_ignore(target: FaultTarget, value: str) -> Commands:
    # The host forgets too: when it asks for a container that it knew, the container learns from the question.
    forget = (("ip", "neigh", "flush", "dev", target.bridge), ("ip", "-n", "web", "neigh", "flush", "dev", "eth0"))
    return (("sysctl", "-q", "-w", f"net.ipv4.conf.{target.bridge}.arp_ignore={value}"), *forget)


def _fdb(action: str, *words: str) -> tuple[str, ...]:
    return ("bridge", "fdb", action, _MAC, "dev", "veth-api", "master", *words)


def _guests() -> Commands:
    bridge = (("ip", "link", "add", _GUESTS, "type", "bridge"), ("ip", "link", "set", "dev", _GUESTS, "up"))
    ports: Commands = ()
    for name in ("guest1", "guest2"):
        inner = f"{name}-vm"
        ports += (
            ("ip", "link", "add", name, "type", "veth", "peer", "name", inner),
            ("ip", "link", "set", "dev", inner, "up"),
            ("ip", "link", "set", "dev", name, "master", _GUESTS, "up"),
        )
    return bridge + ports


HOST_FAULTS: tuple[Fault, ...] = (
    Fault(
        id="uplink-down",
        description="the cable is pulled: the uplink has no carrier, and every route stays",
        breaks=("egress", "published"),
        inject=lambda _: _uplink("down"),
        restore=lambda _: _uplink("up"),
    ),
    Fault(
        id="arp-unanswered",
        description="arp_ignore on a bridge: the gateway does not answer when its containers ask for it",
        breaks=("egress", "published"),
        inject=lambda target: _arp_ignore(target, "8"),
        restore=lambda target: _arp_ignore(target, "0"),
    ),
    Fault(
        id="fdb-wrong",
        description="a sticky forwarding entry leads frames for a container to another one's port",
        breaks=("egress", "published", "same-network"),
        inject=lambda target: (
            ("ip", "-n", "web", "link", "set", "dev", "eth0", "address", _MAC),
            ("ip", "neigh", "flush", "dev", target.bridge),
            ("ip", "-n", "api", "neigh", "flush", "dev", "eth0"),
            _fdb("replace", "static", "sticky"),
        ),
        restore=lambda _: (_fdb("del"),),
    ),
    Fault(
        id="guest-drop",
        description="guests on a bridge of the host's own, cut off by br_netfilter and FORWARD's policy",
        breaks=("guests",),
        inject=lambda _: _guests(),
        restore=lambda _: tuple(("ip", "link", "del", name) for name in ("guest1", "guest2", _GUESTS)),
    ),
)
"""Every fault of the host's own."""
