"""The WireGuard interfaces of the calling thread's namespace, with their peers.

Over generic netlink; needs CAP_NET_ADMIN in the namespace.  Keys that are
secret (its own private one, those shared with peers) are in the answer and
are passed over.  Changes nothing.  Source: linux/wireguard.h, linux/genetlink.h.
"""

from __future__ import annotations

import base64
import ipaddress
import socket
import struct
from collections.abc import Iterable, Iterator

from dnet_tui.inspect.kernel.netlink import NetlinkSocket, attribute, attributes, elements
from dnet_tui.inspect.kernel.netlink_values import ip, u8, u16, u32
from dnet_tui.inspect.model import Link, WireGuardDevice, WireGuardPeer

_NETLINK_GENERIC = 16
_CONTROL, _GET_FAMILY = 0x10, 3
_FAMILY_ID, _FAMILY_NAME = 1, 2
_GET_DEVICE = 0
_HEADER = struct.Struct("=BBH")
"""struct genlmsghdr: command, version, reserved."""
_IFINDEX, _PUBLIC_KEY, _LISTEN_PORT, _FWMARK, _PEERS = 1, 4, 6, 7, 8
_PEER_KEY, _ENDPOINT, _HANDSHAKE, _ALLOWED = 1, 4, 6, 9
_ADDRESS, _MASK = 2, 3
_KEY_LENGTH = 32
_TIME = struct.Struct("=q")


def read_wireguard(links: Iterable[Link]) -> tuple[WireGuardDevice, ...]:
    """What each of the links that is a WireGuard interface is set to.

    Raises:
        OSError: the kernel refused, or did not answer in time.
    """
    wanted = [link.ifindex for link in links if link.kind == "wireguard"]
    if not wanted:
        return ()
    with NetlinkSocket(_NETLINK_GENERIC) as sock:
        asked = _HEADER.pack(_GET_FAMILY, 1, 0) + attribute(_FAMILY_NAME, b"wireguard\0")
        family = u16(attributes(sock.ask(_CONTROL, asked), _HEADER.size).get(_FAMILY_ID))
        request = _HEADER.pack(_GET_DEVICE, 1, 0)
        dumps = [sock.dump(family, request + attribute(_IFINDEX, struct.pack("=I", ifindex))) for ifindex in wanted]
    return tuple(parse_device(ifindex, dump.bodies) for ifindex, dump in zip(wanted, dumps, strict=True))


def parse_device(ifindex: int, bodies: Iterable[bytes]) -> WireGuardDevice:
    """One interface from the messages of its dump; a peer with many addresses goes on in the next one."""
    device: dict[int, bytes] = {}
    peers: dict[str, WireGuardPeer] = {}
    for body in bodies:
        found = attributes(body, _HEADER.size)
        device = {**found, **device}
        for _, raw in elements(found.get(_PEERS, b"")):
            peer = _peer(attributes(raw))
            before = peers.get(peer.key)
            if before is not None:
                peer = WireGuardPeer(
                    key=peer.key,
                    endpoint=before.endpoint,
                    port=before.port,
                    allowed=(*before.allowed, *peer.allowed),
                    handshake=before.handshake,
                )
            peers[peer.key] = peer
    return WireGuardDevice(
        ifindex=ifindex,
        key=_key(device.get(_PUBLIC_KEY, b"")),
        port=u16(device.get(_LISTEN_PORT)),
        mark=u32(device.get(_FWMARK)),
        peers=tuple(peers.values()),
    )


def _peer(found: dict[int, bytes]) -> WireGuardPeer:
    address, port = _endpoint(found.get(_ENDPOINT, b""))
    times = found.get(_HANDSHAKE, b"")
    return WireGuardPeer(
        key=_key(found.get(_PEER_KEY, b"")),
        endpoint=address,
        port=port,
        allowed=tuple(_allowed(found.get(_ALLOWED, b""))),
        handshake=int(_TIME.unpack_from(times)[0]) if len(times) >= _TIME.size else 0,
    )


def _key(raw: bytes) -> str:
    """A key as ``wg`` writes it; none for one that isn't set."""
    return base64.b64encode(raw).decode("ascii") if len(raw) == _KEY_LENGTH and any(raw) else ""


def _endpoint(raw: bytes) -> tuple[str, int]:
    """A struct sockaddr_in or sockaddr_in6."""
    if len(raw) < 8:
        return "", 0
    family, port = u16(raw[:2]), int.from_bytes(raw[2:4], "big")
    if family == socket.AF_INET6 and len(raw) >= 24:
        return ip(raw[8:24]), port
    return (ip(raw[4:8]), port) if family == socket.AF_INET else ("", 0)


def _allowed(raw: bytes) -> Iterator[str]:
    for _, one in elements(raw):
        found = attributes(one)
        address = ip(found.get(_ADDRESS))
        if address:
            yield str(ipaddress.ip_network(f"{address}/{u8(found.get(_MASK))}", strict=False))
