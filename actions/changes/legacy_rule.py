"""A rule's text as python-iptables' dictionary, for the rules that it writes exactly.  Pure.

The dictionary has the form of ``iptc.easy``: base conditions by name, each
match with its options, and ``target``.  Negated values begin with ``!``.

Only what python-iptables is known to write as iptables itself would is mapped,
byte for byte in the kernel's table: what looks the same in ``iptables-save``
need not be the same.  Left out on purpose, since 1.2 gets them wrong:

* interfaces and negated protocols of IPv6: it gives the kernel a mask that
  compares one bit of each letter, and drops the condition;
* patterns of interfaces, whose ``+`` it drops (harmless, but not the same);
* comments that its own reading of ``iptables-save``'s quoting would alter.
"""

from __future__ import annotations

import ipaddress
import re

from dnet_tui.inspect.errors import CannotModelError
from dnet_tui.inspect.iptables.matches import IMPLIED, MATCHES, network, proto_name
from dnet_tui.inspect.iptables.rule import ANY_PROTOCOL, BASE, SECTION
from dnet_tui.inspect.iptables.save_grammar import RuleSyntaxError, split_words
from dnet_tui.inspect.iptables.targets import compile_target
from dnet_tui.inspect.model.firewall import AnyExpr, Match, Nat, Opaque, SetMark, Verdict
from dnet_tui.inspect.model.protocols import protocol_number

RuleOptions = dict[str, list[str]]
EasyRule = dict[str, str | RuleOptions | dict[str, str | RuleOptions]]
"""``{"src": "!10.0.0.0/8", "tcp": {"dport": ["80"]}, "target": {"REJECT": {"reject-with": ["tcp-reset"]}}}``."""

BASE_NAMES = {
    "saddr": "src",
    "daddr": "dst",
    "iif": "in-interface",
    "oif": "out-interface",
    "proto": "protocol",
}
"""python-iptables' names of the base conditions, in the order in which iptables prints them."""

_PORTS = {"--sport": "sport", "--source-port": "sport", "--dport": "dport", "--destination-port": "dport"}
_MAPPED: dict[str, dict[str, str]] = {
    "tcp": _PORTS | {"--tcp-flags": "tcp-flags"},
    "udp": _PORTS,
    "multiport": {
        "--sports": "sports",
        "--source-ports": "sports",
        "--dports": "dports",
        "--destination-ports": "dports",
        "--ports": "ports",
    },
    "icmp": {"--icmp-type": "icmp-type"},
    "conntrack": {"--ctstate": "ctstate"},
    "state": {"--state": "state"},
    "mark": {"--mark": "mark"},
    "addrtype": {"--src-type": "src-type", "--dst-type": "dst-type"},
    "comment": {"--comment": "comment"},
}
"""The options that are mapped, by their match."""

_BARE = frozenset({"tcp", "udp"})
_UNORDERED = frozenset({"ctstate", "state", "src-type", "dst-type"})
_REJECT_DEFAULT = {"ip": "icmp-port-unreachable", "ip6": "icmp6-port-unreachable"}
_NAT = {
    "dnat": ("DNAT", "to-destination"),
    "snat": ("SNAT", "to-source"),
    "masquerade": ("MASQUERADE", "to-ports"),
    "redirect": ("REDIRECT", "to-ports"),
}
_PLAIN = {"accept": "ACCEPT", "drop": "DROP", "return": "RETURN"}
_INTERFACE = re.compile(r"(?!!)[!-~]{0,14}[!-*,-~]", re.ASCII)
"""A name without a pattern's ``+`` at its end, nor the ``!`` at its start that would negate it."""
_COMMENT = re.compile(r"(?!--|!$)[ -&(-~]{1,255}", re.ASCII)
"""Printable ASCII without apostrophes: iptables escapes those, and python-iptables takes the backslash for text."""


class _NotExactError(Exception):
    """The rule has something that isn't mapped."""


def easy_rule(text: str, family: str) -> EasyRule | None:
    """Return the rule as python-iptables' dictionary, None when it can't write it exactly.

    Two texts with the same dictionary mean the same: values are normalised.

    Args:
        text: the rule without ``-A CHAIN`` and counters, as iptables-save prints it or as typed.
        family: ``ip`` or ``ip6``.
    """
    try:
        return _Mapper(text, family).map()
    except (_NotExactError, CannotModelError, RuleSyntaxError):
        return None


def same_meaning(one: str, other: str, family: str) -> bool:
    """True when two texts are one rule to python-iptables: same conditions, matches in the same order, same target."""
    first, second = easy_rule(one, family), easy_rule(other, family)
    return first is not None and second is not None and list(first.items()) == list(second.items())


