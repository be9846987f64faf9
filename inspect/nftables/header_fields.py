"""nftables' fields of headers that few rules look at, and the conditions they are compiled into.  Pure.

Sources: nft(8), libnftables-json(5); the kernel's nft_exthdr.c, nft_socket.c,
nft_xfrm.c, nft_rt.c; nftables' datatype.c for the names of DSCP and ECN.
"""

from __future__ import annotations

from collections.abc import Mapping

from dnet_tui.inspect.model.firewall import AnyExpr, Match, Opaque
from dnet_tui.inspect.text.json_access import Json, fail, whole, word

DSCP: dict[str, int] = {f"cs{number}": number << 3 for number in range(8)} | {
    f"af{group}{drop}": group << 3 | drop << 1 for group in range(1, 5) for drop in range(1, 4)
}
DSCP |= {"df": 0, "be": 0, "ef": 46, "va": 44, "lephb": 1}
ECN: dict[str, int] = {"not-ect": 0, "ect1": 1, "ect0": 2, "ce": 3}
_OPTIONS = {"eol": "0", "nop": "1", "maxseg": "2", "window": "3", "sack-perm": "4", "sack": "5", "timestamp": "8"}
_OPTIONS |= {"md5sig": "19", "mptcp": "30", "fastopen": "34"}
_TCP, _SCTP = Match(field="proto", values=("tcp",)), Match(field="proto", values=("sctp",))

PLAIN_HEADERS: dict[tuple[str, str], str] = {
    ("ip", "hdrlength"): "ip hdrlength",
    ("tcp", "ackseq"): "tcp ackseq",
    ("tcp", "urgptr"): "tcp urgptr",
    ("tcp", "doff"): "tcp doff",
    ("udp", "length"): "udp length",
}
"""Fields that are as good as constant in a plain first packet, by the name that the model knows them by."""


def dscp(raw: Json) -> tuple[int, int]:
    """A DSCP by name or number, as the bits of the type of service and their mask."""
    return (DSCP[raw] if isinstance(raw, str) else whole(raw, 63)) << 2, 0xFC


def ecn(raw: Json) -> tuple[int, int]:
    """The same for ECN."""
    return ECN[raw] if isinstance(raw, str) else whole(raw, 3), 0x03


def priority(raw: Json) -> int:
    """``none``, ``root``, ``MAJOR:MINOR`` or a number."""
    if not isinstance(raw, str):
        return whole(raw)
    if raw in {"none", "root"}:
        return 0 if raw == "none" else 0xFFFFFFFF
    major, colon, minor = raw.partition(":")
    if not colon:
        raise fail("not a priority")
    return int(major or "0", 16) << 16 | int(minor or "0", 16)


def special_match(name: str, found: Mapping[str, Json], right: Json, text: str, *, negate: bool) -> tuple[AnyExpr, ...]:
    """What is compared in a way of its own: sockets, IPsec, TCP's options, SCTP's chunks; empty for anything else.

    Raises:
        CannotModelError: it isn't modelled.
    """
    there = right is not negate if isinstance(right, bool) else None
    if name == "tcp option" and there is not None:
        option = Match(field="tcp-option", values=(_OPTIONS[word(found.get("name"))],), negate=not there)
        return (_TCP, option) if there else (option,)  # another protocol's packet lacks it as well
    if name == "sctp chunk" and there is not None and "field" not in found:
        kind = word(found.get("name")).upper().replace("-", "_")
        chunk = Match(field="chunks", values=(f"any {kind}",), negate=not there)
        return (_SCTP, chunk) if there else (chunk,)
    if name == "socket":
        return _socket(found, right, text, negate=negate)
    if name == "ipsec":
        return Match(field="ipsec", values=(word(found.get("dir")),)), Opaque(text=text)
    return ()


def _socket(found: Mapping[str, Json], right: Json, text: str, *, negate: bool) -> tuple[AnyExpr, ...]:
    """Without a socket the rule ends, negated or not."""
    there, key = Match(field="socket", values=("any",)), found.get("key")
    if key not in {"transparent", "wildcard"}:
        return (there, Opaque(text=text)) if key != "cgroupv2" else (Opaque(text=text),)
    value = "any+transparent" if key == "transparent" else "bound"
    wanted = (whole(right, 1) == 1) == (key == "transparent")
    return there, Match(field="socket", values=(value,), negate=wanted == negate)
