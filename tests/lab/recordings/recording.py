"""A recording: ``NAME.toml``, which a person reads, beside ``NAME.json.xz``, what was seen.  Pure but for the files.

The specification says what the recording shows and what must be said of it;
the data are a host's snapshot and what its kernel did, which nobody reads.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from dnet_tui.inspect.archive import snapshot_file
from dnet_tui.inspect.model import Snapshot

SPEC, DATA = ".toml", ".json.xz"
WIDE = 120
"""Characters of a line, beyond which a list gets a line for each of its members."""

T = TypeVar("T")


def names(folder: Path) -> tuple[str, ...]:
    """Return the recordings in a folder."""
    return tuple(sorted(path.stem for path in folder.glob(f"*{SPEC}")))


def read_spec(folder: Path, name: str, type_: type[T]) -> T:
    """Read what must be said of a recording."""
    return msgspec.toml.decode((folder / f"{name}{SPEC}").read_bytes(), type=type_)


def write_spec(folder: Path, name: str, spec: object) -> int:
    """Write what must be said of a recording, and return how many bytes that takes."""
    text = to_toml(msgspec.to_builtins(spec)).encode()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}{SPEC}").write_bytes(text)
    return len(text)


def read_data(folder: Path, name: str, type_: type[T]) -> T:
    """Read what was seen."""
    return msgspec.json.decode(lzma.decompress((folder / f"{name}{DATA}").read_bytes()), type=type_)


def write_data(folder: Path, name: str, data: object) -> int:
    """Write what was seen, and return how many bytes that takes.  The same data give the same bytes."""
    packed = lzma.compress(msgspec.json.encode(data), preset=9 | lzma.PRESET_EXTREME)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}{DATA}").write_bytes(packed)
    return len(packed)


def snapshot(raw: msgspec.Raw, name: str = "the recording") -> Snapshot:
    """Decode a snapshot in a recording, which may be of an older format."""
    return snapshot_file.decode(bytes(raw), name)


def renewed(raw: msgspec.Raw) -> msgspec.Raw:
    """Return a snapshot in a recording as it is written today."""
    return msgspec.Raw(snapshot_file.encode(snapshot(raw)))


def to_toml(table: Mapping[str, Any]) -> str:
    """Write a table of texts, numbers, lists of them, tables of them, and lists of tables, in this order."""
    return "\n".join(_lines(table)).lstrip("\n") + "\n"


def _lines(table: Mapping[str, Any]) -> Iterator[str]:
    for key, value in table.items():
        if not _is_table(value) and not _are_tables(value):
            yield f"{_key(key)} = {_value(value, len(key) + 3)}"
    for key, value in table.items():
        for part in [value] if _is_table(value) else value if _are_tables(value) else []:
            yield ""
            yield f"[{_key(key)}]" if _is_table(value) else f"[[{_key(key)}]]"
            yield from _lines(part)


def _is_table(value: object) -> bool:
    return isinstance(value, dict)


def _are_tables(value: object) -> bool:
    return isinstance(value, (list, tuple)) and bool(value) and all(isinstance(item, dict) for item in value)


def _key(key: str) -> str:
    bare = key.isascii() and key.replace("-", "").replace("_", "").isalnum()
    return key if bare else json.dumps(key)


def _value(value: object, taken: int) -> str:
    """A value; ``taken`` characters stand before it on its line."""
    if isinstance(value, (list, tuple)):
        items = [_value(item, 0) for item in value]
        line = f"[{', '.join(items)}]"
        return line if taken + len(line) <= WIDE else "\n".join(["[", *(f"    {item}," for item in items), "]"])
    # A basic string of TOML has the escapes of JSON.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
