"""Ethernet, VLAN tags and ARP, field by field.  Pure."""

from __future__ import annotations

from dnet_tui.inspect.capture.dissect.field_reader import FieldReader, NextLayer, as_hex

ETHERTYPES: dict[int, str] = {
    0x0800: "IPv4", 0x0806: "ARP", 0x86DD: "IPv6", 0x8100: "VLAN", 0x88A8: "VLAN, outer", 0x88CC: "LLDP",
    0x8847: "MPLS", 0x8863: "PPPoE discovery", 0x8864: "PPPoE",
}  # fmt: skip
_LAYERS = {0x0800: "IPv4", 0x86DD: "IPv6", 0x0806: "ARP", 0x8100: "VLAN", 0x88A8: "VLAN", 0x9100: "VLAN"}
_ARP = {1: "request", 2: "reply", 3: "reverse request", 4: "reverse reply"}


def read_ethernet(reader: FieldReader) -> NextLayer | None:
    """Both addresses, and the type of what follows."""
    dst, src = reader.address("destination", 6), reader.address("source", 6)
    reader.summary = f"{src} > {dst}"
    return _typed(reader)


def read_vlan(reader: FieldReader) -> NextLayer | None:
    """One 802.1Q or 802.1ad tag."""
    tag = reader.number("tag", 2, as_hex)
    reader.bits("priority", str(tag >> 13), 2)
    reader.bits("drop eligible", "yes" if tag & 0x1000 else "no", 2)
    reader.bits("VLAN id", str(tag & 0xFFF), 2)
    reader.summary = f"id {tag & 0xFFF}"
    return _typed(reader)


def _typed(reader: FieldReader) -> NextLayer | None:
    kind = reader.number("type", 2, lambda value: as_hex(value) if value >= 0x600 else str(value), names=ETHERTYPES)
    if kind < 0x600:  # IEEE 802.3: a length, LLC follows
        return NextLayer("LLC", reader.at, min(reader.end, reader.at + kind))
    return NextLayer(_LAYERS.get(kind, "payload"), reader.at, reader.end)


def read_llc(reader: FieldReader) -> NextLayer | None:
    """IEEE 802.2: spanning tree is the one that bridges send."""
    service = reader.number("destination service", 1, as_hex, names={0x42: "spanning tree", 0xAA: "SNAP"})
    reader.number("source service", 1, as_hex)
    reader.number("control", 1, as_hex)
    reader.summary = "spanning tree" if service == 0x42 else ""
    return NextLayer("payload", reader.at, reader.end)


def read_arp(reader: FieldReader) -> NextLayer | None:
    """RFC 826, for Ethernet and IPv4; of any other kind the addresses are shown in hex."""
    hardware = reader.number("hardware", 2, names={1: "Ethernet"})
    protocol = reader.number("protocol", 2, as_hex, names=ETHERTYPES)
    mac, ip = reader.number("hardware size", 1), reader.number("protocol size", 1)
    operation = reader.number("operation", 2, names=_ARP)
    if (hardware, protocol, mac, ip) == (1, 0x0800, 6, 4):
        reader.address("sender's MAC", 6)
        sender = reader.address("sender", 4)
        reader.address("target's MAC", 6)
        target = reader.address("target", 4)
        asks = f"who has {target}, tell {sender}"
        reader.summary = asks if operation == 1 else f"{sender} tells {target}"
    else:
        for name, size in (("sender's MAC", mac), ("sender", ip), ("target's MAC", mac), ("target", ip)):
            reader.raw(name, size)
    return None
