"""Every kind of engine there is, and how it is looked up.  Pure."""

from __future__ import annotations

from functools import cache

from dnet_tui.inspect.model.engine_kinds.docker import DOCKER
from dnet_tui.inspect.model.engine_kinds.others import (
    CONTAINERD,
    CRIO,
    INCUS,
    LINUX,
    LXC,
    LXD,
    NETNS,
    NSPAWN,
    UNKNOWN,
)
from dnet_tui.inspect.model.engine_kinds.podman import PODMAN
from dnet_tui.inspect.model.engine_kinds.traits import EngineTraits

ENGINE_KINDS: tuple[EngineTraits, ...] = (
    DOCKER,
    CONTAINERD,
    CRIO,
    PODMAN,
    LXD,
    INCUS,
    LXC,
    NSPAWN,
    LINUX,
    NETNS,
    UNKNOWN,
)
"""Where two have a process in common, the one that is told by its arguments comes first."""


@cache
def traits_of(kind: str) -> EngineTraits:
    """What is known of a kind of engine; one that nobody knows has no trait at all."""
    return next((item for item in ENGINE_KINDS if item.kind == kind), EngineTraits(kind=kind, title=kind))
