"""Runs iptables' save programs.  Argument vectors only, with a time limit; they change nothing.

The program runs in the network namespace of the calling thread.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from dnet_tui.inspect.iptables import Family
from dnet_tui.inspect.untrusted import clean

TIME_LIMIT = 15.0
"""Seconds; 20,000 rules take less than half of one."""

_PROGRAMS: dict[tuple[str, Family], tuple[tuple[str, ...], ...]] = {
    ("iptables-nft", "ip"): (("iptables-nft-save",), ("xtables-nft-multi", "iptables-save")),
    ("iptables-nft", "ip6"): (("ip6tables-nft-save",), ("xtables-nft-multi", "ip6tables-save")),
    ("iptables-legacy", "ip"): (("iptables-legacy-save",), ("xtables-legacy-multi", "iptables-save")),
    ("iptables-legacy", "ip6"): (("ip6tables-legacy-save",), ("xtables-legacy-multi", "ip6tables-save")),
}
_INCOMPATIBLE = re.compile(r"^# Table [`'](\S+)' is incompatible", re.MULTILINE)
_SYSTEM_FOLDERS = "/usr/sbin:/sbin:/usr/bin:/bin"


class Saved(NamedTuple):
    """What a save program printed, and the tables it should have.

    ``error`` is empty if it ended well.  ``incompatible`` are the tables that
    it said it can't show.
    """

    text: str
    tables: tuple[str, ...]
    error: str = ""
    hint: str = ""
    incompatible: frozenset[str] = frozenset()


def save(
    backend: Literal["iptables-nft", "iptables-legacy"], family: Family, tables: Sequence[str]
) -> tuple[Saved, ...]:
    """Print the tables with counters: all at once, or one by one where the program gives up on one of them."""
    names = tuple(tables)
    program = _program(backend, family)
    if program is None:
        wanted = _PROGRAMS[backend, family][0][0]
        return (Saved("", names, f"{wanted} is not installed", f"install iptables, which brings {wanted}"),)
    whole = _run([*program, "-c"], names)
    if not whole.error or len(names) == 1:
        return (whole,)
    return tuple(_run([*program, "-c", "-t", name], (name,)) for name in names)


def _program(backend: str, family: Family) -> tuple[str, ...] | None:
    path = f"{os.environ.get('PATH', '')}:{_SYSTEM_FOLDERS}"
    for name, *arguments in _PROGRAMS[backend, family]:
        found = shutil.which(name, path=path)
        if found:
            return (found, *arguments)
    return None


def _run(command: list[str], tables: tuple[str, ...]) -> Saved:
    name = Path(command[0]).name
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIME_LIMIT, check=False)
    except subprocess.TimeoutExpired:
        return Saved("", tables, f"{name} did not answer within {TIME_LIMIT:.0f} s")
    except OSError as error:
        return Saved("", tables, f"{name} could not be run: {error.strerror}")
    text = done.stdout.decode("utf-8", "backslashreplace")
    said = " ".join(done.stderr.decode("utf-8", "replace").split())
    failure = f"{name} failed: {clean(said) or f'status {done.returncode}'}" if done.returncode else ""
    hint = "run dnet-tui as root" if "ermission denied" in said else ""
    return Saved(text, tables, failure, hint, frozenset(_INCOMPATIBLE.findall(text)))
