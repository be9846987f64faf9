"""iptables' targets, compiled into the rule model.  Pure.

A target that can't be said exactly stays opaque: the packet walk then knows
that the rule does *something* when it is reached, not what.

Sources: iptables-extensions(8), the kernel's xt_*.c targets.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Collection
from typing import Literal

from dnet_tui.inspect.errors import CannotModelError
from dnet_tui.inspect.iptables.matches import address_range
from dnet_tui.inspect.iptables.save_grammar import RuleSyntaxError, masked, number
from dnet_tui.inspect.model.firewall import AnyExpr, Nat, Note, NoTrack, Opaque, SetMark, Verdict
from dnet_tui.inspect.text.number_ranges import PORTS, parse_range

_ALL = 0xFFFFFFFF
_NAT_FLAGS = {"--random": "random", "--random-fully": "random-fully", "--persistent": "persistent"}

NOTES = frozenset(
    {
        "AUDIT",
        "CHECKSUM",
        "CLASSIFY",
        "CONNSECMARK",
        "DSCP",
        "ECN",
        "IDLETIMER",
        "LED",
        "LOG",
        "NFLOG",
        "RATEEST",
        "SECMARK",
        "TCPMSS",
        "TCPOPTSTRIP",
        "TEE",
        "TOS",
        "TRACE",
        "ULOG",
    }
)
"""Targets after which the packet goes on to the next rule, with nothing changed that a rule of the model can see."""

_VERDICTS = {
    "ACCEPT": Verdict(kind="accept"),
    "DROP": Verdict(kind="drop"),
    "RETURN": Verdict(kind="return"),
    "QUEUE": Verdict(kind="queue"),
}


def compile_target(name: str, options: list[str], raw: str, chains: Collection[str]) -> AnyExpr:
    """Compile ``-j NAME OPTIONS``.

    Args:
        name: the target, or a chain of the same table.
        options: the words that follow it.
        raw: the same as written, from ``-j`` on, for what stays opaque.
        chains: the names of the table's chains.

    Raises:
        RuleSyntaxError: a plain verdict or a jump with options.
    """
    plain = _VERDICTS.get(name) or (Verdict(kind="jump", chain=name) if name in chains else None)
    if plain is not None:
        if options:
            msg = f"{name} takes no options"
            raise RuleSyntaxError(msg)
        return plain
    if name in NOTES:
        return Note(text=raw)
    build = _TARGETS.get(name)
    if build is not None:
        try:
            return build(options, raw)
        except CannotModelError:
            pass
    return Opaque(text=raw, role="target")


def _pairs(options: list[str], arity: dict[str, int]) -> dict[str, str]:
    """The options as a mapping; CannotModelError for one that isn't in ``arity``, is doubled or lacks its value."""
    found: dict[str, str] = {}
    words = iter(options)
    for word in words:
        value = next(words, None) if arity.get(word) == 1 else ""
        if word not in arity or word in found or value is None:
            msg = f"{word!r} is not modelled"
            raise CannotModelError(msg)
        found[word] = value
    return found


def _reject(options: list[str], _: str) -> AnyExpr:
    return Verdict(kind="reject", reject_with=_pairs(options, {"--reject-with": 1}).get("--reject-with", ""))


def _ports(text: str) -> str:
    span = parse_range(text, PORTS, separators="-")
    if span is None or not span.low <= span.high <= PORTS or text.startswith("-") or text.endswith("-"):
        # Among them ``1000-2000/3000``, which shifts by a base port.
        msg = f"{text!r} is not a port or a range of ports"
        raise CannotModelError(msg)
    return text


def _destination(text: str) -> tuple[str, str]:
    """Split ``ADDRESSES[:PORTS]``, with IPv6 in brackets when ports follow."""
    if text.startswith("["):
        addresses, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            msg = f"{text!r} is not an address"
            raise CannotModelError(msg)
        ports = rest[1:]
    elif text.count(":") > 1:
        addresses, ports = text, ""
    else:
        addresses, _, ports = text.partition(":")
    if not addresses and not ports:
        msg = "neither addresses nor ports"
        raise CannotModelError(msg)
    return (address_range(addresses) if addresses else ""), (_ports(ports) if ports else "")


def _translation(kind: Literal["dnat", "snat"], where: str) -> Callable[[list[str], str], AnyExpr]:
    def build(options: list[str], _: str) -> AnyExpr:
        found = _pairs(options, {where: 1} | dict.fromkeys(_NAT_FLAGS, 0))
        if where not in found:
            msg = f"{where} is missing"
            raise CannotModelError(msg)
        addresses, ports = _destination(found[where])
        return Nat(kind=kind, addresses=addresses, ports=ports, flags=_flags(found))

    return build


def _flags(found: dict[str, str]) -> tuple[str, ...]:
    return tuple(name for option, name in _NAT_FLAGS.items() if option in found)


