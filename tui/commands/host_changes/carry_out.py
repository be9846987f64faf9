"""Carrying out a plan from the command line: shown, asked for, applied to the host it was made for, told."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from dnet_tui.inspect.text.sanitize import clean
from dnet_tui.tui.commands.confirmation import ask, show
from dnet_tui.tui.exit_codes import Exit

if TYPE_CHECKING:
    from dnet_tui.actions.journal.entries import JournalEntry
    from dnet_tui.actions.plans.plan import Plan
    from dnet_tui.tui.reports.change_types import ChangeData

Yes = Annotated[bool, typer.Option("--yes", help="Don't ask.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done, change nothing.")]
OutputFormat = Literal["text", "json"]
Output = Annotated[
    OutputFormat,
    typer.Option("--format", help="How to print it; json needs --yes or --dry-run."),
]
"""The options that every changing command has."""

_LIMIT = 4096  # characters of one line: commands are shown whole
_ROUNDS = 5
"""How often a plan is made anew for a host that keeps changing."""


def carry_out(
    make: Callable[[], Plan],
    *,
    yes: bool,
    dry_run: bool,
    output: OutputFormat = "text",
    verify: Callable[[], str] = lambda: "",
) -> None:
    """Show the plan that ``make`` makes of this host, ask, apply it, and say how to take it back.

    ``make`` looks at the host each time it is called: once to show the plan, and once more when nobody else of
    dnet-tui can change it.  A plan that doesn't fit any more is shown and asked for again.  ``verify`` looks at what
    came of it, in a line of text; empty where there is nothing to say.

    Raises:
        UsageError: JSON was asked for where a question would have to be answered.
        ActionFailedError: A change could not be made, or the host changes all the time.
    """
    from dnet_tui.actions.plans.binding import PlanOutdatedError  # noqa: PLC0415  only a change needs them
    from dnet_tui.actions.plans.plan import render  # noqa: PLC0415
    from dnet_tui.inspect.errors import UsageError  # noqa: PLC0415

    if output == "json" and not (yes or dry_run):
        msg = "a question can't be asked where JSON is printed"
        raise UsageError(msg, "add --yes to go ahead, or --dry-run")
    plan = make()
    for round_number in range(1, _ROUNDS + 1):
        if output == "text":
            show(render(plan))
        if dry_run:
            _show_json(plan, None, "", output)
            return
        if not ask("Do this?", yes=yes):
            show(["left as it is"])
            raise typer.Exit(Exit.FINDINGS)
        try:
            entry = _apply(plan, make)
        except PlanOutdatedError as outdated:
            if round_number == _ROUNDS:
                raise
            plan = outdated.plan
            if output == "text":
                show(["", "the host has changed since: the plan was made anew"])
            continue
        _show_done(plan, entry, verify(), output)
        return


def _show_done(plan: Plan, entry: JournalEntry, verified: str, output: str) -> None:
    if output == "text":
        show([clean(f"done: {plan.title}", _LIMIT), *(clean(f"  written by {writer}") for writer in entry.writers)])
        if verified:
            show([f"  {clean(line, _LIMIT)}" for line in verified.splitlines()])
        show([f"  → `dnet-tui undo {entry.id}` takes it back"])
        if kept := _kept_still(plan):
            show([f"  → {line}" for line in kept])
    _show_json(plan, entry, verified, output)


def _kept_still(plan: Plan) -> list[str]:
    """What files bring back at the next start of the host although the plan has just taken it away."""
    from dnet_tui.actions.journal.journal import read, state_folder  # noqa: PLC0415  as above
    from dnet_tui.actions.persist.lost_at_reboot import kept_things  # noqa: PLC0415

    kept = kept_things(plan.operations, read(state_folder())[0])
    return [f"entry {item} makes it again when the host starts: `dnet-tui undo {item}` ends that" for item in kept]


def _apply(plan: Plan, make: Callable[[], Plan]) -> JournalEntry:
    from dnet_tui.actions.execution.apply import apply_plan  # noqa: PLC0415  only a change needs them
    from dnet_tui.actions.execution.execute import HostExecutor  # noqa: PLC0415
    from dnet_tui.actions.journal.journal import state_folder  # noqa: PLC0415

    return apply_plan(plan, HostExecutor(), state_folder(), make)


def _show_json(plan: Plan, entry: JournalEntry | None, verified: str, output: str) -> None:
    if output != "json":
        return
    import msgspec  # noqa: PLC0415  as above

    from dnet_tui.actions.plans.boot_files import WriteFile  # noqa: PLC0415
    from dnet_tui.actions.plans.plan import command_lines, undo_lines  # noqa: PLC0415

    answer: ChangeData = {
        "format": 1,
        "title": plan.title,
        "commands": list(command_lines(plan)),
        "undo": list(undo_lines(plan)),
        "files": [
            {"path": action.path, "content": action.content}
            for action in plan.operations
            if isinstance(action, WriteFile)
        ],
        "notes": list(plan.notes),
        "persists": plan.persists,
        "entry": entry.id if entry is not None else None,
        "verified": verified,
    }
    show([msgspec.json.format(msgspec.json.encode(answer)).decode()])
