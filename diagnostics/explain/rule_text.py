"""One plain English sentence for a rule.  Pure.

Everything that is modelled is said; what isn't is named with its own text, so
that a sentence never claims more than is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from dnet_tui.diagnostics.explain.condition_text import Conditions, set_name
from dnet_tui.diagnostics.explain.field_names import field_names
from dnet_tui.diagnostics.explain.statement_text import field_change, proxied, remembered, zone
from dnet_tui.inspect.model.firewall import (
    Chain,
    Choice,
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
    Statement,
    Table,
    TransparentProxy,
    Verdict,
    VerdictMap,
)
from dnet_tui.inspect.text.sanitize import clean

_FULL = 0xFFFFFFFF
_ANSWERS = {
    "tcp-reset": "a TCP reset",
    "icmp-port-unreachable": "“port unreachable”",
    "icmp6-port-unreachable": "“port unreachable”",
    "icmp-host-unreachable": "“host unreachable”",
    "icmp-net-unreachable": "“network unreachable”",
    "icmp-host-prohibited": "“host prohibited”",
    "icmp-net-prohibited": "“network prohibited”",
    "icmp-admin-prohibited": "“administratively prohibited”",
    "icmp6-adm-prohibited": "“administratively prohibited”",
    "icmp6-addr-unreachable": "“address unreachable”",
    "icmp6-no-route": "“no route”",
}
_NOTES = {
    "LOG": "is logged by the kernel",
    "NFLOG": "is logged (NFLOG)",
    "TRACE": "is traced",
    "CHECKSUM": "has its checksum filled in",
}


def sentence(rule: Rule, chain: Chain, table: Table) -> str:
    """Say in one sentence what a rule does and to which traffic.

    ``chain`` tells what "the policy" is; ``table`` whether only the first
    packet of a connection gets there, and which family it is about.
    """
    if len(rule.exprs) == 2 and all(isinstance(expr, Opaque) and expr.text == rule.text for expr in rule.exprs):
        return f"This rule can't be explained, nor decided: {clean(rule.text)}."
    conditions = Conditions(table.family)
    actions: list[str] = []
    for expr in rule.exprs:
        match expr:
            case Match():
                conditions.add(expr)
            case SetLookup():
                conditions.add_set(expr)
            case Lookup():
                conditions.add_lookup(expr)
            case StatefulMatch():
                conditions.add_stateful(expr)
            case Opaque(role="match"):
                conditions.add_opaque(expr.text)
            case _:
                actions += _action(expr, chain)
    return f"{conditions.subject()} {_joined(actions) or 'is only counted'}."


def policy_sentence(chain: Chain) -> str:
    """Say what becomes of traffic that no rule of a base chain ended; empty for other chains."""
    if chain.hook is None or not chain.policy:
        return ""
    return f"Whatever no rule above decided is {'accepted' if chain.policy == 'accept' else 'dropped'} (the policy)."


def _joined(parts: Sequence[str]) -> str:
    return ", ".join(parts[:-1]) + " and " + parts[-1] if len(parts) > 1 else "".join(parts)


def _action(expr: Statement, chain: Chain) -> list[str]:  # noqa: C901 - the table of statements
    match expr:
        case Verdict():
            return [_verdict(expr, chain)]
        case Nat():
            return [_nat(expr)]
        case SetMark():
            return [_mark(expr)]
        case VerdictMap():
            return [f"gets the verdict that {set_name(expr)} has for its {field_names(expr.fields)}, if it has one"]
        case SetField():
            return [field_change(expr)]
        case Remember():
            return [remembered(expr)]
        case SetZone():
            return [zone(expr)]
        case TransparentProxy():
            return [proxied(expr)]
        case NoTrack():
            return ["isn't tracked by conntrack, so it gets no NAT and is in no connection"]
        case Opaque():
            return [f"is handled by “{clean(expr.text)}”, whose effect is not known"]
        case Note():
            return _note(expr)
        case _:
            assert_never(expr)


def _verdict(expr: Verdict, chain: Chain) -> str:
    target = clean(expr.chain)
    if expr.kind == "jump":
        return f"goes through chain {target}"
    if expr.kind == "goto":
        return f"goes on in chain {target} and doesn't come back here"
    if expr.kind == "return":
        if chain.hook is None:
            return "leaves this chain and goes on where it was called"
        return f"skips the rest of the chain and is {'dropped' if chain.policy == 'drop' else 'accepted'} by its policy"
    if expr.kind == "reject":
        answer = _ANSWERS.get(expr.reject_with, clean(expr.reject_with))
        return f"is rejected with {answer} as the answer" if answer else "is rejected"
    if expr.kind == "queue" and expr.queues:
        without = "without one it is accepted" if expr.bypass else "without one it is dropped"
        return f"is handed to a program, which decides (queue {clean(expr.queues)}; {without})"
    plain = {
        "accept": "is accepted",
        "drop": "is dropped",
        "queue": "is handed to a program, which decides",
        "continue": "goes on to the next rule",
    }
    return plain[expr.kind]


def _nat(expr: Nat) -> str:
    if expr.choice is not None:
        return _chosen(expr, expr.choice)
    addresses, ports = clean(expr.addresses), clean(expr.ports)
    port = f"port{'s' if '-' in ports else ''} {ports}" if ports else ""
    port += f" (from {expr.base} on)" if expr.base is not None else ""
    place = " ".join(part for part in (addresses, port) if part)
    if expr.kind == "masquerade":
        return f"gets the host's address{f' and {port}' if port else ''} as its source (MASQUERADE)"
    if expr.kind == "redirect":
        return f"goes to {port} of this host instead (REDIRECT)" if port else "goes to this host instead (REDIRECT)"
    if expr.kind == "netmap":
        return f"has its network replaced by {addresses}, host for host (NETMAP)"
    return f"gets {place} as its {'source' if expr.kind == 'snat' else 'destination'} ({expr.kind.upper()})"


def _chosen(expr: Nat, choice: Choice) -> str:
    """A target that stands in a map."""
    where = f"map {clean(choice.set)}" if choice.set else "a map of this rule"
    fixed = clean(expr.ports or expr.addresses)
    return (
        f"gets what {where} has for its {field_names(choice.fields)}{f' with {fixed}' if fixed else ''}"
        f" as its {'source' if expr.kind == 'snat' else 'destination'}, if it has anything ({expr.kind.upper()})"
    )


def _mark(expr: SetMark) -> str:
    if expr.op == "unknown":
        return f"has {_whose(expr)} set to a value that can't be determined"
    bits = "" if expr.mask == _FULL else f" (bits {expr.mask:#x})"
    if expr.op == "save":
        return f"has its mark saved in its connection{bits}"
    if expr.op == "restore":
        return f"gets its connection's mark{bits}"
    whose = _whose(expr)
    if expr.mask in {_FULL, expr.value}:
        return f"has {whose} set to {expr.value:#x}{bits}"
    if expr.value & ~expr.mask:
        return f"has {whose} changed to (mark & {~expr.mask & _FULL:#x}) xor {expr.value:#x}"
    return f"has {whose} set to {expr.value:#x}{bits}" if expr.value else f"has {whose} cleared{bits}"


def _whose(expr: SetMark) -> str:
    return "its connection's mark" if expr.where == "ct" else "its mark"


def _note(expr: Note) -> list[str]:
    if expr.offload:
        return ["is handed to a flow table once its connection is established, past all rules from then on"]
    words = expr.text.split()
    if words[:1] != ["-j"] or len(words) < 2:
        # A comment says nothing about what happens.
        return []
    name = clean(words[1])
    return [f"{_NOTES.get(name, f'is passed to {name}, which decides nothing,')} and goes on"]
