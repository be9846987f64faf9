"""What an administrator settled for a host: ``/etc/dnet-tui.toml``, then ``~/.config/dnet-tui/config.toml``.

Checks to leave out with a reason, flows that must work, the app's theme and
the engines' sockets.  Lists of both files count; of two values the user's.
A file that others may write to is not believed: it says what is not reported.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from dnet_tui.inspect.errors import UsageError

SYSTEM = Path("/etc/dnet-tui.toml")
_LONGEST = 1 << 20
"""Bytes of a file that are read."""


class SkippedCheck(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A check that is left out, and why."""

    check: str
    reason: str
    said_in: str = ""
    """The file and the line that say so."""


class RequiredFlow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"source": "from"}):
    """A flow that must work: ``from`` a place ``to`` another, with a port where the protocol has any."""

    source: str
    to: str
    protocol: Literal["tcp", "udp", "icmp"] = "tcp"
    reason: str = ""

    @property
    def text(self) -> str:
        """As ``doctor --flow`` takes it."""
        return f"{self.source} -> {self.to}/{self.protocol}"


class AppSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The app's own."""

    theme: str = ""


class EngineSettings(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"docker_socket": "docker-socket"}
):
    """Where engines are asked."""

    docker_socket: str = ""


class HostSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that was settled; ``files`` is where."""

    skip: tuple[SkippedCheck, ...] = ()
    flow: tuple[RequiredFlow, ...] = ()
    app: AppSettings = AppSettings()
    engines: EngineSettings = EngineSettings()
    files: tuple[str, ...] = ()


def places(environment: Mapping[str, str] = os.environ) -> tuple[Path, ...]:
    """The files that are read, the system's first."""
    folder = environment.get("XDG_CONFIG_HOME", "")
    home = Path(folder) if folder.startswith("/") else Path(environment.get("HOME", "/nonexistent")) / ".config"
    return SYSTEM, home / "dnet-tui" / "config.toml"


def settings(files: Sequence[Path] | None = None) -> HostSettings:
    """Read the settings; a file that isn't there settles nothing.

    Raises:
        UsageError: a file can't be read, others may write to it, or it holds what nobody knows.
    """
    found = [item for item in map(_read, places() if files is None else files) if item is not None]
    merged = HostSettings()
    for item in found:
        merged = HostSettings(
            skip=(*merged.skip, *item.skip),
            flow=(*merged.flow, *item.flow),
            app=item.app if item.app.theme else merged.app,
            engines=item.engines if item.engines.docker_socket else merged.engines,
            files=(*merged.files, *item.files),
        )
    return merged


def _read(file: Path) -> HostSettings | None:
    try:
        with file.open("rb") as opened:
            import tomllib  # noqa: PLC0415 - 10 ms, and most hosts have no such file

            _require_trusted(file, os.fstat(opened.fileno()))
            text = opened.read(_LONGEST).decode()
            data = tomllib.loads(text)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UsageError(f"{file} can't be read: {error.strerror}", "mend it, or move it away") from None
    except ValueError as error:
        raise UsageError(f"{file} is no TOML: {error}", "mend it, or move it away") from None
    return _settled(file, text, data)


def _settled(file: Path, text: str, data: dict[str, Any]) -> HostSettings:
    from dnet_tui.tui.settings.misfits import line_of, require_fitting  # noqa: PLC0415 - as tomllib

    require_fitting(str(file), text, data)
    try:
        found = msgspec.convert(data, HostSettings)
    except msgspec.ValidationError as error:
        raise UsageError(f"{file}: {error}", "dnet-tui's README shows what may be settled") from None
    skip = (
        msgspec.structs.replace(item, said_in=f"{file}, line {line_of(text, 'skip', number, 'check')}")
        for number, item in enumerate(found.skip)
    )
    return msgspec.structs.replace(found, skip=tuple(skip), files=(str(file),))


def _require_trusted(file: Path, seen: os.stat_result) -> None:
    if not stat.S_ISREG(seen.st_mode):
        raise UsageError(f"{file} is no regular file", "move it away")
    if seen.st_uid not in {0, os.geteuid()} or seen.st_mode & 0o022:
        hint = f"chown it to yourself or root, and chmod go-w {file}"
        raise UsageError(f"{file} is not used: somebody else may write to it", hint)
