"""WireGuard's interfaces from the kernel's answer (linux/wireguard.h).  Bytes put together: no kernel made them."""

from __future__ import annotations

import base64
import socket
import struct

import pytest

from dnet_tui.inspect.kernel.netlink import attribute
from dnet_tui.inspect.kernel.tunnels.wireguard import parse_device, read_wireguard
from dnet_tui.inspect.model import Link, WireGuardDevice, WireGuardPeer

HEADER = struct.pack("=BBH", 0, 1, 0)
OWN, PEER, SECRET = bytes(range(32)), bytes(range(1, 33)), b"\xee" * 32


def text(key: bytes) -> str:
    return base64.b64encode(key).decode()


def allowed(address: str, length: int) -> bytes:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    inner = attribute(1, struct.pack("=H", family)) + attribute(2, socket.inet_pton(family, address))
    return attribute(0, inner + attribute(3, bytes([length])))


def endpoint(address: str, port: int) -> bytes:
    if ":" in address:
        return struct.pack("=H", socket.AF_INET6) + struct.pack("!HI16sI", port, 0, socket.inet_pton(10, address), 0)
    return struct.pack("=H", socket.AF_INET) + struct.pack("!H4s8x", port, socket.inet_aton(address))


def peer(key: bytes, *networks: bytes, at: bytes = b"") -> bytes:
    body = attribute(1, key) + attribute(2, SECRET) + (attribute(4, at) if at else b"")
    body += attribute(6, struct.pack("=qq", 1700000000, 5)) + attribute(9, b"".join(networks))
    return attribute(0, body)


def device(*peers: bytes, first: bool = True) -> bytes:
    about = attribute(4, OWN) + attribute(6, struct.pack("=H", 51820)) + attribute(7, struct.pack("=I", 0xCA6C))
    return HEADER + attribute(3, SECRET) + (about if first else b"") + attribute(8, b"".join(peers))


def test_an_interface_has_its_port_its_mark_and_its_peers() -> None:
    found = parse_device(7, [device(peer(PEER, allowed("10.8.0.0", 24), at=endpoint("203.0.113.5", 51821)))])
    wanted = WireGuardPeer(
        key=text(PEER), endpoint="203.0.113.5", port=51821, allowed=("10.8.0.0/24",), handshake=1700000000
    )
    assert found == WireGuardDevice(ifindex=7, key=text(OWN), port=51820, mark=0xCA6C, peers=(wanted,))


def test_secrets_are_not_kept() -> None:
    found = parse_device(7, [device(peer(PEER, allowed("10.0.0.0", 8)))])
    assert text(SECRET) not in str(found)


def test_a_peer_goes_on_in_the_next_message() -> None:
    one = device(peer(PEER, allowed("10.8.0.0", 24), at=endpoint("2001:db8::5", 1)))
    two = device(peer(PEER, allowed("fd00::", 64)), first=False)
    (found,) = parse_device(7, [one, two]).peers
    assert (found.endpoint, found.allowed) == ("2001:db8::5", ("10.8.0.0/24", "fd00::/64"))


def test_a_peer_without_an_endpoint_has_none() -> None:
    (found,) = parse_device(7, [device(peer(PEER))]).peers
    assert (found.endpoint, found.port, found.allowed) == ("", 0, ())


@pytest.mark.parametrize("body", [b"", HEADER, device(peer(PEER, at=b"\2\0\0"))[:60], device()])
def test_what_is_cut_short_is_survived(body: bytes) -> None:
    assert parse_device(7, [body]).ifindex == 7


def test_without_such_a_link_nobody_is_asked() -> None:
    assert read_wireguard([Link(ifindex=2, name="eth0")]) == ()
