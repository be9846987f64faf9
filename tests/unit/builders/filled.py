"""Which fields of the model a snapshot fills, by the names of their structs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from dnet_tui.inspect.model import Snapshot


def filled(snapshot: Snapshot) -> frozenset[str]:
    """``Link.mtu`` and the like: every field with another value than the one it has by default."""
    return frozenset(_fields(snapshot))


def _fields(value: object) -> Iterator[str]:
    if isinstance(value, msgspec.Struct):
        for field in msgspec.structs.fields(value):
            inner = getattr(value, field.name)
            if inner is not field.default and inner != _default(field):
                yield f"{type(value).__name__}.{field.name}"
                yield from _fields(inner)
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _fields(inner)
    elif isinstance(value, (tuple, list, frozenset)):
        for inner in value:
            yield from _fields(inner)


def _default(field: msgspec.structs.FieldInfo) -> object:
    return field.default_factory() if field.default_factory is not msgspec.NODEFAULT else field.default
