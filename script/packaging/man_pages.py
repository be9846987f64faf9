"""Man pages from the texts that ``--help`` shows: one per command and subcommand, and dnet-tui(1) with all of them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from dnet_tui.tui.exit_codes import Exit
from dnet_tui.tui.lazy_group import load
from dnet_tui.tui.main import app
from dnet_tui.tui.registry import COMMANDS

SEE_ALSO = "ip(8), bridge(8), nft(8), iptables(8), tcpdump(8), docker(1), podman(1)"


def escaped(text: str) -> str:
    """Return text as roff shows it unchanged: backslashes, hyphens, and no line that looks like a request."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "\\(ga").replace("'", "\\(aq")
    return re.sub(r"^([.])", r"\\&\1", text, flags=re.MULTILINE)


def paragraphs(text: str) -> Iterator[str]:
    r"""Yield a help text's paragraphs as roff; what stands after ``\b`` keeps its lines."""
    for part in inspect.cleandoc(text or "").split("\n\n"):
        if part.startswith("\b"):
            yield ".PP\n.nf\n" + escaped(part.removeprefix("\b").strip("\n")) + "\n.fi"
        elif part.strip():
            yield ".PP\n" + escaped(" ".join(part.split()))


def examples(epilog: str | None) -> Iterator[str]:
    """Yield the examples at the end of a help: the command in bold, what it does beneath."""
    lines = [line for line in (epilog or "").removeprefix("\b\n").splitlines() if line.strip()][1:]
    if not lines:
        return
    yield ".SH EXAMPLES"
    for line in lines:
        if line.startswith("      "):
            yield escaped(line.strip())
        else:
            yield f".TP\n.B {escaped(line.strip())}"


def options(command: Any) -> Iterator[str]:
    """Yield each argument and option with its help."""
    context = typer.Context(command, info_name=command.name)
    records = [(item, item.get_help_record(context)) for item in command.get_params(context)]
    for title, kind in (("ARGUMENTS", "argument"), ("OPTIONS", "option")):
        chosen = [record for item, record in records if record and item.param_type_name == kind]
        if chosen:
            yield f".SH {title}"
        for names, said in chosen:
            yield f".TP\n.B {escaped(names)}\n{escaped(' '.join(said.split()))}"


MEANING = {
    Exit.OK: "Healthy, done, or received by whom was meant.",
    Exit.FINDINGS: "Findings, or a packet that does not arrive.",
    Exit.USAGE: "Wrong usage; nothing was done.",
    Exit.CANNOT_INSPECT: "Too little could be read or decided.",
    Exit.INTERRUPTED: "Interrupted.",
    Exit.READER_GONE: "The reader of the output went away.",
}


def exit_codes() -> Iterator[str]:
    """Yield what each exit code means."""
    yield ".SH EXIT STATUS"
    for item in Exit:
        yield f".TP\n.B {item.value}\n{escaped(MEANING[item])}"


def page(words: tuple[str, ...], command: Any, version: str) -> str:
    """Return one page; ``words`` are the command's, such as ("net", "create")."""
    name = "-".join(("dnet-tui", *words))
    context = typer.Context(command, info_name=" ".join(("dnet-tui", *words)))
    usage = " ".join(command.collect_usage_pieces(context))
    summary = " ".join((command.help or "").split("\n\n")[0].split()).rstrip(".")
    parts = [
        f'.TH "{name.upper()}" 1 "" "dnet\\-tui {version}" "User Commands"',
        f".SH NAME\n{escaped(name)} \\- {escaped(summary[:1].lower() + summary[1:])}",
        f".SH SYNOPSIS\n.B {escaped(' '.join(('dnet-tui', *words)))}\n{escaped(usage)}",
        ".SH DESCRIPTION",
        *paragraphs(command.help or ""),
        *options(command),
    ]
    below = getattr(command, "commands", {})
    if below:
        parts.append(".SH COMMANDS")
        for sub, what in below.items():
            parts.append(f".TP\n.BR {escaped(f'{name}-{sub}')} (1)\n{escaped(what.get_short_help_str(200))}")
    parts += [*examples(command.epilog), *exit_codes()]
    others = "" if not words else "dnet\\-tui(1), "
    parts.append(f".SH SEE ALSO\n{others}{escaped(SEE_ALSO)}")
    return "\n".join(parts) + "\n"


def every_command() -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield dnet-tui itself, its commands, and theirs."""
    yield (), typer.main.get_command(app)
    for item in COMMANDS:
        command = load(item)
        yield (item.name,), command
        for sub, what in getattr(command, "commands", {}).items():
            yield (item.name, sub), what


def write_all(folder: Path, version: str) -> list[Path]:
    """Write every page to a folder and return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for words, command in every_command():
        file = folder / ("-".join(("dnet-tui", *words)) + ".1")
        file.write_text(page(words, command, version))
        made.append(file)
    return made
