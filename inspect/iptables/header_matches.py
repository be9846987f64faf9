"""iptables' matches on what stands in a packet's headers, or is known of its route and its connection.  Pure.

Sources: iptables-extensions(8) and iptables' print functions; the kernel's
xt_dscp.c, xt_ecn.c, xt_tcpmss.c, xt_esp.c, ipt_ah.c, xt_ipcomp.c, xt_sctp.c,
xt_dccp.c, xt_policy.c, xt_socket.c, xt_realm.c, xt_connlabel.c, xt_helper.c,
xt_cgroup.c, xt_u32.c, xt_string.c, ip6t_ipv6header.c, ip6t_eui64.c.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from dnet_tui.inspect.errors import CannotModelError
from dnet_tui.inspect.iptables.match_words import given
from dnet_tui.inspect.iptables.save_grammar import masked, number, number_range
from dnet_tui.inspect.model.firewall import AnyExpr, Match, Remember, SetMark
from dnet_tui.inspect.model.match_fields import MatchField
from dnet_tui.inspect.text.u32_tests import parse_u32

_SPI = 0xFFFFFFFF
_CHUNKS = re.compile(r"[A-Z_]+(?:,[A-Z_]+)*", re.ASCII)
_POLICY = {
    "dir": 1, "pol": 1, "strict": 0, "reqid": 1, "spi": 1, "proto": 1, "mode": 1, "tunnel-src": 1, "tunnel-dst": 1,
}  # fmt: skip
_UNTRACKED = ("INVALID", "UNTRACKED")

Compiled = tuple[AnyExpr, ...]


def _tos(words: Sequence[str]) -> Compiled:
    option = given(words, {"tos": 1})["tos"]
    value, mask = masked(option.value)
    return (Match(field="tos", values=(f"{value:#x}/{mask & 0xFF:#x}",), negate=option.negate),)


def _dscp(words: Sequence[str]) -> Compiled:
    option = given(words, {"dscp": 1})["dscp"]
    return (Match(field="tos", values=(f"{number(option.value, 63) << 2:#x}/0xfc",), negate=option.negate),)


def _ecn(words: Sequence[str]) -> Compiled:
    found = given(words, {"ecn-tcp-cwr": 0, "ecn-tcp-ece": 0, "ecn-ip-ect": 1})
    matches: list[AnyExpr] = []
    if "ecn-ip-ect" in found:
        ect = found["ecn-ip-ect"]
        matches.append(Match(field="tos", values=(f"{number(ect.value, 3):#x}/0x3",), negate=ect.negate))
    for name, flag in (("ecn-tcp-ece", "ECE"), ("ecn-tcp-cwr", "CWR")):
        if name in found:
            matches.append(Match(field="tcp-flags", values=(f"{flag}/{flag}",), negate=found[name].negate))
    return tuple(matches)


def _one_range(field: MatchField, name: str, limit: int) -> Callable[[Sequence[str]], Compiled]:
    def read(words: Sequence[str]) -> Compiled:
        if not words and field == "spi":
            return (Match(field=field, values=(f"0:{limit}",)),)
        option = given(words, {name: 1})[name]
        return (Match(field=field, values=(number_range(option.value, limit),), negate=option.negate),)

    return read


def _policy(words: Sequence[str]) -> Compiled:
    """Only whether IPsec protects the packet at all is modelled: by which of the policies can't be told."""
    first: list[str] = []
    for word in words:
        if word == "--next":
            break
        first.append(word)
    found = given(first, _POLICY)
    kind, way = found["pol"].value, found["dir"].value
    if way not in {"in", "out"} or kind not in {"none", "ipsec"}:
        raise CannotModelError("not a policy")
    detailed = set(found) - {"dir", "pol"}
    value = f"{way}+some" if detailed or len(first) < len(words) else way
    return (Match(field="ipsec", values=(value,), negate=kind == "none"),)


def _socket(words: Sequence[str]) -> Compiled:
    found = given(words, {"transparent": 0, "nowildcard": 0, "restore-skmark": 0})
    value = "any" if "nowildcard" in found else "bound"
    match = Match(field="socket", values=(f"{value}+transparent" if "transparent" in found else value,))
    return (match, SetMark(op="unknown")) if "restore-skmark" in found else (match,)


