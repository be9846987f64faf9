"""Writes rules of the model as ``iptables-save`` text.  Pure.

The inverse of :mod:`dnet_tui.inspect.iptables.save_text`: reading what this module
writes gives the same expressions again.  It writes what iptables-save would
print, except for forms that mean the same: ``-m state`` becomes conntrack,
``-m multiport`` with one port becomes the protocol's own match.
"""

from __future__ import annotations

from collections.abc import Iterable

from dnet_tui.inspect.iptables.matches import MATCHES
from dnet_tui.inspect.iptables.save_grammar import quote
from dnet_tui.inspect.model.firewall import (
    AnyExpr,
    Chain,
    Lookup,
    Match,
    Nat,
    Note,
    NoTrack,
    Opaque,
    Remember,
    Rule,
    SetField,
    SetLookup,
    SetMark,
    SetZone,
    StatefulMatch,
    Table,
    TransparentProxy,
    Verdict,
    VerdictMap,
)
from dnet_tui.inspect.model.protocols import protocol_number

_BASE = {"saddr": "-s", "daddr": "-d", "iif": "-i", "oif": "-o"}
_PROTOCOLS = {"icmpv6": "ipv6-icmp"}
_CONNTRACK = frozenset(option.removeprefix("--") for option in MATCHES["conntrack"])
_OPTIONS = {
    "mark": ("mark", "--mark"),
    "ctmark": ("connmark", "--mark"),
    "src-type": ("addrtype", "--src-type"),
    "dst-type": ("addrtype", "--dst-type"),
    "physin": ("physdev", "--physdev-in"),
    "physout": ("physdev", "--physdev-out"),
    "mac": ("mac", "--mac-source"),
    "pkttype": ("pkttype", "--pkt-type"),
    "length": ("length", "--length"),
    "tcp-option": ("tcp", "--tcp-option"),
    "iifgroup": ("devgroup", "--src-group"),
    "oifgroup": ("devgroup", "--dst-group"),
    "owner-uid": ("owner", "--uid-owner"),
    "owner-gid": ("owner", "--gid-owner"),
} | {option: ("conntrack", f"--{option}") for option in _CONNTRACK}
_CONNTRACK_ADDRESSES = frozenset({"ctorigsrc", "ctorigdst", "ctreplsrc", "ctrepldst"})
_LISTS = frozenset({"ctstate", "ctstatus", "src-type", "dst-type"})
_MARKS = frozenset({"mark", "ctmark", "iifgroup", "oifgroup"})
_SINGLE_PORT = frozenset({"tcp", "udp", "sctp", "dccp"})
_PORT_LISTS = {"sport": "--sports", "dport": "--dports", "port": "--ports"}
_FULL = 0xFFFFFFFF


class CannotRenderError(ValueError):
    """An expression that iptables can't say; the message names it."""


def render_tables(tables: Iterable[Table], *, counters: bool = False) -> str:
    """Write tables as one ``iptables-save`` text; the tables must be of one family.

    Raises:
        CannotRenderError: a rule can't be said by iptables.
    """
    lines: list[str] = []
    for table in tables:
        lines.append(f"*{table.name}")
        lines += (_declaration(chain) for chain in table.chains)
        for chain in table.chains:
            for rule in chain.rules:
                text = render_rule(rule, family=table.family)
                count = f"[{rule.packets or 0}:{rule.bytes or 0}] " if counters else ""
                lines.append(f"{count}-A {chain.name}{' ' if text else ''}{text}")
        lines.append("COMMIT")
    return "\n".join([*lines, ""])


def _declaration(chain: Chain) -> str:
    policy = chain.policy.upper() or "-"
    return f":{chain.name} {policy} [{chain.packets or 0}:{chain.bytes or 0}]"


def render_rule(rule: Rule, *, family: str = "ip") -> str:
    """Write one rule from its expressions, without ``-A CHAIN`` and counters.

    ``family`` decides between ``-m ttl`` and ``-m hl``, the only match that
    has two names for one field.

    Raises:
        CannotRenderError: it can't be said by iptables.
    """
    writer = _Writer(family)
    for expr in rule.exprs:
        writer.add(expr)
    return " ".join(writer.words)


