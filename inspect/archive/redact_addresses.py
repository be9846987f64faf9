"""Finds addresses in text and replaces them: IPv4, IPv6 and MAC, alone, as networks and as ranges.  Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

from dnet_tui.inspect.archive.address_map import Renumbering, of_ip4, of_ip6

IP4 = r"\d{1,3}(?:\.\d{1,3}){3}"
IP6 = r"[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:]*:(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f:]*)"
MAC = r"(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}"

PATTERN = (
    rf"(?P<mac>(?<![0-9A-Za-z:]){MAC}(?![0-9A-Za-z:]))"
    rf"|(?P<ip6>(?<![0-9A-Za-z:.]){IP6})(?:/(?P<len6>\d{{1,3}}))?(?![0-9A-Za-z])"
    rf"|(?P<ip4>(?<![0-9A-Za-z.]){IP4}(?![0-9A-Za-z]|\.\d))(?:/(?P<len4>{IP4}|\d{{1,2}}))?"
)

_JOINED = re.compile(r"(?<!\d)(\d{1,3}([_-])\d{1,3}\2\d{1,3}\2\d{1,3})(?!\d)(?:_nm(\d{1,2}))?")
"""How netavark writes a network into a chain's name, ``10_88_0_0_nm16``, and clouds an address into a host's."""

_RANGE = re.compile(rf"(?<![0-9A-Za-z.:])(?:({IP4})-({IP4})|({IP6})-({IP6}))(?![0-9A-Za-z])")
_MAC = re.compile(rf"(?<![0-9A-Za-z:]){MAC}(?![0-9A-Za-z:])")
_MAPPED = int(ipaddress.IPv6Address("::ffff:0:0")) >> 32, int(ipaddress.IPv6Address("64:ff9b::")) >> 32
"""The prefixes of 96 bits after which an IPv4 address follows."""
_EUI64 = 0xFFFE000000
_LINK_LOCAL = 0xFE80


class Addresses:
    """The replacements of one snapshot's addresses, all of which it has to be shown first."""

    def __init__(self, key: bytes, texts: Iterable[str], subnets: Iterable[str]) -> None:
        self._ip4, self._ip6 = of_ip4(key), of_ip6(key)
        self._macs: dict[str, str] = {}
        seen: dict[str, None] = {}
        for text in texts:
            if "-" in text:
                for found in _RANGE.finditer(text):
                    self._pin_range(found)
            if ":" in text:
                seen.update((mac.lower(), None) for mac in _MAC.findall(text))
        for text in subnets:
            self._pin_subnet(text)
        self._name_macs(seen)

    def replace(self, found: re.Match[str]) -> str | None:
        """What stands in place of a match of :data:`PATTERN`; None when it is no address."""
        if found["mac"]:
            return self.mac(found["mac"])
        if found["ip6"]:
            return self._ip6_text(found["ip6"], found["len6"])
        if found["ip4"]:
            return self._ip4_text(found["ip4"], found["len4"])
        return None

    def in_word(self, word: str) -> str:
        """A word that has an IPv4 address in it with dashes or underscores for dots."""
        return _JOINED.sub(self._joined, word) if word[-1:].isalnum() else word

    def mac(self, text: str) -> str:
        """Another MAC in place of one; broadcast, multicast and zero stay."""
        new = self._macs.get(text.lower(), text)
        return new.upper() if any(char in "ABCDEF" for char in text) else new

    def _name_macs(self, seen: dict[str, None]) -> None:
        number = 0
        for mac in seen:
            if int(mac[:2], 16) & 1 or mac == "00:00:00:00:00:00":
                continue
            new = mac
            while new in seen:
                number += 1
                new = ":".join(["02:00", *(f"{number >> shift & 0xFF:02x}" for shift in (24, 16, 8, 0))])
            self._macs[mac] = new

    def _pin_range(self, found: re.Match[str]) -> None:
        low4, high4 = _value4(found[1] or ""), _value4(found[2] or "")
        if low4 is not None and high4 is not None:
            self._ip4.pin_range(low4, high4)
        low6, high6 = _value6(found[3] or ""), _value6(found[4] or "")
        if low6 is not None and high6 is not None:
            self._ip6.pin_range(low6, high6)

    def _pin_subnet(self, text: str) -> None:
        try:
            net = ipaddress.ip_network(text, strict=False)
        except ValueError:
            return
        family = self._ip4 if net.version == 4 else self._ip6
        family.pin_subnet(int(net.network_address), int(net.broadcast_address))

    def _ip4_text(self, text: str, length: str | None) -> str | None:
        value = _value4(text)
        if value is None:
            return None
        bits, said = _mask(length)
        return _dotted(_moved(self._ip4, value, 32, bits)) + said

    def _joined(self, found: re.Match[str]) -> str:
        text, glue, length = found.groups()
        value = _value4(text.replace(glue, "."))
        if value is None:
            return found[0]
        bits = int(length) if length and int(length) <= 32 else 32
        return _dotted(_moved(self._ip4, value, 32, bits)).replace(".", glue) + (f"_nm{length}" if length else "")

    def _ip6_text(self, text: str, length: str | None) -> str | None:
        value = _value6(text)
        if value is None:
            return None
        bits = int(length) if length and int(length) <= 128 else 128
        said = f"/{length}" if length else ""
        if value >> 32 in _MAPPED and bits >= 96:
            low = _moved(self._ip4, value & 0xFFFFFFFF, 32, bits - 96)
            tail = _dotted(low) if "." in text else f"{low >> 16:x}:{low & 0xFFFF:x}"
            return f"{'::ffff:' if value >> 32 == _MAPPED[0] else '64:ff9b::'}{tail}{said}"
        if value >> 112 == _LINK_LOCAL and value >> 24 & 0xFFFF == 0xFFFE:
            return str(ipaddress.IPv6Address(self._with_new_mac(value))) + said
        return str(ipaddress.IPv6Address(_moved(self._ip6, value, 128, bits))) + said

    def _with_new_mac(self, value: int) -> int:
        """A link-local address that is made from a MAC (RFC 4291, appendix A), made from its replacement."""
        host = value & 0xFFFFFFFFFFFFFFFF
        raw = ((host >> 40 ^ 0x020000) << 24 | host & 0xFFFFFF).to_bytes(6, "big")
        new = int(self.mac(raw.hex(":")).replace(":", ""), 16)
        return (value >> 64 << 64) | ((new >> 24 ^ 0x020000) << 40) | _EUI64 | new & 0xFFFFFF


def _moved(family: Renumbering, value: int, size: int, bits: int) -> int:
    """An address, or where nothing is set beyond ``bits`` the network that it is."""
    if bits < size and not value & ((1 << (size - bits)) - 1):
        return family.prefix(value, bits)
    return family.address(value)


def _mask(text: str | None) -> tuple[int, str]:
    """A prefix length from what stands after the slash, and that itself."""
    if not text:
        return 32, ""
    if "." not in text:
        return min(int(text), 32), f"/{text}"
    value = _value4(text)
    ones = 32 if value is None else value.bit_count()
    return (ones if value == (1 << 32) - (1 << (32 - ones)) else 32), f"/{text}"


def _value4(text: str) -> int | None:
    parts = text.split(".")
    if len(parts) != 4 or not all(part.isascii() and part.isdecimal() and int(part) <= 255 for part in parts):
        return None
    return int.from_bytes(bytes(map(int, parts)), "big")


def _value6(text: str) -> int | None:
    try:
        return int(ipaddress.IPv6Address(text))
    except ValueError:
        return None


def _dotted(value: int) -> str:
    return str(ipaddress.IPv4Address(value))
