"""The programs that hold TUN and TAP devices: at their other ends, where a device's packets come out.

A descriptor of /dev/net/tun tells its device's name in /proc/PID/fdinfo, not
the namespace that the device is in.  Changes nothing.  Source: tun_chr_show_fdinfo
of drivers/net/tun.c (Linux 3.18).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from dnet_tui.inspect.kernel.netns import namespace_id
from dnet_tui.inspect.kernel.procfs import ProcessSeen
from dnet_tui.inspect.model import Link, TunProgram
from dnet_tui.inspect.text.encoding import storable

_DEVICE = "/dev/net/tun"


def find_tun_programs(
    processes: Iterable[ProcessSeen], links: Mapping[str, tuple[Link, ...]], proc: Path = Path("/proc")
) -> tuple[TunProgram, ...]:
    """The programs that hold the TUN and TAP devices among the links of each namespace (by its id)."""
    homes: dict[str, list[str]] = {}
    for space, found in links.items():
        for link in found:
            if link.kind == "tun":
                homes.setdefault(link.name, []).append(space)
    if not homes:
        return ()
    return tuple(
        TunProgram(netns=home, link=name, pid=process.pid, name=process.name)
        for process in processes
        for name in dict.fromkeys(_held(proc / str(process.pid)))
        if (home := _home(homes.get(name, []), namespace_id(process.inode)))
    )


def _home(among: list[str], own: str) -> str:
    """The namespace of a device with a name: the only one that has such, else the program's own; empty: not sure."""
    return among[0] if len(among) == 1 else own if own in among else ""


def _held(process: Path) -> Iterator[str]:
    """The names of the devices that a process holds; none of one that may not be looked into."""
    try:
        held = [fd.name for fd in (process / "fd").iterdir() if _leads_to(fd) == _DEVICE]
    except OSError:
        return
    for fd in held:
        try:
            text = (process / "fdinfo" / fd).read_text("utf-8", errors="replace")
        except OSError:
            continue
        for line in text.splitlines():
            key, _, value = line.partition(":")
            if key == "iff" and value.strip():
                yield storable(value.strip())


def _leads_to(path: Path) -> str:
    try:
        return os.readlink(path)  # noqa: PTH115 - a Path would be made of what may be no path
    except OSError:
        return ""
