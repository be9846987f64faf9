"""Who takes a packet that has been delivered: the listening socket, if there is one.  Pure.

Sources: ip(7), ipv6(7) (IPV6_V6ONLY), socket(7) (SO_BINDTODEVICE);
include/net/inet_sock.h, Documentation/networking/vrf.rst.
"""

from __future__ import annotations

from typing import NamedTuple

from dnet_tui.diagnostics.walk.packet import Decider, End, Packet, Truth, replace
from dnet_tui.inspect.model import Namespace, Socket, known_items, require

PORT_HOLDERS = frozenset({"conmon", "dockerd"})
"""Programs that only hold a published port, so that nobody else takes it, and never read from it.

Podman's conmon does; and so does dockerd itself where it runs without its userland proxy (moby,
``daemon/libnetwork/portmapper``).  docker-proxy and rootlesskit are not among them: they pass on what they get.
"""

_EXACT = 4
"""What a socket's own address, or its device, weighs; the family weighs less."""


class Reception(NamedTuple):
    """How a packet that passed INPUT ends, by what, and whose socket has it.

    Without a decider, nobody can tell whether somebody listens.
    """

    end: End
    by: Decider | None = None
    uid: int | None = None


def received(ns: Namespace, packet: Packet) -> Reception:
    """How the end is for a first packet that passed INPUT.

    Raises:
        NotSeen: the sockets weren't read, and that decides.
    """
    if packet.proto not in {"tcp", "udp"}:
        return Reception("delivered")
    asked = packet
    if packet.taken_by:
        address, _, port = packet.taken_by.partition(" ")
        asked = replace(packet, dst=address, dport=int(port))
    maybe = False
    best: tuple[int, Socket] | None = None
    for socket in known_items(ns.sockets):
        taken = takes(ns, socket, asked)
        if taken and (best is None or _score(socket, asked) > best[0]):
            best = _score(socket, asked), socket
        maybe = maybe or taken is None
    if best is not None and not (maybe and best[0] < _EXACT):
        socket = best[1]
        text = f"{socket.process or 'a process'} listens on {socket.address}:{socket.port}"
        return Reception("delivered", Decider(kind="socket", text=text, namespace=ns.id), socket.uid)
    require(ns.sockets)  # nobody that was seen; whether anybody else
    if maybe:
        return Reception("delivered")
    text = f"nothing listens on {packet.proto} port {packet.dport}{_elsewhere(ns, asked)}"
    return Reception("refused", Decider(kind="socket", text=text, namespace=ns.id))


def _elsewhere(ns: Namespace, packet: Packet) -> str:
    """Who has the port on other addresses alone, in words: what the caller sees as nobody at all."""
    asked = (packet.proto, packet.dport)
    near = [item for item in known_items(ns.sockets) if (item.proto, item.port) == asked and item.ifindex is None]
    if not near:
        return ""
    places = ", ".join(dict.fromkeys(map(_place, near)))
    return f" of {packet.dst}: {near[0].process or 'a process'} listens on {places} only"


def _place(socket: Socket) -> str:
    address = f"[{socket.address}]" if ":" in socket.address else socket.address
    return f"{address}:{socket.port}"


def _score(socket: Socket, packet: Packet) -> int:
    """How well a socket fits, of those that take a packet (compute_score of udp.c and inet_hashtables.c)."""
    family = 1 if (":" in socket.address) == (packet.family == "ip6") else 0
    exact = socket.address.removeprefix("::ffff:") == packet.dst
    return family + (_EXACT if exact else 0) + (_EXACT if socket.ifindex is not None else 0)


def takes(ns: Namespace, socket: Socket, packet: Packet) -> Truth:
    """Whether a socket takes a packet; None for one on ``::`` of which nobody knows whether it takes IPv4."""
    if (socket.proto, socket.port) != (packet.proto, packet.dport):
        return False
    near = _hears(ns, socket, packet)
    if not near:
        return near
    address = socket.address.removeprefix("::ffff:") if packet.family == "ip" else socket.address
    if address == packet.dst:
        return True
    if packet.family == "ip6" or address != "::":
        return address == ("0.0.0.0" if packet.family == "ip" else "::")  # noqa: S104 - compared with, not bound to
    return None if socket.v6only is None else not socket.v6only


def _hears(ns: Namespace, socket: Socket, packet: Packet) -> Truth:
    """Whether a socket hears the device by which a packet came (inet_bound_dev_eq).

    What came by a link of a VRF is heard by sockets bound to that link or to
    the VRF; by others only where ``tcp_l3mdev_accept`` says so, or UDP's.
    """
    link = next((item for item in ns.links if item.name == packet.iif), None)
    if link is None or link.kind != "vrf":
        return socket.ifindex is None or (link is not None and link.ifindex == socket.ifindex)
    if socket.ifindex is None:
        accepts = ns.sysctls.get(f"net.ipv4.{socket.proto}_l3mdev_accept")
        return None if accepts is None else accepts != "0"
    inside = [item.ifindex for item in ns.links if item.master == link.ifindex]
    if socket.ifindex in inside:  # by which of them it came isn't kept
        return True if len(inside) == 1 else None
    return socket.ifindex == link.ifindex
