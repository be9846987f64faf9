"""A device's own sysctls, as a dump of links carries them.  Pure data."""

from __future__ import annotations

import msgspec


class DeviceSettings(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A device's own sysctls as the kernel keeps them: arrays of 32-bit numbers, empty where it has none.

    ``ip`` counts from IPV4_DEVCONF_FORWARDING (linux/ip.h), ``ip6`` from
    DEVCONF_FORWARDING (linux/ipv6.h).
    """

    ip: bytes = b""
    ip6: bytes = b""
