"""Files written below /etc, and units of systemd enabled: never over another's file, never through a symbolic link.

A file appears as a whole: it is written under another name in the same folder
and linked to its own, which fails where something of that name is there.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dnet_tui.actions.host_access import HostAccess
from dnet_tui.actions.journal.captured_state import FileState, UnitState
from dnet_tui.actions.plans.boot_files import EnableUnit, WriteFile
from dnet_tui.actions.plans.plan import line
from dnet_tui.inspect.errors import ActionFailedError
from dnet_tui.inspect.text.sanitize import clean

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MOST = 1 << 20
"""Bytes of a file that is compared with what was written."""


def prepare(action: WriteFile, root: Path) -> FileState:
    """See that the file can be written, and which folders are missing.

    Raises:
        ActionFailedError: It is there already, or a folder on the way to it is a symbolic link or another user's.
    """
    missing: list[str] = []
    folder = root
    for part in Path(action.path).parts[1:-1]:
        folder /= part
        if missing or not os.path.lexists(folder):
            missing.append("/" + str(folder.relative_to(root)))
    with _folder(action, root, make=False) as descriptor:
        if descriptor is not None and _exists(Path(action.path).name, descriptor):
            msg = f"there is a file {clean(action.path)} already, which is not overwritten"
            raise ActionFailedError(msg, "look at it, and move it away if nothing needs it")
    if (folder_there := _deepest(action, root)) and not os.access(folder_there, os.W_OK):
        raise _unusable(action, "its folder can't be written to")
    return FileState(folders=tuple(missing))


def perform(action: WriteFile, captured: FileState, root: Path) -> FileState:
    """Write the file, all of it or nothing.

    Raises:
        ActionFailedError: It has come since, or can't be written.
    """
    name = Path(action.path).name
    try:
        with _folder(action, root, make=True) as descriptor:
            if descriptor is None:
                raise _unusable(action, "its folder is gone")
            _write(name, action.content.encode(), descriptor)
    except FileExistsError as error:
        raise _unusable(action, "it has come since") from error
    except OSError as error:
        raise _unusable(action, error.strerror or "an error of the file system") from error
    return captured


def revert(action: WriteFile, captured: FileState, root: Path) -> str:
    """Delete the file, and the folders that came with it and hold nothing else.

    Raises:
        ActionFailedError: Somebody has changed it since.
    """
    name = Path(action.path).name
    with _folder(action, root, make=False) as descriptor:
        if descriptor is None:
            return f"{clean(action.path)} is gone already"
        with suppress(FileNotFoundError):
            os.unlink(_temporary(name), dir_fd=descriptor)
        note = _deleted(action, name, descriptor)
    for folder in reversed(captured.folders):
        with suppress(OSError):  # somebody else's things are in there
            (root / folder.removeprefix("/")).rmdir()
    return note


def _deleted(action: WriteFile, name: str, descriptor: int) -> str:
    if not _exists(name, descriptor):
        return f"{clean(action.path)} is gone already"
    try:
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=descriptor)
        with open(file, "rb") as opened:  # noqa: PTH123  a descriptor, opened without following links
            same = opened.read(_MOST) == action.content.encode()
    except OSError:
        same = False
    if not same:
        msg = f"{clean(action.path)} was changed since it was written, and is left alone"
        raise ActionFailedError(msg, "delete it by hand, or put back what was written")
    os.unlink(name, dir_fd=descriptor)
    os.fsync(descriptor)
    return f"deleted {clean(action.path)}"


def is_written(action: WriteFile, root: Path = Path("/")) -> bool:
    """Whether the file is there with this very content."""
    try:
        return (root / action.path.removeprefix("/")).read_bytes() == action.content.encode()
    except OSError:
        return False


def enable(action: EnableUnit, host: HostAccess) -> UnitState:
    """Have a unit started with the host.

    Raises:
        ActionFailedError: systemctl refused.
    """
    _systemctl(host, "enable", action.unit)
    return UnitState(enabled=True)


def disable(action: EnableUnit, host: HostAccess) -> str:
    """Have it started no more, and stop it where it has been since the last reboot.

    Raises:
        ActionFailedError: systemctl refused.
    """
    if (
        host.run(("systemctl", "cat", action.unit)).code
        and "No files found" in host.run(("systemctl", "cat", action.unit)).err
    ):
        return f"there is no unit {clean(action.unit)} any more"
    running = host.run(("systemctl", "is-active", action.unit)).out.strip() in ("active", "failed")
    words = ("disable", "--now", action.unit) if running else ("disable", action.unit)
    try:
        _systemctl(host, *words)
    except ActionFailedError:
        # Enabling may have failed for the same reason, and have done nothing: the links on the disk tell.
        found = host.run(("systemctl", "--root=/", "is-enabled", action.unit)).out.strip()
        if running or found != "disabled":
            raise
        return f"{clean(action.unit)} is not started with the host"
    return line(("systemctl", *words))


def _systemctl(host: HostAccess, *words: str) -> None:
    ran = host.run(("systemctl", *words))
    if ran.code:
        said = clean(" ".join((ran.err or ran.out).split()))
        msg = f"`{line(('systemctl', *words))}` failed (exit code {ran.code}): {said}"
        raise ActionFailedError(msg, "changing units needs root: try sudo" if "denied" in said else "")


@contextmanager
def _folder(action: WriteFile, root: Path, *, make: bool) -> Iterator[int | None]:
    """The file's folder, opened without following links; None where it isn't there and is not made."""
    descriptor = os.open(root, _FOLDER)
    try:
        for part in Path(action.path).parts[1:-1]:
            if make:
                with suppress(FileExistsError):
                    os.mkdir(part, 0o755, dir_fd=descriptor)
            try:
                below = os.open(part, _FOLDER, dir_fd=descriptor)
            except FileNotFoundError:
                os.close(descriptor)
                descriptor = -1
                break
            except OSError as error:
                why = "is no folder" if error.errno in (errno.ELOOP, errno.ENOTDIR) else error.strerror
                raise _unusable(action, f"{clean(part)} on the way to it {why}") from error
            os.close(descriptor)
            descriptor = below
            _refuse_foreign(action, part, descriptor)
        yield descriptor if descriptor >= 0 else None
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def _refuse_foreign(action: WriteFile, part: str, descriptor: int) -> None:
    status = os.fstat(descriptor)
    if status.st_uid not in (0, os.geteuid()) or status.st_mode & stat.S_IWOTH:
        raise _unusable(action, f"others may write to the folder {clean(part)}")


def _deepest(action: WriteFile, root: Path) -> Path | None:
    """The deepest folder on the way to the file that is there."""
    folders = (root / item.relative_to("/") for item in Path(action.path).parents)
    return next((item for item in folders if item.is_dir()), None)


def _exists(name: str, descriptor: int) -> bool:
    try:
        os.stat(name, dir_fd=descriptor, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _temporary(name: str) -> str:
    return f".{name}.dnet-tui"


def _write(name: str, data: bytes, descriptor: int) -> None:
    draft = _temporary(name)
    with suppress(FileNotFoundError):  # of one that was killed
        os.unlink(draft, dir_fd=descriptor)
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644, dir_fd=descriptor)
    try:
        with open(file, "wb") as opened:  # noqa: PTH123  a descriptor
            opened.write(data)
            opened.flush()
            os.fchmod(file, 0o644)
            os.fsync(file)
        os.link(draft, name, src_dir_fd=descriptor, dst_dir_fd=descriptor, follow_symlinks=False)
    finally:
        os.unlink(draft, dir_fd=descriptor)
    os.fsync(descriptor)


def _unusable(action: WriteFile, why: str) -> ActionFailedError:
    return ActionFailedError(f"{clean(action.path)} can't be written: {why}", "nothing was written there")
