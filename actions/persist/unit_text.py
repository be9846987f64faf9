"""A unit of systemd that makes changes when the host starts, and takes them back when it is stopped.  Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from dnet_tui.diagnostics.operations.base import Argv
from dnet_tui.inspect.errors import UsageError

ENGINES = ("docker.service", "podman.service", "libvirtd.service")
_FIREWALLS = (
    "nftables.service",
    "iptables.service",
    "ip6tables.service",
    "netfilter-persistent.service",
    "firewalld.service",
    "ufw.service",
)
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:,=+!")


def unit_text(
    title: str,
    starts: Sequence[Argv],
    stops: Sequence[Argv],
    *,
    after: Iterable[str] = (),
    follows: str = "",
    reloads: bool = False,
    find: Callable[[str], str],
) -> str:
    """The unit's file.

    Args:
        title: what it is for, in one line.
        starts: the commands that make the changes, in order; one that fails ends it.
        stops: those that take them back, in order, whatever has been made.
        after: the units that must have been started before, besides engines and firewalls.
        follows: the engine or firewall among whose rules these stand: restarted with it.
        reloads: whether ``starts`` may be run again at any time, and are when what it ``follows`` is reloaded.
        find: a program's path.
    """
    order = " ".join(dict.fromkeys((*_FIREWALLS, *ENGINES, "network-online.target", *after)))
    lines = ["# Written by dnet-tui, which takes it away again: `dnet-tui undo`.", "[Unit]"]
    lines += [f"Description={_line(title)}", f"After={order}", "Wants=network-online.target"]
    lines += [f"PartOf={follows}"] if follows else []
    lines += [f"ReloadPropagatedFrom={follows}"] if follows and reloads else []
    lines += ["", "[Service]", "Type=oneshot", "RemainAfterExit=yes"]
    lines += [f"ExecStart={exec_line(words, find)}" for words in starts]
    lines += [f"ExecReload={exec_line(words, find)}" for words in starts if reloads]
    lines += [f"ExecStopPost=-{exec_line(words, find)}" for words in stops]
    wanted = f"multi-user.target {follows}".rstrip()
    lines += ["", "[Install]", f"WantedBy={wanted}", ""]
    return "\n".join(lines)


def exec_line(words: Argv, find: Callable[[str], str]) -> str:
    """A command as systemd.service(5) takes it: every word quoted, with nothing in it expanded.

    Raises:
        UsageError: A word holds what a unit's line can't.
    """
    return " ".join((find(words[0]), *(_quoted(word) for word in words[1:])))


def _quoted(word: str) -> str:
    if not word.isprintable():
        raise UsageError(f"{word!a} can't be written into a unit's line", "take the change back and make it without")
    if word and not set(word) - _PLAIN:
        return word
    text = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{text}"'


def _line(text: str) -> str:
    shown = "".join(letter if letter.isprintable() else "?" for letter in text)
    return shown.replace("%", "%%").rstrip("\\")
