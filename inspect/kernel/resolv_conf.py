"""A resolv.conf with the comments that Docker writes into it → the model.  Pure.

The text is nobody's word: a container may write what it likes into its own
file.  Only addresses, and the few comments below, are taken from it.

Sources: resolv.conf(5); moby, libnetwork/internal/resolvconf/resolvconf.go
(``Generate``, 26.0 to 29; before that the file had no such comments).
"""

from __future__ import annotations

import ipaddress
import re

from dnet_tui.inspect.model.name_servers import NameServer, Resolver
from dnet_tui.inspect.text.encoding import storable

LARGEST = 16 * 1024
"""Bytes of a file that are looked at; Docker's are some hundred."""

_MOST = 16
"""Name servers that are kept of each kind: resolvers use three (MAXNS, moby's maxExtDNS)."""

_BASED_ON = re.compile(r"# Based on host file: '(?P<path>[^']{0,4096})'(?: \((?P<how>[a-z ]+)\))?")
_UPSTREAMS = re.compile(r"# ExtServers: \[(?P<list>[^\]]*)\]")
_OVERRIDES = re.compile(r"# Overrides: \[(?P<list>[a-z ]*)\]")
_FROM_HOST = re.compile(r"host\((?P<address>[^)]*)\)")
_FELL_BACK = "# Used default nameservers."
_NONE_LEFT = "# NO EXTERNAL NAMESERVERS DEFINED"
_INTERNAL = "internal resolver"


def parse_resolv_conf(raw: bytes, source: str) -> Resolver:
    """What a resolv.conf says; what isn't understood is passed over."""
    servers: list[str] = []
    upstreams: tuple[NameServer, ...] | None = None
    overridden, none_left, fell_back, based_on = False, False, False, ""
    for line in raw[:LARGEST].decode("utf-8", "replace").splitlines():
        text = line.strip()
        if found := _BASED_ON.fullmatch(text):
            based_on = storable(found["path"])
            upstreams = () if found["how"] == _INTERNAL and upstreams is None else upstreams
        elif found := _UPSTREAMS.fullmatch(text):
            upstreams = tuple(item for word in found["list"].split()[:_MOST] if (item := _upstream(word)) is not None)
        elif found := _OVERRIDES.fullmatch(text):
            overridden = "nameservers" in found["list"].split()
        elif text == _NONE_LEFT:
            none_left = True
        elif text == _FELL_BACK:
            fell_back = True
        else:
            words = text.split()
            if len(words) > 1 and words[0] == "nameserver" and (address := _address(words[1])):
                servers.append(address)
    return Resolver(
        source=source,
        servers=tuple(servers[:_MOST]),
        upstreams=upstreams,
        fell_back=fell_back,
        none_left=none_left and not upstreams,
        overridden=overridden,
        based_on=based_on,
    )


def _upstream(word: str) -> NameServer | None:
    """``10.0.0.53`` or ``host(127.0.0.53)``; None when it isn't an address."""
    found = _FROM_HOST.fullmatch(word)
    address = _address(found["address"] if found else word)
    return NameServer(address=address, from_host=found is not None) if address else None


def _address(text: str) -> str:
    """An address as the rest of the model writes it, without the zone of a link-local one; empty when it isn't one."""
    try:
        return str(ipaddress.ip_address(text.partition("%")[0]))
    except ValueError:
        return ""
