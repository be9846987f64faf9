"""The pages of the commands, from the texts that ``--help`` shows: one per command, subcommands within it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import typer
from man_pages import MEANING, every_command

from dnet_tui.tui.exit_codes import Exit
from dnet_tui.tui.registry import COMMANDS


def pages() -> dict[str, str]:
    """Every page by its path, and their index."""
    found: dict[str, str] = {"commands/index.md": index()}
    for words, command in every_command():
        path = f"commands/{words[0] if words else 'dnet-tui'}.md"
        below = len(words) > 1
        found[path] = found.get(path, "") + "\n".join(_lines(words, command, "##" if below else "#")) + "\n\n"
    return {path: text.rstrip() + "\n" for path, text in found.items()}


def index() -> str:
    """The list of commands."""
    rows = [f"| [`{item.name}`]({item.name}.md) | {item.help} | `{item.examples[0][0]}` |" for item in COMMANDS]
    first = "| [`dnet-tui`](dnet-tui.md) | Open the app on this host, or on a saved one. | `dnet-tui` |"
    head = ["# Commands", "", "| command | what it does | for example |", "|---|---|---|", first]
    return "\n".join([*head, *rows]) + "\n"


def exit_codes() -> str:
    """The exit codes as a table."""
    rows = [f"| {item.value} | {MEANING[item]} |" for item in Exit]
    return "\n".join(["| exit code | means |", "|---|---|", *rows])


def _lines(words: tuple[str, ...], command: Any, level: str) -> Iterator[str]:
    name = " ".join(("dnet-tui", *words))
    context = typer.Context(command, info_name=name)
    yield f"{level} {name}"
    yield ""
    yield from _paragraphs(command.help or "")
    yield "```"
    yield f"{name} {' '.join(command.collect_usage_pieces(context))}"
    yield "```"
    records = [(item, item.get_help_record(context)) for item in command.get_params(context)]
    for title, kind in (("argument", "argument"), ("option", "option")):
        rows = [record for item, record in records if record and item.param_type_name == kind]
        if rows:
            yield from ("", f"| {title} | |", "|---|---|")
        for names, said in rows:
            yield f"| {_code(names)} | {_cell(' '.join(said.split()))} |"
    yield from _examples(command.epilog)


def _paragraphs(text: str) -> Iterator[str]:
    for part in inspect.cleandoc(text).split("\n\n"):
        if part.startswith("\b"):
            yield from ("```", part.removeprefix("\b").strip("\n"), "```", "")
        elif part.strip():
            yield from (_plain(" ".join(part.split())), "")


def _examples(epilog: str | None) -> Iterator[str]:
    lines = [line.strip() for line in (epilog or "").removeprefix("\b\n").splitlines() if line.strip()][1:]
    if lines:
        yield from ("", "For example:", "", "```")
        for command, what in zip(lines[::2], lines[1::2], strict=True):
            yield from (f"# {what}", command)
        yield "```"


def _plain(text: str) -> str:
    """Text that Markdown shows as it is; what stands in backticks stays code."""
    parts = text.replace("``", "`").split("`")
    for at in range(0, len(parts), 2):
        parts[at] = parts[at].replace("<", "&lt;").replace("*", "\\*").replace("_", "\\_").replace("[", "\\[")
    return "`".join(parts)


def _cell(text: str) -> str:
    return _plain(text).replace("|", "\\|")


def _code(text: str) -> str:
    """Code in a table's cell, which may hold a bar."""
    return "<code>" + text.replace("&", "&amp;").replace("<", "&lt;").replace("|", "&#124;") + "</code>"