def _masquerade(options: list[str], _: str) -> AnyExpr:
    found = _pairs(options, {"--to-ports": 1, "--random": 0, "--random-fully": 0})
    ports = _ports(found["--to-ports"]) if "--to-ports" in found else ""
    return Nat(kind="masquerade", ports=ports, flags=_flags(found))


def _redirect(options: list[str], _: str) -> AnyExpr:
    found = _pairs(options, {"--to-ports": 1, "--random": 0})
    ports = _ports(found["--to-ports"]) if "--to-ports" in found else ""
    return Nat(kind="redirect", ports=ports, flags=_flags(found))


def _netmap(options: list[str], _: str) -> AnyExpr:
    text = _pairs(options, {"--to": 1}).get("--to", "")
    try:
        return Nat(kind="netmap", addresses=str(ipaddress.ip_network(text)))
    except ValueError as error:
        msg = f"{text!r} is not a network"
        raise CannotModelError(msg) from error


def _single(options: list[str]) -> tuple[str, str]:
    if len(options) != 2:
        msg = "more than one option"
        raise CannotModelError(msg)
    return options[0], options[1]


def _xmark(option: str, text: str) -> tuple[int, int] | None:
    """(value, mask) of ``(old & ~mask) ^ value`` for the options that MARK and CONNMARK share."""
    value, mask = masked(text)
    forms = {
        "--set-xmark": (value, mask),
        # "Zeroes the bits of mask and ORs value": the bits of value are then set whatever they were.
        "--set-mark": (value, mask | value),
        "--or-mark": (value, value),
        "--and-mark": (0, ~value & _ALL),
        "--xor-mark": (value, 0),
    }
    if "/" in text and option not in {"--set-xmark", "--set-mark"}:
        return None
    return forms.get(option)


def _mark(options: list[str], _: str) -> AnyExpr:
    option, text = _single(options)
    form = _xmark(option, text)
    if form is None:
        msg = f"{option!r} is not modelled"
        raise CannotModelError(msg)
    return SetMark(where="meta", value=form[0], mask=form[1])


def _connmark(options: list[str], _: str) -> AnyExpr:
    if options[:1] in (["--save-mark"], ["--restore-mark"]):
        found = _pairs(options[1:], {"--nfmask": 1, "--ctmask": 1, "--mask": 1})
        masks = {number(value) for value in found.values()} or {_ALL}
        if len(masks) > 1 or ({"--nfmask", "--ctmask"} & set(found) and len(found) != 2):
            # Two masks move bits from one place to another.
            msg = "different masks"
            raise CannotModelError(msg)
        if options[0] == "--save-mark":
            return SetMark(where="ct", op="save", mask=masks.pop())
        return SetMark(where="meta", op="restore", mask=masks.pop())
    option, text = _single(options)
    form = _xmark(option, text)
    if form is None:
        msg = f"{option!r} is not modelled"
        raise CannotModelError(msg)
    return SetMark(where="ct", value=form[0], mask=form[1])


def _ct(options: list[str], raw: str) -> AnyExpr:
    if options == ["--notrack"]:
        return NoTrack()
    if not {"--notrack", "--zone", "--zone-orig", "--zone-reply"} & set(options):
        # Helpers, events and timeouts: the packet goes on, tracked as it would be.
        return Note(text=raw)
    msg = "zones are not modelled"
    raise CannotModelError(msg)


def _notrack(options: list[str], raw: str) -> AnyExpr:
    return Opaque(text=raw, role="target") if options else NoTrack()


def _set(options: list[str], raw: str) -> AnyExpr:
    if {"--add-set", "--del-set"} & set(options[:1]) and "--map-set" not in options:
        return Note(text=raw)
    # --map-set copies marks out of the set.
    msg = "only adding to sets and deleting from them is modelled"
    raise CannotModelError(msg)


def _hop_limit(options: list[str], raw: str) -> AnyExpr:
    option, text = _single(options)
    if option in {"--ttl-inc", "--hl-inc"} or (option in {"--ttl-set", "--hl-set"} and number(text, 255) > 1):
        return Note(text=raw)
    # A packet whose TTL falls to 1 or 0 dies when it is forwarded.
    msg = f"{option!r} can end a packet's way"
    raise CannotModelError(msg)


_TARGETS: dict[str, Callable[[list[str], str], AnyExpr]] = {
    "REJECT": _reject,
    "DNAT": _translation("dnat", "--to-destination"),
    "SNAT": _translation("snat", "--to-source"),
    "MASQUERADE": _masquerade,
    "REDIRECT": _redirect,
    "NETMAP": _netmap,
    "MARK": _mark,
    "CONNMARK": _connmark,
    "CT": _ct,
    "NOTRACK": _notrack,
    "SET": _set,
    "TTL": _hop_limit,
    "HL": _hop_limit,
}
