"""Which fields of the model a snapshot fills, by the names of their structs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache

import msgspec

from dnet_tui.inspect.model import Snapshot


def filled(snapshot: Snapshot) -> frozenset[str]:
    """``Link.mtu`` and the like: every field with another value than the one it has by default."""
    return frozenset(_fields(snapshot))


def _fields(value: object) -> Iterator[str]:
    if isinstance(value, msgspec.Struct):
        for name, default in _defaults(type(value)):
            inner = getattr(value, name)
            if inner is not default and inner != default:
                yield f"{type(value).__name__}.{name}"
                yield from _fields(inner)
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _fields(inner)
    elif isinstance(value, (tuple, list, frozenset)):
        for inner in value:
            yield from _fields(inner)


@cache
def _defaults(struct: type[msgspec.Struct]) -> tuple[tuple[str, object], ...]:
    return tuple(
        (field.name, field.default_factory() if field.default_factory is not msgspec.NODEFAULT else field.default)
        for field in msgspec.structs.fields(struct)
    )
