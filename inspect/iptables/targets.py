"""iptables' targets, compiled into the rule model.  Pure.

A target that can't be said exactly stays opaque: the packet walk then knows
that the rule does *something* when it is reached, not what.

Sources: iptables-extensions(8), the kernel's xt_*.c targets; iptables' print functions.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Collection
from typing import Literal

from dnet_tui.inspect.errors import CannotModelError
from dnet_tui.inspect.iptables.matches import address_range
from dnet_tui.inspect.iptables.packet_targets import PACKET_TARGETS
from dnet_tui.inspect.iptables.save_grammar import RuleSyntaxError, masked, number
from dnet_tui.inspect.iptables.target_options import pairs, single
from dnet_tui.inspect.model.firewall import (
    AnyExpr,
    Nat,
    Note,
    NoTrack,
    Opaque,
    Remember,
    SetMark,
    SetZone,
    Verdict,
)
from dnet_tui.inspect.text.number_ranges import PORTS, parse_range

_ALL = 0xFFFFFFFF
_ZONES: dict[str, Literal["", "original", "reply"]] = {"--zone": "", "--zone-orig": "original", "--zone-reply": "reply"}
_LAST_ZONE = 0xFFFF
_NAT_FLAGS = {"--random": "random", "--random-fully": "random-fully", "--persistent": "persistent"}

NOTES = frozenset(
    {
        "AUDIT",
        "CHECKSUM",
        "CONNSECMARK",
        "ECN",
        "IDLETIMER",
        "LED",
        "LOG",
        "NFLOG",
        "RATEEST",
        "SECMARK",
        "TCPOPTSTRIP",
        "TEE",
        "TRACE",
        "ULOG",
    }
)
"""Targets after which the packet goes on to the next rule, with nothing changed that a rule of the model can see."""

_VERDICTS = {
    "ACCEPT": Verdict(kind="accept"),
    "DROP": Verdict(kind="drop"),
    "RETURN": Verdict(kind="return"),
    "QUEUE": Verdict(kind="queue", queues="0"),
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
        except (CannotModelError, ValueError):
            pass
    return Opaque(text=raw, role="target")


def _reject(options: list[str], _: str) -> AnyExpr:
    return Verdict(kind="reject", reject_with=pairs(options, {"--reject-with": 1}).get("--reject-with", ""))


def _base_port(text: str) -> tuple[str, int | None]:
    """Split ``1000-2000/3000``, which shifts port 3000 to 1000 and so on."""
    ports, slash, base = text.partition("/")
    return _ports(ports), number(base, PORTS) if slash else None


def _ports(text: str) -> str:
    span = parse_range(text, PORTS, separators="-")
    if span is None or not span.low <= span.high <= PORTS or text.startswith("-") or text.endswith("-"):
        msg = f"{text!r} is not a port or a range of ports"
        raise CannotModelError(msg)
    return text


def _destination(text: str) -> tuple[str, str, int | None]:
    """Split ``ADDRESSES[:PORTS[/BASE]]``, with IPv6 in brackets when ports follow."""
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
    return (address_range(addresses) if addresses else ""), *(_base_port(ports) if ports else ("", None))


def _translation(kind: Literal["dnat", "snat"], where: str) -> Callable[[list[str], str], AnyExpr]:
    def build(options: list[str], _: str) -> AnyExpr:
        found = pairs(options, {where: 1} | dict.fromkeys(_NAT_FLAGS, 0))
        if where not in found:
            msg = f"{where} is missing"
            raise CannotModelError(msg)
        addresses, ports, base = _destination(found[where])
        return Nat(kind=kind, addresses=addresses, ports=ports, flags=_flags(found), base=base)

    return build


def _flags(found: dict[str, str]) -> tuple[str, ...]:
    return tuple(name for option, name in _NAT_FLAGS.items() if option in found)


def _masquerade(options: list[str], _: str) -> AnyExpr:
    found = pairs(options, {"--to-ports": 1, "--random": 0, "--random-fully": 0})
    ports = _ports(found["--to-ports"]) if "--to-ports" in found else ""
    return Nat(kind="masquerade", ports=ports, flags=_flags(found))


def _redirect(options: list[str], _: str) -> AnyExpr:
    found = pairs(options, {"--to-ports": 1, "--random": 0})
    ports = _ports(found["--to-ports"]) if "--to-ports" in found else ""
    return Nat(kind="redirect", ports=ports, flags=_flags(found))


def _netmap(options: list[str], _: str) -> AnyExpr:
    text = pairs(options, {"--to": 1}).get("--to", "")
    try:
        return Nat(kind="netmap", addresses=str(ipaddress.ip_network(text)))
    except ValueError as error:
        msg = f"{text!r} is not a network"
        raise CannotModelError(msg) from error


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
    option, text = single(options)
    form = _xmark(option, text)
    if form is None:
        msg = f"{option!r} is not modelled"
        raise CannotModelError(msg)
    return SetMark(where="meta", value=form[0], mask=form[1])


def _connmark(options: list[str], _: str) -> AnyExpr:
    if options[:1] in (["--save-mark"], ["--restore-mark"]):
        found = pairs(options[1:], {"--nfmask": 1, "--ctmask": 1, "--mask": 1})
        both = number(found["--mask"]) if "--mask" in found else _ALL
        packet, connection = (number(found[name]) if name in found else both for name in ("--nfmask", "--ctmask"))
        saves = options[0] == "--save-mark"
        # Copied are the bits of the source's mask, cleared before are those of the other's (connmark_tg_shift).
        into, out_of = (connection, packet) if saves else (packet, connection)
        return SetMark(
            where="ct" if saves else "meta",
            op="save" if saves else "restore",
            mask=into,
            source_mask=None if into == out_of else out_of,
        )
    option, text = single(options)
    form = _xmark(option, text)
    if form is None:
        msg = f"{option!r} is not modelled"
        raise CannotModelError(msg)
    return SetMark(where="ct", value=form[0], mask=form[1])


def _ct(options: list[str], raw: str) -> AnyExpr:
    if options == ["--notrack"]:
        return NoTrack()
    found = pairs(options, dict.fromkeys((*_ZONES, "--helper", "--timeout", "--ctevents", "--expevents"), 1))
    zones = [name for name in _ZONES if name in found]
    if not zones:
        # Helpers, events, timeouts: it is tracked as it would be, and no later rule says otherwise (xt_ct_target).
        return SetZone(zone=0, text=raw)
    text = found[zones[0]]
    return SetZone(zone=number(text, _LAST_ZONE) if text != "mark" else None, direction=_ZONES[zones[0]])


def _notrack(options: list[str], raw: str) -> AnyExpr:
    return Opaque(text=raw, role="target") if options else NoTrack()


def _set(options: list[str], _: str) -> AnyExpr:
    found = _pairs_of_two(options)
    if len(found) == 1:
        ((verb, (name, dirs)),) = found.items()
        if verb in {"--add-set", "--del-set"}:
            return Remember(kind="ipset", name=name, key=tuple(dirs.split(",")), remove=verb == "--del-set")
        if verb == "--map-set" and "--map-mark" in options and "--map-prio" not in options:
            return SetMark(op="unknown")
    msg = "only one set, and no priority out of it, is modelled"
    raise CannotModelError(msg)


def _pairs_of_two(options: list[str]) -> dict[str, tuple[str, str]]:
    """The options that name a set and directions."""
    return {
        word: (options[at + 1], options[at + 2])
        for at, word in enumerate(options)
        if word in {"--add-set", "--del-set", "--map-set"} and at + 2 < len(options)
    }


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
    **PACKET_TARGETS,
}

MODELLED_TARGETS = frozenset({*_VERDICTS, *_TARGETS, *NOTES})
"""The targets whose effect is known."""
