"""Namespaces that an engine made for its networks: the inside of an overlay, a load balancer.  Pure.

They belong to no container and no process.  What tells them is the file that
the engine binds each to; its name begins with, or is, the network's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import msgspec

from dnet_tui.inspect.model import Namespace, Network
from dnet_tui.inspect.model.engine_kinds.registry import ENGINE_KINDS
from dnet_tui.inspect.model.engine_kinds.traits import EngineTraits


def with_roles(spaces: Mapping[str, Namespace], networks: Iterable[Network]) -> dict[str, Namespace]:
    """The namespaces, those that are a network's with their role and the network that they serve."""
    known = tuple(networks)
    return {key: _with_role(space, known) for key, space in spaces.items()}


def _with_role(space: Namespace, networks: tuple[Network, ...]) -> Namespace:
    folder, _, name = space.path.rpartition("/")
    if space.kind in {"host", "container"}:
        return space
    for kind in ENGINE_KINDS:
        if not kind.namespace_folder or not folder.endswith(f"/{kind.namespace_folder}"):
            continue
        for pattern, role in kind.network_namespaces:
            found = re.fullmatch(pattern, name)
            if found is not None:
                return msgspec.structs.replace(space, role=role, serves=_served(kind, found.groupdict(), networks))
    return space


def _served(kind: EngineTraits, told: Mapping[str, str | None], networks: tuple[Network, ...]) -> str:
    """The id of the network that a file's name tells; as much as it tells where nobody knows that network."""
    head, name = told.get("id") or "", told.get("name") or ""
    fitting = [
        item.id
        for item in networks
        if item.engine == kind.kind and (item.id.startswith(head) if head else item.name == name)
    ]
    return fitting[0] if len(fitting) == 1 else head or name
