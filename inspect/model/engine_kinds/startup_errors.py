"""What engines say when a container, a network or the engine itself can't be started, told apart.  Pure.

The engines' own words are among their traits
(:mod:`dnet_tui.inspect.model.engine_kinds`); here are those that they pass on
of others: iptables' (libiptc's iptc_strerror, xshared's "Extension … revision
… not supported", iptables-nft's "is incompatible, use 'nft' tool") and
firewalld's error code ZONE_CONFLICT.

Only the telling part of a text is kept, so that nothing else of a log gets
into a snapshot.
"""

from __future__ import annotations

import re

import msgspec

from dnet_tui.inspect.model.engine_kinds.registry import ENGINE_KINDS

_LARGEST = 8192
"""Characters of a text that are looked at."""

_LONGEST = 300
"""Characters that are kept."""

_MARK = r"[`'\"]"

_PASSED_ON: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("no-raw-table", (rf"can't initialize ip6?tables table {_MARK}raw{_MARK}: [^(\n\\]{{1,60}}",)),
    ("no-xt-masq", (r"Extension MASQUERADE revision 0 not supported, missing kernel module",)),
    ("zone-conflict", (r"ZONE_CONFLICT: [^\n\"]{1,80}",)),
    ("iptables-incompatible", (rf"table {_MARK}\w{{1,20}}{_MARK} is incompatible, use 'nft' tool",)),
)
_KINDS = (
    "port-taken",
    "pool-exhausted",
    "bridge-ip-mismatch",
    "veth-unsupported",
    "no-raw-table",
    "no-xt-masq",
    "exchange-full",
    "port-not-fwd",
    "zone-conflict",
    "iptables-incompatible",
    "icc-no-brnf",
    "forwarding-off",
)
"""In the order in which they are looked for."""


def _compiled() -> tuple[tuple[str, re.Pattern[str]], ...]:
    told = [item for kind in ENGINE_KINDS for item in kind.startup_errors] + list(_PASSED_ON)
    patterns = {kind: [word for name, words in told if name == kind for word in words] for kind in _KINDS}
    return tuple((kind, re.compile("|".join(words))) for kind, words in patterns.items())


_COMPILED = _compiled()


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """A failure that was recognised.

    ``kind`` is the id of the check that explains it, or a word of its own
    where several causes are possible (``veth-unsupported``,
    ``forwarding-off``).  ``text`` is the telling part of what was said;
    ``port`` a host port in it, ``have`` and ``want`` a bridge's addresses.
    """

    kind: str
    text: str
    port: int | None = None
    have: str = ""
    want: str = ""


def recognise(text: str) -> Failure | None:
    """The failure that a text tells of; None when it tells of none that is known."""
    said = text[:_LARGEST]
    for kind, pattern in _COMPILED:
        if (found := pattern.search(said)) is not None:
            groups = found.groupdict()
            port = next((value for key, value in groups.items() if key.startswith("port") and value), None)
            return Failure(
                kind=kind,
                text=found[0][:_LONGEST].strip(),
                port=int(port) if port is not None else None,
                have=groups.get("have") or "",
                want=groups.get("want") or "",
            )
    return None
