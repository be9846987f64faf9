"""nftables' statements, compiled into the rule model.  Pure.

Sources: nft(8); the kernel's nft_nat.c, nft_masq.c, nft_redir.c, nft_meta.c,
nft_ct.c, nft_dynset.c, nft_reject.c.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from typing import Literal

from dnet_tui.inspect.model.firewall import (
    AnyExpr,
    Match,
    Nat,
    Note,
    NoTrack,
    Opaque,
    Remember,
    SetMark,
    TransparentProxy,
    Verdict,
)
from dnet_tui.inspect.nftables.conditions import Context, choice, element_fields
from dnet_tui.inspect.nftables.field_changes import change_of
from dnet_tui.inspect.nftables.fields import IPV4, IPV6, TRACKED, needs_to_change
from dnet_tui.inspect.nftables.marks import MarkLocation, has_mark_key, set_mark, uses_connection
from dnet_tui.inspect.nftables.names import REJECTS
from dnet_tui.inspect.nftables.render import statement as shown
from dnet_tui.inspect.nftables.shapes import verdict
from dnet_tui.inspect.nftables.stateful import STATEFUL, stateful
from dnet_tui.inspect.text.json_access import (
    MALFORMED,
    Json,
    array,
    fail,
    flag_words,
    mapping,
    several,
    single,
    whole,
    word,
)
from dnet_tui.inspect.text.number_ranges import NumberRange

Compiled = tuple[AnyExpr, ...]
CompileStatement = Callable[[str, Json, Context, bool], Compiled]

_NAT_FLAGS = {"random": "random", "fully-random": "random-fully", "persistent": "persistent"}

NOTES = frozenset({"log", "counter", "last", "ct helper", "ct timeout", "ct expectation", "secmark", "dup", "reset"})
"""Statements after which the rule goes on, with nothing changed that a rule of the model can see."""

_QUIET_META = frozenset({"nftrace", "secmark"})
_QUIET_CT = frozenset({"event", "secmark"})


def compile_statement(name: str, body: Json, context: Context, *, last: bool) -> Compiled:
    """Compile one statement.

    Args:
        name: the statement's name, as in ``{"snat": …}``.
        body: its value.
        context: its table's family and sets.
        last: whether nothing after it in the rule has an effect.

    Raises:
        CannotModelError: it isn't modelled.
    """
    if name in NOTES:
        needs = needs_to_change(body, context.family) if name == "reset" and not last else ()
        return (*needs, Note(text=shown({name: body})))
    build = STATEMENTS.get(name)
    if build is None:
        raise fail(f"{name} isn't modelled")
    return build(name, body, context, last)


def _verdict(name: str, body: Json, _context: Context, _last: bool) -> Compiled:  # noqa: FBT001  one signature for all
    return (verdict({name: body}),)


def _reject(_name: str, body: Json, _context: Context, _last: bool) -> Compiled:  # noqa: FBT001  one signature for all
    if body is None:
        return (Verdict(kind="reject"),)
    found = mapping(body)
    kind, what = found.get("type"), found.get("expr")
    if kind is None:
        return (Verdict(kind="reject"),)
    if kind == "tcp reset":
        return (Verdict(kind="reject", reject_with="tcp-reset"),)
    if kind == "icmpx":
        return (Verdict(kind="reject", reject_with=f"icmpx-{word(what)}"),)
    return (Verdict(kind="reject", reject_with=REJECTS[word(kind), word(what)]),)


def _nat(name: str, body: Json, context: Context, last: bool) -> Compiled:  # noqa: FBT001  one signature for all
    found = mapping(body) if body is not None else {}
    kind: Literal["snat", "dnat", "masquerade", "redirect", "netmap"]
    kind = (
        "snat" if name == "snat" else "dnat" if name == "dnat" else "redirect" if name == "redirect" else "masquerade"
    )
    flags = flag_words(found.get("flags"))
    chosen = [part for part in ("addr", "port") if isinstance(raw := found.get(part), dict) and "map" in raw]
    if chosen:
        return _nat_by_map(kind, found, chosen[0], context, last=last)
    addresses, ports = "", _ports(found["port"]) if "port" in found else ""
    if "addr" in found:
        addresses = _addresses(found["addr"])
        if "/" in addresses and found.get("type_flags") is None:
            net = ipaddress.ip_network(addresses)
            addresses = f"{net[0]}-{net[-1]}"  # nft prints a range that is a prefix as one
        elif "/" in addresses:
            kind, flags = "netmap", tuple(item for item in flags if item != "netmap")
    nat = Nat(kind=kind, addresses=addresses, ports=ports, flags=tuple(_NAT_FLAGS[item] for item in flags))
    if found.get("type_flags") not in ({"prefix"} if kind == "netmap" else {None}):
        raise fail("a way of choosing addresses that isn't modelled")
    return _for_family(nat, found.get("family"), context, last=last)


def _nat_by_map(
    kind: Literal["snat", "dnat", "masquerade", "redirect", "netmap"],
    found: Mapping[str, Json],
    part: str,
    context: Context,
    *,
    last: bool,
) -> Compiled:
    """A statement whose addresses or ports stand in a map; the other of the two is fixed."""
    needs, by = choice(mapping(found[part])["map"], context, "addresses" if part == "addr" else "ports")
    nat = Nat(
        kind=kind,
        addresses=_addresses(found["addr"]) if part == "port" and "addr" in found else "",
        ports=_ports(found["port"]) if part == "addr" and "port" in found else "",
        flags=tuple(_NAT_FLAGS[item] for item in flag_words(found.get("flags"))),
        choice=by,
    )
    if found.get("type_flags") not in {None, "interval"}:
        raise fail("a way of choosing addresses that isn't modelled")
    family = _for_family(nat, found.get("family"), context, last=last)
    return (*(need for need in needs if need not in family), *family)


def _for_family(nat: Nat, family: Json, context: Context, *, last: bool) -> Compiled:
    if family is None or context.family in {"ip", "ip6"}:
        return (nat,)
    # Packets of the other family go on with the rule: the same as a match that fails only if nothing follows.
    if family not in {"ip", "ip6"} or not last:
        raise fail("an address translation with statements after it")
    return (IPV4 if family == "ip" else IPV6, nat)


def _addresses(raw: Json) -> str:
    """One address, ``a-b``, or for a prefix a CIDR."""
    if not isinstance(raw, dict):
        return str(ipaddress.ip_address(word(raw)))
    name, body = single(raw)
    if name == "prefix":
        prefix = mapping(body)
        return str(ipaddress.ip_network(f"{word(prefix.get('addr'))}/{whole(prefix.get('len'), 128)}"))
    if name != "range":
        raise fail("addresses that are chosen by the packet")
    low, high = (ipaddress.ip_address(word(item)) for item in array(body))
    if low.version != high.version or int(low) > int(high):
        raise fail("not a range")
    return f"{low}-{high}"


def _ports(raw: Json) -> str:
    if not isinstance(raw, dict):
        return str(whole(raw, 0xFFFF))
    name, body = single(raw)
    low, high = (whole(item, 0xFFFF) for item in array(body))
    if name != "range" or low > high:
        raise fail("ports that are chosen by the packet")
    return NumberRange(low, high).text("-")


def _mangle(name: str, body: Json, context: Context, last: bool) -> Compiled:  # noqa: FBT001  one signature for all
    found = mapping(body)
    value = found.get("value")
    place = has_mark_key(body)
    if place is not None:
        return _mark(place, {name: body}, value, last=last)
    what, key = single(found.get("key"))
    needs = needs_to_change(found.get("key"), context.family)
    change = change_of(what, key, value)
    if change is not None:
        return (*needs, change)
    if _is_quiet(what, key):
        return (*needs, Note(text=shown({name: body})))
    raise fail("it changes something that rules can see")


def _mark(place: MarkLocation, statement: Json, value: Json, *, last: bool) -> Compiled:
    try:
        needs: Compiled = (TRACKED,) if uses_connection(value) and not (last and place == "ct") else ()
        return (*needs, *set_mark(place, value))
    except MALFORMED:
        # Of what it is made of something may be missing, and the rule ends there (NFT_BREAK).
        unsure: Compiled = () if last else (Opaque(text=shown(statement)),)
        return (*unsure, SetMark(where=place, op="unknown"))


def _is_quiet(what: str, key: Json) -> bool:
    """Whether changing this changes nothing that a rule of the model can see."""
    found = mapping(key)
    if what == "meta":
        return found.get("key") in _QUIET_META
    if what == "ct":
        return found.get("key") in _QUIET_CT
    return what == "payload" and (found.get("protocol"), found.get("field")) == ("ip6", "flowlabel")


def _notrack(_name: str, _body: Json, _context: Context, _last: bool) -> Compiled:  # noqa: FBT001  one signature for all
    return (NoTrack(),)


def _update(name: str, body: Json, context: Context, _last: bool) -> Compiled:  # noqa: FBT001  one signature for all
    """``add @set { … }``: goes on, unless a limit in it says otherwise (or the set is full)."""
    found = mapping(body)
    if "op" not in found:
        raise fail("not a statement")
    needs, keys = element_fields(found.get("elem"), context)
    limits: list[AnyExpr] = []
    for item in several(found.get("stmt")):
        kind, limit = single(item)
        if kind in STATEFUL:
            limits.append(stateful(kind, limit, context.objects))
        elif kind not in {"counter", "last"}:
            limits.append(Opaque(text=shown({name: body})))
    kept = Remember(kind="set", name=word(found.get(name)).removeprefix("@"), key=keys, remove=found["op"] == "delete")
    return (*needs, kept, *limits)


def _meter(name: str, body: Json, context: Context, _last: bool) -> Compiled:  # noqa: FBT001  one signature for all
    """A limit for each element, in the words of former versions."""
    kind, limit = single(mapping(body).get("stmt"))
    if kind not in STATEFUL:
        raise fail(f"{name} without a limit")
    needs, _ = element_fields(mapping(body).get("key"), context)
    return (*needs, stateful(kind, limit, context.objects))


def _tproxy(_name: str, body: Json, context: Context, _last: bool) -> Compiled:  # noqa: FBT001  one signature for all
    """To a local socket; for packets of the other family the rule ends, as without a socket."""
    found = mapping(body)
    family = found.get("family")
    address = _addresses(found["addr"]) if "addr" in found else ""
    port = found.get("port")
    if isinstance(port, dict) or "-" in address or "/" in address:
        raise fail("a target that is chosen by the packet")
    needs = () if family is None or context.family in {"ip", "ip6"} else (IPV4 if family == "ip" else IPV6,)
    return (*needs, TransparentProxy(address=address, port="" if port is None else str(whole(port, 0xFFFF))))


def _flow(name: str, body: Json, _context: Context, last: bool) -> Compiled:  # noqa: FBT001  one signature for all
    """From then on the flow's packets take a short cut past the hooks.

    The rule ends here for whatever isn't handed over, a connection's first
    packet among them (``nft_flow_offload_eval``).
    """
    text = f"{shown({name: body})} (flow offload)"
    note = Note(text=text, offload=True)
    if last:
        return (note,)
    return (note, Match(field="ctstate", values=("ESTABLISHED", "RELATED")), Opaque(text=text))


def _xt(name: str, body: Json, _context: Context, _last: bool) -> Compiled:  # noqa: FBT001  one signature for all
    kind = mapping(body).get("type") if body is not None else None
    text = shown({name: body})
    if kind == "watcher":
        return (Note(text=text),)
    if kind in {"match", "target"}:
        return (Opaque(text=text, role="match" if kind == "match" else "target"),)
    return (Opaque(text=text, role="match"), Opaque(text=text, role="target"))


STATEMENTS: dict[str, CompileStatement] = {
    "reject": _reject,
    "mangle": _mangle,
    "notrack": _notrack,
    "tproxy": _tproxy,
    "meter": _meter,
    "set": _update,
    "map": _update,
    "flow": _flow,
    "xt": _xt,
    **dict.fromkeys(("accept", "drop", "continue", "return", "jump", "goto", "queue"), _verdict),
    **dict.fromkeys(("snat", "dnat", "masquerade", "redirect"), _nat),
}
"""By the statement's name in JSON."""
