"""Saves a snapshot to a file, and loads it again.

A file is replaced whole or not at all: written beside the old one, synced,
then renamed over it.  Only its owner may read it: it tells a lot about a
host.  Loading brings older formats up to date (see
:mod:`dnet_tui.inspect.archive.migrations`) and refuses, in words, newer ones and what
isn't a snapshot.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

import msgspec

from dnet_tui.inspect.archive.migrations import STEPS, UnsoundError, migrate
from dnet_tui.inspect.archive.soundness import require_sound
from dnet_tui.inspect.errors import FileError
from dnet_tui.inspect.model import FORMAT, Snapshot

_TAKE_ANOTHER = "take another one with: dnet-tui snapshot save FILE"


def encode(snapshot: Snapshot) -> bytes:
    """The snapshot as JSON text, with a line break at its end."""
    return msgspec.json.encode(snapshot) + b"\n"


class _Head(msgspec.Struct):
    format: int
    tool_version: str = ""


def decode(data: bytes, name: str = "the snapshot") -> Snapshot:
    """Read a snapshot from JSON text; ``name`` is what messages call it.

    Raises:
        FileError: it is empty, isn't JSON, is cut short, isn't a snapshot, or was made by a newer dnet-tui.
    """
    if not data.strip():
        raise FileError(f"{name} is empty", "see why what should have written it wrote nothing")
    try:
        head = msgspec.json.decode(data, type=_Head)
        if head.format > FORMAT:
            made_by = f" ({head.tool_version})" if head.tool_version else ""
            raise FileError(
                f"{name} was made by a newer dnet-tui{made_by}: format {head.format}, this one reads up to {FORMAT}",
                "update dnet-tui, or take the snapshot with this version",
            )
        if head.format < 1:
            raise FileError(f"{name} isn't a dnet-tui snapshot: there is no format {head.format}", _TAKE_ANOTHER)
        if head.format == FORMAT:
            return require_sound(msgspec.json.decode(data, type=Snapshot))
        return require_sound(msgspec.convert(migrate(msgspec.json.decode(data), STEPS), type=Snapshot))
    except UnsoundError as error:
        raise FileError(f"{name} can't be read: {error}", _TAKE_ANOTHER) from error
    except msgspec.ValidationError as error:
        raise FileError(f"{name} isn't a dnet-tui snapshot: {error}", _TAKE_ANOTHER) from error
    except msgspec.DecodeError as error:
        if "truncated" in str(error):
            raise FileError(f"{name} is cut short", f"copy it again, or {_TAKE_ANOTHER}") from error
        raise FileError(f"{name} isn't JSON: {error}", _TAKE_ANOTHER) from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise FileError(f"{name} isn't a dnet-tui snapshot: it isn't sound JSON text", _TAKE_ANOTHER) from error


def load(path: str | os.PathLike[str]) -> Snapshot:
    """Load a snapshot that :func:`save` wrote.

    Raises:
        FileError: there is no such file, it can't be read, or it isn't a snapshot this version knows.
    """
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError as error:
        raise FileError(f"there is no file {os.fspath(path)}", "check its name") from error
    except OSError as error:
        raise FileError(f"{os.fspath(path)} can't be read: {error.strerror}", "check its name and its owner") from error
    return decode(data, os.fspath(path))


def save(snapshot: Snapshot, path: str | os.PathLike[str]) -> None:
    """Write a snapshot to ``path``, replacing a file that is there only once the new one is whole on disk.

    Raises:
        FileError: it could not be written; a file that was there before is as it was.
    """
    target = Path(path).resolve()  # so that a symbolic link stays one
    if target.exists() and not target.is_file():
        raise FileError(f"{os.fspath(path)} is not an ordinary file", "name a file to write the snapshot to")
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(6)}.part")
    try:
        _write(temporary, encode(snapshot))
        temporary.replace(target)
    except OSError as error:
        raise FileError(
            f"the snapshot could not be written to {os.fspath(path)}: {error.strerror}",
            "choose another place; a file that was there before is unchanged",
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # a file system that can't sync a folder has the file all the same
        _sync_folder(target.parent)


def _write(path: Path, data: bytes) -> None:
    """Write a new file, for its owner alone, and wait until it is on the disk."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
