"""What could not be read, and why.  Pure data.

A failure to read is never an empty list: it is a :class:`Gap`, and whatever
depends on that section must then answer "unknown" instead of "none".
"""

from __future__ import annotations

import msgspec

SECTIONS = (
    "namespaces",
    "processes",
    "links",
    "addresses",
    "routes",
    "policy-rules",
    "neighbours",
    "fdb",
    "traffic-control",
    "sysctls",
    "sockets",
    "conntrack",
    "firewall",
    "xfrm",
    "firewalld",
    "engine",
    "log",
    "containers",
    "networks",
    "names",
)
"""The sections a gap can name."""


class Gap(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that could not be read.

    ``section`` is one of :data:`SECTIONS`; ``scope`` says of what (a namespace
    id, an engine's name, a container's name; empty for the whole host);
    ``reason`` what happened, ``hint`` what the reader of the report can do.
    """

    section: str
    scope: str = ""
    reason: str
    hint: str = ""
