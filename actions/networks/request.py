"""What a person asks for when a network is to be made.  Pure data."""

from __future__ import annotations

import re

import msgspec

LABEL = {"dnet-tui": "created"}
"""Marks an engine's network as made here."""

NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}")
"""What engines take for a network's name."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What a person asked for.  Empty text and None mean "not said"."""

    name: str
    engine: str
    subnet: str = ""
    gateway: str = ""
    subnet6: str = ""
    gateway6: str = ""
    internal: bool = False
    icc: bool = True
    masquerade: bool = True
    isolated: bool = True
    mtu: int | None = None
    bridge_name: str = ""
    namespaces: tuple[str, ...] = ()
    """Named namespaces to make and plug in; of a plain network only."""
