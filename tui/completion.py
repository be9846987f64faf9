"""What a shell completes besides commands and options: containers, networks, checks, chains, tables.

Each returns names that begin with what was typed.  It must be quick and quiet:
nothing is printed, nothing raised, no more imported than the question needs.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator

_PLACES = ("outside", "host")
_WORD = re.compile(r"[A-Za-z0-9_.@:+/-]{1,255}")
_MOST = 1000


def places(incomplete: str) -> list[str]:
    """Containers, and the two places that every host has."""
    return _beginning(incomplete, (*_engine_names()[0], *_PLACES))


def containers(incomplete: str) -> list[str]:
    """Containers and named namespaces."""
    return _beginning(incomplete, _engine_names()[0])


def networks(incomplete: str) -> list[str]:
    """Engines' networks, and those that dnet-tui made without one."""
    return _beginning(incomplete, (*_engine_names()[1], *_plain_networks()))


def subjects(incomplete: str) -> list[str]:
    """Containers and networks."""
    found = _engine_names()
    return _beginning(incomplete, (*found[0], *found[1], *_plain_networks()))


def checks(incomplete: str) -> list[str]:
    """The ids of checks."""
    from dnet_tui.diagnostics.checks.check_ids import CHECK_IDS  # noqa: PLC0415  only for this question

    return _beginning(incomplete, CHECK_IDS)


def interfaces(incomplete: str) -> list[str]:
    """The host's interfaces and the containers."""
    return _beginning(incomplete, (*_interfaces_here(), *_engine_names()[0]))


def host_interfaces(incomplete: str) -> list[str]:
    """The host's interfaces."""
    return _beginning(incomplete, _interfaces_here())


def _plain_networks(folder: str = "/sys/class/net") -> Iterator[str]:
    """The networks that bridges carry in their alias (``network_label``), as the kernel shows it in sysfs."""
    prefix = "dnet-tui:"
    for name in _interfaces_here():
        try:
            with open(f"{folder}/{name}/ifalias", encoding="utf-8") as file:  # noqa: PTH123  pathlib takes 10 ms
                alias = file.read()
            if alias.startswith(prefix):
                import json  # noqa: PLC0415  only where there is such a network

                yield str(json.loads(alias.removeprefix(prefix))["name"])
        except (OSError, ValueError, KeyError, TypeError):
            continue


def _interfaces_here() -> list[str]:
    try:
        return os.listdir("/sys/class/net")  # noqa: PTH208  names alone are wanted
    except OSError:
        return []


def chains(incomplete: str) -> list[str]:
    """The chains of the host's tables."""
    from dnet_tui.inspect.ruleset.quick_chains import quick_chains  # noqa: PLC0415  only for this question

    return _beginning(incomplete, (item.chain for item in quick_chains()))


def tables(incomplete: str) -> list[str]:
    """The host's tables."""
    from dnet_tui.inspect.ruleset.quick_chains import quick_chains  # noqa: PLC0415  only for this question

    return _beginning(incomplete, (item.table for item in quick_chains()))


def _engine_names() -> tuple[tuple[str, ...], tuple[str, ...]]:
    from dnet_tui.inspect.engines.quick_names import quick_names  # noqa: PLC0415  only for this question
    from dnet_tui.inspect.engines.registry import ENGINES  # noqa: PLC0415  as above

    return quick_names(ENGINES, os.environ)


def _beginning(incomplete: str, names: Iterable[str]) -> list[str]:
    """The names that go on from what was typed, each once; what a shell could take for more than a word is left out."""
    found = dict.fromkeys(name for name in names if name.startswith(incomplete) and _WORD.fullmatch(name))
    return list(found)[:_MOST]