class _Mapper:
    """The words of one rule and the place that has been reached."""

    def __init__(self, text: str, family: str) -> None:
        self.words, self.raws = split_words(text)
        self.text, self.family = text, family
        self.at = 0
        self.base: dict[str, str] = {}
        self.matches: dict[str, RuleOptions] = {}
        self.implied: list[str] = []

    def map(self) -> EasyRule:
        target: str | dict[str, str | RuleOptions] = ""
        while self.at < len(self.words) and not target:
            word = self._option()
            if word in {"-j", "--jump", "-g", "--goto"}:
                target = self._target(goto=word in {"-g", "--goto"})
            elif word in {"-m", "--match"}:
                self._match(self._bare())
            else:
                self._condition(word)
        if not target or self.at < len(self.words):
            raise _NotExactError
        ordered = {name: self.base[name] for name in BASE_NAMES.values() if name in self.base}
        return {**ordered, **self.matches, "target": target}

    def _bare(self) -> str:
        """Take a word that was written without quotes."""
        if self.at >= len(self.words) or self.raws[self.at] != self.words[self.at]:
            raise _NotExactError
        self.at += 1
        return self.words[self.at - 1]

    def _option(self) -> str:
        """Take an option; a ``!`` before it stays to be asked for by :meth:`_negated`."""
        word = self._bare()
        return self._bare() if word == "!" else word

    def _negated(self) -> bool:
        """Whether the option just taken had a ``!`` before it."""
        return self.at >= 2 and self.raws[self.at - 2] == "!"

    def _condition(self, option: str) -> None:
        negated = self._negated()
        if option in BASE:
            self._base(BASE[option], negated=negated)
            return
        # The option of a match that -p implies: read on as if the match were named here.
        module = next((name for name in self.implied if option in _MAPPED[name]), None)
        if module is None:
            raise _NotExactError
        self.at -= 2 if negated else 1
        self._match(module)

    def _base(self, field: str, *, negated: bool) -> None:
        name = BASE_NAMES.get(field)
        if name is None or name in self.base:
            raise _NotExactError
        value = self._bare()
        if field in {"saddr", "daddr"}:
            value = self._network(value)
        elif field == "proto":
            value = self._protocol(value, negated=negated)
        elif self.family != "ip" or not _INTERFACE.fullmatch(value):
            raise _NotExactError
        if value:
            self.base[name] = f"!{value}" if negated else value
        elif negated:
            raise _NotExactError

    def _network(self, text: str) -> str:
        """The network in CIDR form; empty for "any"."""
        try:
            net = ipaddress.ip_network(network(text))
        except ValueError:
            raise _NotExactError from None  # under a mask that is no prefix
        if (net.version == 6) != (self.family == "ip6"):
            raise _NotExactError
        return str(net) if net.prefixlen else ""

    def _protocol(self, text: str, *, negated: bool) -> str:
        """The protocol's number: python-iptables knows other names than iptables.  Empty for "any"."""
        if text in ANY_PROTOCOL:
            return ""
        name = proto_name(text)
        number = protocol_number(name)
        if not number.isdecimal() or (negated and self.family != "ip"):
            raise _NotExactError
        if not negated and IMPLIED.get(name) in _MAPPED:
            self.implied.append(IMPLIED[name])
        return number

    def _match(self, module: str) -> None:
        if module not in _MAPPED or module in self.matches:
            raise _NotExactError
        options: RuleOptions = {}
        while self.at < len(self.words):
            negated = self.raws[self.at] == "!"
            option = self.raws[self.at + negated] if self.at + negated < len(self.words) else ""
            if option in BASE or option in SECTION:
                break
            name = _MAPPED[module].get(option)
            if name is None or name in options:
                raise _NotExactError
            self.at += 1 + negated
            values = self._values(module, option, negated=negated)
            options[name] = ["!", *values] if negated else values
        if not options and module not in _BARE:
            raise _NotExactError
        self.matches[module] = options

    def _values(self, module: str, option: str, *, negated: bool) -> list[str]:
        if option == "--comment":
            if negated or self.at >= len(self.words) or not _COMMENT.fullmatch(self.words[self.at]):
                raise _NotExactError
            self.at += 1
            return [self.words[self.at - 1]]
        known = MATCHES[module][option]
        expr = known.compile([self._bare() for _ in range(known.arity)], negated)
        if not isinstance(expr, Match):
            raise _NotExactError
        if option == "--tcp-flags":
            return expr.values[0].split("/")
        values = sorted(expr.values) if _MAPPED[module][option] in _UNORDERED else expr.values
        return [",".join(values)]

    def _target(self, *, goto: bool) -> str | dict[str, str | RuleOptions]:
        if self._negated():
            raise _NotExactError
        name = self._bare()
        options = [self._bare() for _ in range(len(self.words) - self.at)]
        if goto:
            if options:
                raise _NotExactError
            return {"goto": name}
        expr = compile_target(name, options, f"-j {name}", ())
        # A bare name that is no target of the model: a chain's, which whoever writes the rule has to check.
        return name if isinstance(expr, Opaque) and not options else self._action(expr)

    def _action(self, expr: AnyExpr) -> str | dict[str, str | RuleOptions]:
        match expr:
            case Verdict(kind="reject", reject_with=kind):
                return {"REJECT": {"reject-with": [kind or _REJECT_DEFAULT[self.family]]}}
            case Verdict(kind=kind) if kind in _PLAIN:
                return _PLAIN[kind]
            case SetMark(where="meta", op="set", value=value, mask=mask):
                return {"MARK": {"set-xmark": [f"{value:#x}/{mask:#x}"]}}
            case Nat(kind=kind) if kind in _NAT:
                return _translation(expr)
            case _:
                raise _NotExactError


def _translation(expr: Nat) -> str | dict[str, str | RuleOptions]:
    name, option = _NAT[expr.kind]
    where = f"[{expr.addresses}]" if ":" in expr.addresses and expr.ports else expr.addresses
    value = ":".join(filter(None, (where, expr.ports))) if where else f":{expr.ports}"
    if option == "to-ports":
        value = expr.ports
    options: RuleOptions = {option: [value]} if value else {}
    options |= {flag: [] for flag in sorted(expr.flags)}
    return {name: options} if options else name
