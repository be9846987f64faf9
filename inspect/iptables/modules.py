"""iptables' matches whose options mean something only together, and what those that aren't modelled need.  Pure.

Sources: iptables-extensions(8) and the kernel's ipt_rpfilter.c; ip6t_frag.c
and its kin, which fail when a packet doesn't have their header, negated or
not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dnet_tui.inspect.errors import CannotModelError
from dnet_tui.inspect.iptables.header_matches import HEADER_MATCHES
from dnet_tui.inspect.iptables.match_words import given
from dnet_tui.inspect.iptables.recent_time import recent, time
from dnet_tui.inspect.iptables.stateful import STATEFUL
from dnet_tui.inspect.model.firewall import AnyExpr, Match, Opaque

_RPFILTER = {"--loose": "loose", "--validmark": "mark", "--accept-local": "local"}
_EXTENSION_HEADERS = ("frag", "rt", "hbh", "dst", "ah", "esp")
_TRANSPORTS = {"tcpmss": "tcp", "dccp": "dccp", "sctp": "sctp", "tcp": "tcp", "udp": "udp", "icmp": "icmp",
               "icmp6": "icmpv6", "mh": "mobility-header", "ipcomp": "ipcomp"}  # fmt: skip

NEEDS: dict[str, tuple[Match, ...]] = {
    **{name: (Match(field="exthdr", values=(name,)),) for name in _EXTENSION_HEADERS},
    **{name: (Match(field="proto", values=(proto,)),) for name, proto in _TRANSPORTS.items()},
    "cgroup": (Match(field="made-here", values=("yes",)),),
    "srh": (Match(field="exthdr", values=("rt",)),),
}
"""What a packet must have for a match to hold, by the match's name; IPv4's ``ah`` and ``esp`` stand after ``-p``."""


def opaque_match(module: str, text: str, proto: str = "") -> Opaque:
    """A match that isn't modelled, with what it needs; ``proto`` is what the rule asks for by ``-p``."""
    needs = () if module == proto else NEEDS.get(module, ())
    return Opaque(text=text, needs=needs)


def whole_match(module: str, words: Sequence[str], text: str) -> tuple[AnyExpr, ...] | None:
    """Compile a match by all its words at once.

    Args:
        module: its name.
        words: what follows the name.
        text: the match as written.

    Returns:
        What it asks for, and does, in order; None when it isn't modelled, or not so.
    """
    try:
        if module in STATEFUL:
            return (STATEFUL[module](words, text),)
        read = _WHOLE.get(module)
        return None if read is None else read(list(words))
    except (CannotModelError, KeyError, ValueError, ZeroDivisionError):
        return None


def _rpfilter(words: Sequence[str]) -> tuple[AnyExpr, ...]:
    found = given(words, {"loose": 0, "validmark": 0, "accept-local": 0, "invert": 0})
    flags = [flag for option, flag in _RPFILTER.items() if option.removeprefix("--") in found]
    mode = flags if "loose" in flags else ["strict", *flags]
    return (Match(field="rpfilter", values=("+".join(mode),), negate="invert" in found),)


_WHOLE: dict[str, Callable[[Sequence[str]], tuple[AnyExpr, ...]]] = {
    "rpfilter": _rpfilter,
    "recent": recent,
    "time": time,
    **HEADER_MATCHES,
}

WHOLE_MATCHES = frozenset({*STATEFUL, *_WHOLE})
"""The matches that are compiled by all their words."""
