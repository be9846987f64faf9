"""iptables' targets that change a packet's header, or hand it to a socket or a program.  Pure.

Sources: iptables-extensions(8), iptables' print functions; the kernel's
xt_HL.c, xt_DSCP.c, xt_CLASSIFY.c, xt_TCPMSS.c, xt_TPROXY.c, xt_NFQUEUE.c,
xt_HMARK.c.
"""

from __future__ import annotations

from collections.abc import Callable

from dnet_tui.inspect.errors import CannotModelError
from dnet_tui.inspect.iptables.save_grammar import masked, number
from dnet_tui.inspect.iptables.target_options import pairs, single
from dnet_tui.inspect.model.firewall import AnyExpr, SetField, SetMark, TransparentProxy, Verdict
from dnet_tui.inspect.text.number_ranges import PORTS


def _hop_limit(options: list[str], _: str) -> AnyExpr:
    option, text = single(options)
    value, verb = number(text, 255), option.rpartition("-")[2]
    if verb == "set":
        return SetField(field="ttl", value=value)
    if verb not in {"inc", "dec"}:
        msg = f"{option!r} is not modelled"
        raise CannotModelError(msg)
    return SetField(field="ttl", op="add", value=value if verb == "inc" else -value)


def _tos(options: list[str], _: str) -> AnyExpr:
    option, text = single(options)
    value, mask = masked(text)
    if option == "--set-dscp":
        return SetField(field="tos", value=number(text, 63) << 2, mask=0xFC)
    if option != "--set-tos":
        msg = f"{option!r} is not modelled"
        raise CannotModelError(msg)
    return SetField(field="tos", value=value, mask=mask & 0xFF)


def _classify(options: list[str], _: str) -> AnyExpr:
    _option, text = single(options)
    major, _colon, minor = text.partition(":")
    return SetField(field="priority", value=int(major, 16) << 16 | int(minor, 16))


def _segment_size(options: list[str], _: str) -> AnyExpr:
    if options[:1] == ["--set-mss"]:
        return SetField(field="mss", op="at-most", value=number(single(options)[1], 0xFFFF))
    return SetField(field="mss", op="unknown")


def _tproxy(options: list[str], _: str) -> AnyExpr:
    found = pairs(options, {"--on-port": 1, "--on-ip": 1, "--tproxy-mark": 1})
    value, mask = masked(found["--tproxy-mark"]) if "--tproxy-mark" in found else (0, 0)
    address = found.get("--on-ip", "")
    port = str(number(found.get("--on-port", "0"), PORTS))
    return TransparentProxy(
        address="" if address in {"0.0.0.0", "::"} else address,  # noqa: S104 - compared with, not bound to
        port="" if port == "0" else port,
        value=value,
        mask=mask,
        final=True,
    )


def _queue(options: list[str], _: str) -> AnyExpr:
    found = pairs(options, {"--queue-num": 1, "--queue-balance": 1, "--queue-bypass": 0, "--queue-cpu-fanout": 0})
    queues = found.get("--queue-balance", found.get("--queue-num", "0"))
    return Verdict(kind="queue", queues=queues, bypass="--queue-bypass" in found)


PACKET_TARGETS: dict[str, Callable[[list[str], str], AnyExpr]] = {
    "TTL": _hop_limit,
    "HL": _hop_limit,
    "TOS": _tos,
    "DSCP": _tos,
    "CLASSIFY": _classify,
    "TCPMSS": _segment_size,
    "TPROXY": _tproxy,
    "NFQUEUE": _queue,
    "HMARK": lambda *_: SetMark(op="unknown"),
}
