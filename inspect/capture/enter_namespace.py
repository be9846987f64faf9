"""Into a namespace of a snapshot, with words for a person when that fails, and whether it is still in use.

A socket opened there stays in that namespace and may be used from any thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from dnet_tui.inspect.errors import CannotInspectError
from dnet_tui.inspect.kernel.netns import NamespaceGoneError, handle_of, run_in
from dnet_tui.inspect.model import Namespace

T = TypeVar("T")

PERMISSION_HINT = "Run it as root, or with CAP_NET_RAW and CAP_SYS_ADMIN."


def run_inside(namespace: Namespace, function: Callable[[], T]) -> T:
    """Return what ``function`` returns in ``namespace``, in a thread of its own.

    Raises:
        CannotInspectError: the namespace is gone, or something there is not permitted.
    """
    try:
        return run_in(handle_of(namespace), function)
    except NamespaceGoneError as error:
        raise CannotInspectError(
            "its namespace is gone.", "What used it has ended since the snapshot was taken: try again."
        ) from error
    except PermissionError as error:
        raise CannotInspectError("its namespace may not be entered.", PERMISSION_HINT) from error


def is_in_use(namespace: Namespace) -> bool:
    """Whether anybody but us still holds the namespace: its file, a known process, or any process at all."""
    if any(_inode(path) == namespace.inode for path in _ways_in(namespace)):
        return True
    return any(_inode(path / "ns/net") == namespace.inode for path in Path("/proc").iterdir() if path.name.isdecimal())


def _ways_in(namespace: Namespace) -> Iterator[str]:
    if namespace.path:
        yield namespace.path
    yield from (f"/proc/{process.pid}/ns/net" for process in namespace.processes)


def _inode(path: str | Path) -> int | None:
    try:
        return Path(path).stat().st_ino
    except OSError:
        return None
