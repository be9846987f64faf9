"""What engines say when a container, a network or the engine itself can't be started, told apart.  Pure.

The texts are those of moby's and netavark's sources and of what they pass on
from iptables and the kernel:

- libnetwork/portallocator/portallocator.go and drivers/bridge/port_mapping_linux.go
  (a host port), ipamapi/contract.go and, before 27.0, ipam/allocator.go (address pools);
- drivers/bridge/setup_verify_linux.go (the bridge's address), bridge_linux.go
  (adding the veth and the bridge port), setup_bridgenetfiltering.go,
  setup_ip_forwarding.go, osl/interface_linux.go (a port that doesn't forward);
- netavark's network/bridge.rs ("create veth pair");
- iptables' own words: libiptc's iptc_strerror, xshared's "Extension … revision … not supported",
  iptables-nft's "is incompatible, use 'nft' tool";
- firewalld's error code ZONE_CONFLICT.

Only the telling part of a text is kept, so that nothing else of a log gets
into a snapshot.
"""

from __future__ import annotations

import re

import msgspec

_LARGEST = 8192
"""Characters of a text that are looked at."""

_LONGEST = 300
"""Characters that are kept."""

_MARK = r"[`'\"]"

_ADDRESS = r"[0-9A-Fa-f.:]{1,44}[0-9A-Fa-f]"
_PROTO = r"(?:tcp|udp|sctp)"

_WORDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "port-taken",
        (
            r"Bind for \S{1,50}:(?P<port1>\d{1,5}) failed: port is already allocated",
            rf"listen {_PROTO}[46]? \S{{0,50}}:(?P<port2>\d{{1,5}}): bind: address already in use",
            rf"failed to bind host port for \S{{1,50}}?:(?P<port3>\d+):\S{{1,60}}/{_PROTO}: address already in use",
            rf"failed to bind host port \S{{1,50}}:(?P<port4>\d{{1,5}})/{_PROTO}: address already in use",
        ),
    ),
    (
        "pool-exhausted",
        (
            r"could not find an available, non-overlapping IPv[46] address pool among the defaults",
            r"all predefined address pools have been fully subnetted",
        ),
    ),
    (
        "bridge-ip-mismatch",
        (rf"bridge IPv[46] \((?P<have>{_ADDRESS})\) does not match requested configuration (?P<want>{_ADDRESS})",),
    ),
    (
        "veth-unsupported",
        (
            r"failed to add the host \(\S{0,15}\) <=> sandbox \(\S{0,15}\) pair interfaces: operation not supported",
            r"failed to make veth pair: operation not supported",
            r"create veth pair: Netlink error: Operation not supported",
        ),
    ),
    ("no-raw-table", (rf"can't initialize ip6?tables table {_MARK}raw{_MARK}: [^(\n\\]{{1,60}}",)),
    ("no-xt-masq", (r"Extension MASQUERADE revision 0 not supported, missing kernel module",)),
    (
        "exchange-full",
        (
            r"adding interface \S{1,15} to bridge \S{1,15} failed: exchange full",
            r"unable to set master of \S{1,15}: exchange full",
        ),
    ),
    ("port-not-fwd", (r"Bridge port not forwarding",)),
    ("zone-conflict", (r"ZONE_CONFLICT: [^\n\"]{1,80}",)),
    ("iptables-incompatible", (rf"table {_MARK}\w{{1,20}}{_MARK} is incompatible, use 'nft' tool",)),
    (
        "icc-no-brnf",
        (
            r"ensure that the br_netfilter kernel module is loaded",
            r"cannot restrict inter-container communication",
        ),
    ),
    (
        "forwarding-off",
        (r"IPv(?:4|6 global) forwarding is disabled: check your host's firewalling",),
    ),
)
_COMPILED = tuple((kind, re.compile("|".join(words))) for kind, words in _WORDS)


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """A failure that was recognised.

    ``kind`` is the id of the check that explains it, or a word of its own
    where several causes are possible (``veth-unsupported``,
    ``forwarding-off``).  ``text`` is the telling part of what was said;
    ``port`` a host port in it, ``have`` and ``want`` a bridge's addresses.
    """

    kind: str
    text: str
    port: int | None = None
    have: str = ""
    want: str = ""


def recognise(text: str) -> Failure | None:
    """The failure that a text tells of; None when it tells of none that is known."""
    said = text[:_LARGEST]
    for kind, pattern in _COMPILED:
        if (found := pattern.search(said)) is not None:
            groups = found.groupdict()
            port = next((value for key, value in groups.items() if key.startswith("port") and value), None)
            return Failure(
                kind=kind,
                text=found[0][:_LONGEST].strip(),
                port=int(port) if port is not None else None,
                have=groups.get("have") or "",
                want=groups.get("want") or "",
            )
    return None
