"""What a redacted snapshot says of tunnels: keys and addresses of others, and all still fits."""

from __future__ import annotations

from dnet_tui.inspect.archive.redact import redact
from dnet_tui.inspect.archive.snapshot_file import encode
from dnet_tui.inspect.model import WireGuardDevice, WireGuardPeer
from unit.builders.factories import HOST, WEB, docker_like_snapshot, with_namespace
from unit.builders.factories_links import namespace


def device(key: str, peer: str) -> tuple[WireGuardDevice, ...]:
    other = WireGuardPeer(key=peer, endpoint="192.168.77.9", port=51820, allowed=("10.44.0.0/24",))
    return (WireGuardDevice(ifindex=9, key=key, port=51820, peers=(other,)),)


def test_public_keys_are_replaced_each_by_the_same_one() -> None:
    snapshot = with_namespace(docker_like_snapshot(), HOST, wireguard=device("AAAA=", "BBBB="))
    snapshot = with_namespace(snapshot, WEB, wireguard=device("BBBB=", ""))
    found = redact(snapshot, key=b"k" * 32)
    text = encode(found).decode()
    assert "AAAA=" not in text
    assert "BBBB=" not in text
    assert "192.168.77.9" not in text
    (host,), (web,) = namespace(found, HOST).wireguard, namespace(found, WEB).wireguard
    assert host.peers[0].key == web.key != host.key
    assert web.peers[0].key == ""
