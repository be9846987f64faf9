"""What a person reads when a capture file can't be opened: the file, the reason, the next step."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from dnet_tui.inspect.errors import UsageError
from dnet_tui.inspect.text.sanitize import clean

_MOST = 512  # characters of a path


def cannot_read(path: str, error: OSError) -> UsageError:
    """A file to read can't be opened."""
    folder = clean(str(Path(path).parent), _MOST)
    steps = {
        errno.ENOENT: f"See what is there: ls -l {folder}",
        errno.EACCES: f"Read it as its owner or as root: sudo dnet-tui capture --read {clean(path, _MOST)}",
        errno.EISDIR: f"Name one of the files in it: ls -l {clean(path, _MOST)}",
    }
    return UsageError(f"Can't read {clean(path, _MOST)}: {_reason(error)}.", steps.get(error.errno or 0, _OTHER_FILE))


def cannot_write(path: str, error: OSError) -> UsageError:
    """A file to write can't be opened."""
    folder = clean(str(Path(path).parent), _MOST)
    steps = {
        errno.EEXIST: "Choose another name, or replace it with --force.",
        errno.ENOENT: _OTHER_PLACE if Path(path).parent.is_dir() else f"Make its folder first: mkdir -p {folder}",
        errno.ENOTDIR: f"{folder} is no folder: choose another place.",
        errno.EACCES: f"Choose a folder that you may write to: --write /tmp/{clean(Path(path).name, _MOST)}",
        errno.EROFS: f"Choose a folder that can be written to: --write /tmp/{clean(Path(path).name, _MOST)}",
        errno.EISDIR: f"Name a file in it: --write {clean(path, _MOST).rstrip('/')}/capture.pcapng",
    }
    if error.errno == errno.EEXIST:
        return UsageError(f"{clean(path, _MOST)} is there already.", steps[errno.EEXIST])
    return UsageError(f"Can't write {clean(path, _MOST)}: {_reason(error)}.", steps.get(error.errno or 0, _OTHER_FILE))


def check_target(path: str, *, force: bool) -> None:
    """Refuse early what could not be written; opening the file decides.

    Raises:
        UsageError: the file is there, or its folder isn't.
    """
    target = Path(path)
    number = 0
    if target.is_dir():
        number = errno.EISDIR
    elif target.exists():
        number = errno.EEXIST if target.is_file() and not force else 0
    elif not target.parent.is_dir():
        number = errno.ENOTDIR if target.parent.exists() else errno.ENOENT
    elif not os.access(target.parent, os.W_OK | os.X_OK):
        number = errno.EACCES
    if number:
        raise cannot_write(path, OSError(number, os.strerror(number)))


_OTHER_FILE = "Choose another file."
_OTHER_PLACE = "Choose another folder."


def _reason(error: OSError) -> str:
    return clean(error.strerror or str(error))
