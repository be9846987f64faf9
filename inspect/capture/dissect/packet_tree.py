"""A packet's layers as trees of named fields with their bytes, and its bytes in hex.  Pure: never raises for any bytes.

Made for the one packet that a person has selected; a line for each of many is
:mod:`dnet_tui.inspect.capture.decode`'s work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from dnet_tui.inspect.capture.dissect import application_layers as application
from dnet_tui.inspect.capture.dissect import ip_layers, link_layers
from dnet_tui.inspect.capture.dissect import transport_layers as transport
from dnet_tui.inspect.capture.dissect.field_reader import CutOffError, FieldReader, NextLayer, PacketField, hex_text
from dnet_tui.inspect.capture.packet import RAW_IP

MOST_LAYERS: Final = 24
"""Layers of one packet: tunnels in tunnels end somewhere."""

_READERS: Final[Mapping[str, Callable[[FieldReader], NextLayer | None]]] = {
    "Ethernet": link_layers.read_ethernet,
    "VLAN": link_layers.read_vlan,
    "LLC": link_layers.read_llc,
    "ARP": link_layers.read_arp,
    "IPv4": ip_layers.read_ipv4,
    "IPv6": ip_layers.read_ipv6,
    "TCP": transport.read_tcp,
    "UDP": transport.read_udp,
    "SCTP": transport.read_sctp,
    "ICMP": transport.read_icmp,
    "ICMPv6": transport.read_icmp6,
    "stream": application.read_stream,
    "datagram": application.read_datagram,
    "DNS": application.read_dns,
    "DHCP": application.read_dhcp,
    "HTTP": application.read_http,
    "TLS": application.read_tls,
    "QUIC": application.read_quic,
    "WireGuard": application.read_wireguard,
    "VXLAN": application.read_vxlan,
    "Geneve": application.read_geneve,
}
_FORMS = frozenset({"stream", "datagram"})  # they only tell what it is
_QUOTED = "quoted "
_CUT_OFF = "[cut off]"


def packet_tree(data: bytes, linktype: int) -> tuple[PacketField, ...]:
    """The layers of a frame, outermost first; what could not be read ends with ``[cut off]``.

    Args:
        data: what was captured of the frame.
        linktype: as in :class:`dnet_tui.inspect.capture.packet.CapturedPacket`.
    """
    first = "Ethernet" if linktype != RAW_IP else "IPv6" if data[:1] and data[0] >> 4 == 6 else "IPv4"
    following: NextLayer | None = NextLayer(first, 0, len(data))
    found: list[PacketField] = []
    quoted = ""
    while following is not None and len(found) < MOST_LAYERS:
        name, at, end = following
        if name.startswith(_QUOTED):
            quoted, name = _QUOTED, name.removeprefix(_QUOTED)
        reader = FieldReader(data, at, end)
        if name not in _READERS:
            if reader.left > 0:
                found.append(_payload(reader, quoted))
            return tuple(found)
        try:
            following = _READERS[name](reader)
        except (CutOffError, IndexError, ValueError):
            summary = f"{reader.summary} {_CUT_OFF}".lstrip()
            following = None
        else:
            summary = reader.summary
        if name not in _FORMS:
            found.append(
                PacketField(name=quoted + name, value=summary, start=at, end=reader.at, fields=tuple(reader.fields))
            )
    return tuple(found)


def _payload(reader: FieldReader, quoted: str) -> PacketField:
    raw = reader.data[reader.at : reader.end]
    return PacketField(
        name=f"{quoted}payload", value=f"{len(raw)} bytes: {hex_text(raw)}", start=reader.at, end=reader.end
    )


def tree_lines(fields: Sequence[PacketField], depth: int = 0) -> Iterator[str]:
    """The tree as indented lines: ``name: value``."""
    for item in fields:
        yield "  " * depth + (f"{item.name}: {item.value}" if item.value else item.name)
        yield from tree_lines(item.fields, depth + 1)


def hex_lines(data: bytes, each: int = 16) -> Iterator[str]:
    """The bytes as ``tcpdump -XX`` shows them: offset, ``each`` bytes in pairs, and what of them is printable ASCII."""
    wide = each // 2 * 5 - 1
    for at in range(0, len(data), each):
        row = data[at : at + each]
        pairs = " ".join(row[index : index + 2].hex() for index in range(0, len(row), 2))
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        yield f"0x{at:04x}:  {pairs:<{wide}}  {text}"


def field_at(fields: Sequence[PacketField], offset: int) -> tuple[PacketField, ...]:
    """The fields that hold a byte, outermost first: what to show as selected when a byte is."""
    for item in fields:
        if item.start <= offset < item.end:
            return (item, *field_at(item.fields, offset))
    return ()