class _Writer:
    """The words so far, the protocol they set and the match that is open."""

    def __init__(self, family: str) -> None:
        self.family = family
        self.words: list[str] = []
        self.proto = ""
        self.module = ""
        self.used: set[str] = set()
        self.updated = False
        """Whether the match before remembers by itself what it has asked for."""

    def add(self, expr: AnyExpr) -> None:
        """Write one expression."""
        if isinstance(expr, Match):
            self._match(expr)
            return
        self.module = ""
        if isinstance(expr, SetLookup):
            self._option("set", "--match-set", f"{quote(expr.name)} {','.join(expr.dirs)}", negate=expr.negate)
            self.module = ""
        elif isinstance(expr, Opaque | Note | StatefulMatch) or (isinstance(expr, SetZone) and expr.text):
            self.words.append(expr.text)
        elif isinstance(expr, Remember):
            self.words += [] if self.updated else _remember(expr)
            self.updated = False
        elif isinstance(expr, SetField) and (expr.field, expr.op) == ("mss", "unknown"):
            self.words += ["-j", "TCPMSS", "--clamp-mss-to-pmtu"]
        elif isinstance(expr, SetField | SetZone | TransparentProxy):
            msg = "not written here"
            raise CannotRenderError(msg)
        elif isinstance(expr, Lookup | VerdictMap):
            msg = "iptables has no such look-up"
            raise CannotRenderError(msg)
        else:
            self.words += _target(expr)

    def _option(self, module: str, option: str, value: str, *, negate: bool) -> None:
        if module != self.module or option in self.used:
            self.words += ["-m", module]
            self.module = module
            self.used = set()
        self.used.add(option)
        self.words += [*(["!"] if negate else []), option, *([value] if value else [])]

    def _match(self, match: Match) -> None:
        field, values, negate = match.field, match.values, match.negate
        bang = ["!"] if negate else []
        if field in _PORT_LISTS:
            self._ports(match)
        elif field in _LISTS or field.endswith(("-type-in", "-type-out")):
            if field not in _LISTS:
                self._extension(field, ",".join(values), negate=negate)
                return
            self._option(*_OPTIONS[field], ",".join(values), negate=negate)
        elif len(values) != 1:
            msg = f"iptables has no list of alternatives for {field}"
            raise CannotRenderError(msg)
        elif field in {"saddr", "daddr"} and ("-" in values[0] or "/" not in values[0]):
            option = "--src-range" if field == "saddr" else "--dst-range"
            self._option("iprange", option, values[0], negate=negate)
        elif field in _BASE or field in {"proto", "fragment"}:
            self.module = ""
            self.words += bang
            self._base(field, values[0], negate=negate)
        else:
            self._extension(field, values[0], negate=negate)

    def _base(self, field: str, value: str, *, negate: bool) -> None:
        if field == "fragment":
            self.words.append("-f")
        elif field == "proto":
            self.proto = "" if negate else value
            self.words += ["-p", _PROTOCOLS.get(value, value)]
        else:
            self.words += [_BASE[field], quote(value) if " " in value else value]

    def _extension(self, field: str, value: str, *, negate: bool) -> None:
        if self._together(field, value, negate=negate):
            self.module = ""
        elif field == "tcp-flags":
            self._option("tcp", "--tcp-flags", value.replace("/", " ", 1), negate=negate)
        elif field == "icmp-type":
            six = self.proto == "icmpv6"
            self._option("icmp6" if six else "icmp", "--icmpv6-type" if six else "--icmp-type", value, negate=negate)
        elif field == "ttl":
            self._hop_limit(value, negate=negate)
        elif field == "physdev":
            self._option("physdev", f"--physdev-is-{value}", "", negate=negate)
        elif field in _MARKS:
            self._option(*_OPTIONS[field], value.removesuffix("/0xffffffff"), negate=negate)
        elif field == "ctproto":
            self._option(*_OPTIONS[field], protocol_number(value), negate=negate)
        elif field in _CONNTRACK_ADDRESSES:
            self._option(*_OPTIONS[field], value.removesuffix("/128" if ":" in value else "/32"), negate=negate)
        elif field in _OPTIONS:
            self._option(*_OPTIONS[field], value, negate=negate)
        else:
            msg = f"iptables has no match for {field}"
            raise CannotRenderError(msg)

    def _together(self, field: str, value: str, *, negate: bool) -> bool:
        """Write a match whose options say one thing together; False for any other."""
        if field.endswith(("-type-in", "-type-out")):
            kind, _, end = field.rpartition("-")
            self.module = ""  # the limit is for all types of one match
            self._option("addrtype", f"--{kind}", value, negate=negate)
            self.words.append(f"--limit-iface-{end}")
        elif field == "rpfilter":
            flags = {"loose": "--loose", "mark": "--validmark", "local": "--accept-local"}
            options = [flags[word] for word in value.split("+") if word in flags] + (["--invert"] if negate else [])
            self.words += ["-m", "rpfilter", *options]
        elif field == "ipsec":
            self.words += ["-m", "policy", "--dir", value, "--pol", "none" if negate else "ipsec"]
        elif field == "owner-socket":
            self._option("owner", "--socket-exists", "", negate=negate)
        elif field == "recent":
            name, side, mask, verb, *options = value.split(" ")
            self.words += ["-m", "recent", *(["!"] if negate else []), f"--{'rcheck' if verb == 'check' else verb}"]
            self.words += [word for option in options for word in _recent_option(option)]
            self.words += ["--name", name, "--mask", mask, "--rsource" if side == "src" else "--rdest"]
            self.updated = verb != "check"
        else:
            return False
        return True

    def _ports(self, match: Match) -> None:
        if len(match.values) == 1 and match.field != "port" and self.proto in _SINGLE_PORT:
            self._option(self.proto, f"--{match.field}", match.values[0], negate=match.negate)
        else:
            self._option("multiport", _PORT_LISTS[match.field], ",".join(match.values), negate=match.negate)

    def _hop_limit(self, value: str, *, negate: bool) -> None:
        name = "hl" if self.family == "ip6" else "ttl"
        low, colon, high = value.partition(":")
        option, number = "eq", low
        if colon and low == "0":
            option, number = "lt", str(int(high) + 1)
        elif colon and high == "255":
            option, number = "gt", str(int(low) - 1)
        elif colon:
            msg = "iptables has no range of hop limits"
            raise CannotRenderError(msg)
        self._option(name, f"--{name}-{option}", number, negate=negate)
        self.module = ""


