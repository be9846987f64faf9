"""What a running firewalld is set to, read from its files as it sees them itself.  Nothing is asked of it.

Its daemon is known by its process, and its settings by /etc/firewalld; the bus
it listens on is left alone, and its client (a Python program that takes half a
second) is never run.

Source: firewalld.conf(5), firewalld.zone(5); ``PARSER_*`` of firewalld's
``core/io/zone.py`` for what a zone's file may hold.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

import msgspec

from dnet_tui.inspect.errors import DnetError
from dnet_tui.inspect.kernel.procfs import ProcessSeen
from dnet_tui.inspect.kernel.read_file import NotAnOrdinaryFileError, TooLargeFileError, read_file
from dnet_tui.inspect.model.coverage.gaps import Gap
from dnet_tui.inspect.model.firewalld import Firewalld, FirewalldZone
from dnet_tui.inspect.text.encoding import storable, text

_NAME = "firewalld"
_FOLDER = "/etc/firewalld"
_LARGEST = 1 << 18
_MOST_ZONES = 200
_BACKENDS = frozenset({"nftables", "iptables"})
_YES, _NO = frozenset({"yes", "true"}), frozenset({"no", "false"})

_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)


class FirewalldProcess(msgspec.Struct, frozen=True, kw_only=True):
    """The firewalld of the host, if one runs, and what could not be read of it."""

    firewalld: Firewalld | None = None
    gaps: tuple[Gap, ...] = ()


def read_firewalld(processes: Iterable[ProcessSeen], host: int) -> FirewalldProcess:
    """The firewalld among ``processes`` that works in the host's network namespace (``host`` is its inode)."""
    found = [item for item in processes if item.name == _NAME and item.inode == host and item.container is None]
    if not found:
        return FirewalldProcess()
    pid = found[0].pid
    gaps: list[Gap] = []
    settings = Firewalld(pid=pid)
    try:
        folder = _folder(pid)
        try:
            settings = parse_settings(_read(folder / "firewalld.conf"), pid)
        except FileNotFoundError:
            settings = parse_settings("", pid)  # it runs by its defaults then, and says so in its log
    except OSError as error:
        gaps.append(_gap(f"its settings could not be read: {error.strerror or error}", _as_root(error)))
        return FirewalldProcess(firewalld=settings, gaps=tuple(gaps))
    try:
        settings = msgspec.structs.replace(settings, zones=tuple(_zones(folder / "zones")))
    except OSError as error:
        gaps.append(_gap(f"its zones could not be read: {error.strerror or error}", _as_root(error)))
    except DnetError as error:
        gaps.append(_gap(f"its zones could not be read: {error.message}", error.hint))
    return FirewalldProcess(firewalld=settings, gaps=tuple(gaps))


def _gap(reason: str, hint: str) -> Gap:
    return Gap(section="firewalld", scope=_NAME, reason=reason, hint=hint)


def _as_root(error: OSError) -> str:
    return "run as root: sudo dnet-tui …" if isinstance(error, PermissionError) else ""


def _folder(pid: int) -> Path:
    """Its folder, as it sees it itself; as we see it when its view isn't ours to look into."""
    try:
        Path(f"/proc/{pid}/root/").stat()
    except PermissionError:
        return Path(_FOLDER)
    return Path(f"/proc/{pid}/root{_FOLDER}")


def _read(path: Path) -> str:
    """An ordinary file of an ordinary size.

    Raises:
        OSError: it isn't there, or is something else.
    """
    try:
        return text(read_file(str(path), _LARGEST))
    except NotAnOrdinaryFileError:
        raise OSError("one of its files is not an ordinary file") from None
    except TooLargeFileError:
        raise OSError("one of its files is larger than any of firewalld's") from None


def _zones(folder: Path) -> Iterator[FirewalldZone]:
    """The zones that have a file in a folder; a part of them would look like all of them.

    Raises:
        OSError: the folder or a file can't be read.
        DnetError: a file isn't a zone's, or there are too many.
    """
    try:
        with os.scandir(folder) as entries:
            found = list(islice((entry.name for entry in entries), 4 * _MOST_ZONES + 1))
    except FileNotFoundError:
        return
    names = sorted(name for name in found if name.endswith(".xml"))
    if len(found) > 4 * _MOST_ZONES or len(names) > _MOST_ZONES:
        raise DnetError(f"there are more than {_MOST_ZONES} of them")
    for name in names:
        yield parse_zone(storable(name.removesuffix(".xml")), _read(folder / name))


def parse_settings(said: str, pid: int) -> Firewalld:
    """What firewalld.conf says, with firewalld's defaults for the rest: ``KEY=value`` lines, ``#`` and ``;`` comments.

    ``StrictForwardPorts`` (since 2.3) is off unless it says otherwise.
    """
    values: dict[str, str] = {}
    for line in said.splitlines():
        key, equals, value = line.partition("=")
        if equals and not key.lstrip().startswith(("#", ";")):
            values.setdefault(key.strip(), value.strip())
    strict = values.get("StrictForwardPorts", "no").lower()
    backend = values.get("FirewallBackend", "nftables").lower()
    return Firewalld(
        pid=pid,
        settled=True,
        backend=backend if backend in _BACKENDS else "nftables",
        default_zone=values.get("DefaultZone", "") or "public",
        strict_forward_ports=True if strict in _YES else False if strict in _NO else None,
    )


def parse_zone(name: str, said: str) -> FirewalldZone:
    """A zone's file.  One that declares entities is refused: no zone needs any.

    Raises:
        DnetError: it isn't a zone's file.  Which one it was is not said, as it may be called after anything.
    """
    # Imported here: only a host with firewalld needs it.
    from xml.etree import ElementTree as ET  # noqa: PLC0415

    root = None
    if "<!" not in _COMMENT.sub("", said):
        with suppress(ET.ParseError, LookupError, ValueError):  # the last two for encodings that Python can't read
            root = ET.fromstring(said.encode())  # noqa: S314 - without declarations there is nothing to expand
    if root is None or root.tag != "zone":
        raise DnetError("one of its files is not a zone's", "firewall-cmd --check-config says which, and why")
    sources = [item.get("address") or item.get("mac") or item.get("ipset") for item in root.findall("source")]
    return FirewalldZone(
        name=name,
        target=root.get("target", ""),
        interfaces=tuple(filter(None, (item.get("name") for item in root.findall("interface")))),
        sources=tuple(filter(None, sources)),
    )
