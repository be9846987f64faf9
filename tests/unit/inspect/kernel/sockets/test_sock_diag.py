"""sock_diag's answers, recorded from a kernel 6, and docker-proxy's arguments."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnet_tui.inspect.kernel.sockets import listening, proc_net, sock_diag
from dnet_tui.inspect.kernel.sockets.sock_diag import parse_listening
from dnet_tui.inspect.model import Socket

TAIL = "08000f00000000000c00150001000000000000000600160052000000"
LOOPBACK = bytes.fromhex(
    "020a00001f9100007f0000010000000000000000000000000000000000000000000000000000000000000000090000000000000000000000"
    "000000000010000000000000bc9d10000500080000000000" + TAIL
)
DUAL = bytes.fromhex(
    "0a0a00001e6200000000000000000000000000000000000000000000000000000000000000000000000000000a1000000000000000000000"
    "000000008000000000000000" + "1e5d2100050008000000000005000b0000000000" + TAIL
)
BOUND = bytes.fromhex(
    "0a0a00001e630000000000000000000000000000000000000000000000000000000000000000000003000000" + "0b10000000000000"
    "00000000000000008000000000000000" + "1f5d2100050008000000000005000b0000000000" + TAIL
)
V6ONLY = bytes.fromhex(
    "0a0a00001e610000000000000000000000000000000000000000000000000000000000000000000000000000" + "0c10000000000000"
    "00000000000000008000000000000000" + "1d5d2100050008000000000005000b0001000000" + TAIL
)


def test_listening_sockets_are_read_with_all_they_tell() -> None:
    assert list(parse_listening([LOOPBACK, DUAL, BOUND, V6ONLY], "tcp")) == [
        Socket(proto="tcp", address="127.0.0.1", port=8081, inode=1088956, uid=0, transparent=False),
        Socket(proto="tcp", address="::", port=7778, inode=2186526, v6only=False, uid=0, transparent=False),
        Socket(proto="tcp", address="::", port=7779, inode=2186527, v6only=False, ifindex=3, uid=0, transparent=False),
        Socket(proto="tcp", address="::", port=7777, inode=2186525, v6only=True, uid=0, transparent=False),
    ]


def test_what_does_not_listen_is_left_out() -> None:
    established = bytes([LOOPBACK[0], 1]) + LOOPBACK[2:]
    connected = LOOPBACK[:6] + b"\x00\x50" + LOOPBACK[8:]
    unbound = LOOPBACK[:4] + b"\0\0" + LOOPBACK[6:]
    unix = b"\x01" + LOOPBACK[1:]
    assert list(parse_listening([established, connected, unbound, unix, LOOPBACK[:71], b""], "tcp")) == []


def test_a_udp_socket_listens_while_it_is_not_connected() -> None:
    udp = bytes([LOOPBACK[0], 7]) + LOOPBACK[2:]
    assert [item.proto for item in parse_listening([udp], "udp")] == ["udp"]
    assert list(parse_listening([LOOPBACK], "udp")) == []


@given(st.lists(st.binary(max_size=120)))
def test_no_bytes_crash_the_parser(bodies: list[bytes]) -> None:
    list(parse_listening(bodies, "tcp"))


def test_proc_is_read_where_there_is_no_sock_diag(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise OSError(2, "No such file or directory")

    told = (Socket(proto="tcp", address="::", port=80),)
    monkeypatch.setattr(sock_diag, "read_listening", refuse)
    monkeypatch.setattr(proc_net, "read_sockets", lambda: told)
    assert listening.read_listening() == told
