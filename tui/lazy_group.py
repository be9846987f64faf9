"""A command group that imports a command only when it is called.

Start-up is felt on every call over SSH: listing the commands must not cost
what running them does.
"""

from __future__ import annotations

import importlib
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from dnet_tui.inspect.errors import UsageError
from dnet_tui.tui.error_exit import translated
from dnet_tui.tui.registry import COMMANDS, CommandSpec, entry


def _complete(option: str, shell: str) -> None:
    from dnet_tui.tui.completion_scripts import SHELLS, install, script  # noqa: PLC0415  only for this question

    if shell not in SHELLS:
        raise UsageError(f"there is no completion for {shell!r}", f"name one of {', '.join(SHELLS)}")
    if option == "--show-completion":
        print(script(shell), end="")
        return
    print(f"completion for {shell} is installed in {install(shell)}; a new shell uses it")


class LazyGroup(TyperGroup):
    """The root command.  It holds a stub per command and swaps in the real one when it is resolved."""

    def __init__(self, **attrs: Any) -> None:
        super().__init__(**attrs)
        for item in COMMANDS:
            self.add_command(TyperCommand(item.name, help=item.help, rich_markup_mode=None))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take a shell's name after the options for completion: Typer's own know only the shell that calls."""
        match args:
            case ["--install-completion" | "--show-completion" as option, shell] if not shell.startswith("-"):
                with translated(traceback=False):
                    _complete(option, shell)
                ctx.exit()
        found: list[str] = super().parse_args(ctx, args)
        return found

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command that ``args`` name and load it; also used by completion."""
        name, command, rest = super().resolve_command(ctx, args)
        known = entry(name) if name else None
        if known is None:
            return name, command, rest
        if known.writes and ctx.params.get("readonly") and not ctx.resilient_parsing:
            msg = f"`{known.name}` changes the host, and --readonly was given"
            raise UsageError(msg, "leave out --readonly, or see what would be done with --dry-run alone")
        return name, load(known), rest

    def invoke(self, ctx: Any) -> Any:
        """Run the command; errors become messages and exit codes."""
        with translated(traceback=bool(ctx.params.get("traceback"))):
            return super().invoke(ctx)


def load(known: CommandSpec) -> Any:
    """Import a command and build it, with its examples at the end of its help."""
    module, _, attribute = known.target.partition(":")
    target = getattr(importlib.import_module(module), attribute)
    if isinstance(target, typer.Typer):
        app = target
        app.rich_markup_mode = None
    else:
        app = typer.Typer(add_completion=False, rich_markup_mode=None)
        app.command(known.name)(target)
    app._add_completion = False  # noqa: SLF001  only the root offers to install completion
    command = typer.main.get_command(app)
    command.name = known.name
    command.help = command.help or known.help
    command.epilog = examples_text(known.examples) or command.epilog
    return command


def examples_text(examples: tuple[tuple[str, str], ...]) -> str:
    r"""The examples as a paragraph that help doesn't re-wrap (``\b``): command, then what it does beneath."""
    if not examples:
        return ""
    return "\b\n" + "\n".join(["Examples:", *(f"  {command}\n      {does}" for command, does in examples)])
