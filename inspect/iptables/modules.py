"""iptables' matches whose options mean something only together, and what those that aren't modelled need.  Pure.

Sources: iptables-extensions(8) and the kernel's ipt_rpfilter.c, xt_recent.c,
xt_policy.c, xt_cgroup.c; ip6t_frag.c and its kin, which fail when a packet
doesn't have their header, negated or not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dnet_tui.inspect.model.firewall import AnyExpr, Match, Note, Opaque

_RPFILTER = {"--loose": "loose", "--validmark": "mark", "--accept-local": "local"}
_RECENT_SET = {"--name": 1, "--mask": 1, "--rsource": 0, "--rdest": 0, "--set": 0}
_EXTENSION_HEADERS = ("frag", "rt", "hbh", "dst", "ah", "esp")
_TRANSPORTS = {"tcpmss": "tcp", "dccp": "dccp", "sctp": "sctp", "tcp": "tcp", "udp": "udp", "icmp": "icmp",
               "icmp6": "icmpv6", "mh": "mobility-header", "ipcomp": "ipcomp"}  # fmt: skip

NEEDS: dict[str, tuple[Match, ...]] = {
    **{name: (Match(field="exthdr", values=(name,)),) for name in _EXTENSION_HEADERS},
    **{name: (Match(field="proto", values=(proto,)),) for name, proto in _TRANSPORTS.items()},
    "cgroup": (Match(field="made-here", values=("yes",)),),
}
"""What a packet must have for a match to hold, by the match's name; IPv4's ``ah`` and ``esp`` stand after ``-p``."""


def opaque_match(module: str, text: str, proto: str = "") -> Opaque:
    """A match that isn't modelled, with what it needs; ``proto`` is what the rule asks for by ``-p``."""
    needs = () if module == proto else NEEDS.get(module, ())
    return Opaque(text=text, needs=needs)


def whole_match(module: str, words: Sequence[str], text: str) -> AnyExpr | None:
    """Compile a match by all its words at once.

    Args:
        module: its name.
        words: what follows the name.
        text: the match as written.

    Returns:
        None when it isn't modelled, or not so.
    """
    read = _WHOLE.get(module)
    return None if read is None else read(list(words), text)


def _rpfilter(words: list[str], _: str) -> AnyExpr | None:
    if not set(words) <= {*_RPFILTER, "--invert"}:
        return None
    flags = [flag for option, flag in _RPFILTER.items() if option in words]
    mode = flags if "loose" in flags else ["strict", *flags]
    return Match(field="rpfilter", values=("+".join(mode),), negate="--invert" in words)


def _recent(words: list[str], text: str) -> AnyExpr | None:
    """``--set`` only remembers the address, and always matches."""
    at = 0
    while at < len(words):
        if words[at] not in _RECENT_SET:
            return None
        at += 1 + _RECENT_SET[words[at]]
    return Note(text=text) if "--set" in words else None


def _policy(words: list[str], _: str) -> AnyExpr | None:
    if len(words) != 4 or words[0] != "--dir" or words[1] not in {"in", "out"} or words[2] != "--pol":
        return None
    if words[3] not in {"none", "ipsec"}:
        return None
    return Match(field="ipsec", values=(words[1],), negate=words[3] == "none")


_WHOLE: dict[str, Callable[[list[str], str], AnyExpr | None]] = {
    "rpfilter": _rpfilter,
    "recent": _recent,
    "policy": _policy,
}