def _realm(words: Sequence[str]) -> Compiled:
    option = given(words, {"realm": 1})["realm"]
    value, mask = masked(option.value)
    return (Match(field="realm", values=(f"{value:#x}/{mask:#x}",), negate=option.negate),)


def _label(words: Sequence[str]) -> Compiled:
    """With ``--set`` it holds for every connection, as then it has the label."""
    found = given(words, {"label": 1, "set": 0})
    label = found["label"]
    if "set" not in found:
        return (Match(field="ct-label", values=(label.value,), negate=label.negate),)
    tracked = Match(field="ctstate", values=_UNTRACKED, negate=not label.negate)
    return (Remember(kind="label", name=label.value), tracked)


def _helper(words: Sequence[str]) -> Compiled:
    option = given(words, {"helper": 1})["helper"]
    return (Match(field="ct-helper", values=(option.value,), negate=option.negate),)


def _cgroup(words: Sequence[str]) -> Compiled:
    (option,) = given(words, {"cgroup": 1, "path": 1}).values()
    return (Match(field="cgroup", values=(option.value,), negate=option.negate),)


def _ipv6_headers(words: Sequence[str]) -> Compiled:
    found = given(words, {"header": 1, "soft": 0})
    names = ",".join(sorted(found["header"].value.split(",")))
    mode = "soft" if "soft" in found else "exact"
    return (Match(field="ipv6-headers", values=(f"{mode} {names}",), negate=found["header"].negate),)


def _eui64(words: Sequence[str]) -> Compiled:
    given(words, {})
    return (Match(field="eui64", values=("yes",)),)


def _u32(words: Sequence[str]) -> Compiled:
    option = given(words, {"u32": 1})["u32"]
    if parse_u32(option.value) is None:
        raise CannotModelError("not tests of bytes")
    return (Match(field="u32", values=(option.value,), negate=option.negate),)


_HEX = re.compile(r"\|([0-9a-fA-F ]*)\|")
_LAST_BYTE = 0xFFFF


def _string(words: Sequence[str]) -> Compiled:
    """The text itself stands in the rule's text alone; ``icase`` and the algorithm don't change whether it has room."""
    found = given(words, {"string": 1, "hex-string": 1, "algo": 1, "from": 1, "to": 1, "icase": 0})
    (option,) = (found[name] for name in ("string", "hex-string") if name in found)
    text = option.value
    size = len(text.encode())
    if option.name == "hex-string":
        for part in _HEX.findall(text):
            size -= len(part) + 2 - len(bytes.fromhex(part))
    start, end = (number(found[name].value) if name in found else default for name, default in _OFFSETS)
    return (Match(field="contents", values=(f"{start} {end} {size}",), negate=option.negate),)


_OFFSETS = (("from", 0), ("to", _LAST_BYTE))


def chunk_types(values: list[str], negate: bool) -> Match:  # noqa: FBT001  one signature for all options
    """``--chunk-types all INIT,DATA`` of SCTP.

    Raises:
        CannotModelError: flags are asked for as well.
    """
    if values[0] not in {"all", "any", "only"} or not _CHUNKS.fullmatch(values[1]):
        raise CannotModelError("chunks with flags")
    return Match(field="chunks", values=(f"{values[0]} {values[1]}",), negate=negate)


HEADER_MATCHES: dict[str, Callable[[Sequence[str]], Compiled]] = {
    "tos": _tos,
    "dscp": _dscp,
    "ecn": _ecn,
    "tcpmss": _one_range("mss", "mss", 0xFFFF),
    "ah": _one_range("spi", "ahspi", _SPI),
    "esp": _one_range("spi", "espspi", _SPI),
    "ipcomp": _one_range("spi", "ipcompspi", _SPI),
    "policy": _policy,
    "socket": _socket,
    "realm": _realm,
    "connlabel": _label,
    "helper": _helper,
    "cgroup": _cgroup,
    "ipv6header": _ipv6_headers,
    "eui64": _eui64,
    "u32": _u32,
    "string": _string,
}
"""By the match's name; each raises CannotModelError, KeyError or ValueError for what it can't say."""