def _recent_option(option: str) -> list[str]:
    name, _, value = option.partition("=")
    return ["--rttl"] if name == "ttl" else [f"--{name}", value]


def _remember(expr: Remember) -> list[str]:
    if expr.kind == "recent":
        side, mask = expr.key
        return [
            "-m",
            "recent",
            "--set",
            "--name",
            expr.name,
            "--mask",
            mask,
            "--rsource" if side == "src" else "--rdest",
        ]
    if expr.kind != "ipset":
        msg = "not written here"
        raise CannotRenderError(msg)
    return ["-j", "SET", "--del-set" if expr.remove else "--add-set", expr.name, ",".join(expr.key)]


def _target(expr: Verdict | Nat | SetMark | NoTrack) -> list[str]:
    if isinstance(expr, NoTrack):
        return ["-j", "CT", "--notrack"]
    if isinstance(expr, SetMark):
        return ["-j", *_mark(expr)]
    if isinstance(expr, Nat):
        return ["-j", *_nat(expr)]
    if expr.kind in {"jump", "goto"}:
        return ["-j" if expr.kind == "jump" else "-g", expr.chain]
    if expr.kind == "continue":
        return []
    return ["-j", expr.kind.upper(), *(["--reject-with", expr.reject_with] if expr.reject_with else [])]


def _mark(expr: SetMark) -> list[str]:
    if expr.op == "set":
        return ["MARK" if expr.where == "meta" else "CONNMARK", "--set-xmark", f"{expr.value:#x}/{expr.mask:#x}"]
    if expr.source_mask is not None:
        msg = "two masks are not written here"
        raise CannotRenderError(msg)
    masks = ["--nfmask", f"{expr.mask:#x}", "--ctmask", f"{expr.mask:#x}"]
    return ["CONNMARK", f"--{expr.op}-mark", *masks]


def _nat(expr: Nat) -> list[str]:
    flags = [f"--{flag}" for flag in expr.flags]
    if expr.kind == "netmap":
        return ["NETMAP", "--to", expr.addresses]
    if expr.kind in {"masquerade", "redirect"}:
        return [expr.kind.upper(), *(["--to-ports", expr.ports] if expr.ports else []), *flags]
    addresses = f"[{expr.addresses}]" if expr.ports and ":" in expr.addresses else expr.addresses
    to = f"{addresses}:{expr.ports}" if expr.ports else addresses
    return [expr.kind.upper(), "--to-destination" if expr.kind == "dnat" else "--to-source", to, *flags]
