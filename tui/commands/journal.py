"""``dnet-tui journal``: the changes that dnet-tui has made, and what became of them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from dnet_tui.inspect.text.sanitize import clean
from dnet_tui.tui.commands.confirmation import show

if TYPE_CHECKING:
    from dnet_tui.actions.journal.entries import JournalEntry, StepLocation
    from dnet_tui.tui.reports.change_types import JournalData

_LIMIT = 4096  # characters of one line


def journal(
    *,
    output: Annotated[Literal["text", "json"], typer.Option("--format", help="How to print it.")] = "text",
) -> None:
    """List the changes that dnet-tui made on this host, oldest first.

    An entry is begun (cut short: `undo` puts back what was done of it), done,
    failed or undone. JSON has the operations, the state captured before each,
    and the commands that take it back.
    """
    from dnet_tui.actions.journal.journal import here, read, state_folder  # noqa: PLC0415  only this command needs them
    from dnet_tui.actions.persist.lost_at_reboot import lost_at_reboot  # noqa: PLC0415

    folder = state_folder()
    entries, torn = read(folder)
    place = here()
    lost = {entry.id for entry in lost_at_reboot(entries, place)}
    if output == "json":
        import msgspec  # noqa: PLC0415  as above

        show([msgspec.json.format(msgspec.json.encode([_as_json(entry, place, lost) for entry in entries])).decode()])
    else:
        show(_as_text(entries, place, lost) or ["dnet-tui has changed nothing so far"])
    if torn:
        print(
            f"not seen: {torn} line(s) of {folder}/journal.jsonl were cut short or are of another version",
            file=sys.stderr,
        )


def _as_text(entries: tuple[JournalEntry, ...], place: StepLocation, lost: set[str]) -> list[str]:
    from dnet_tui.actions.journal.entries import elsewhere  # noqa: PLC0415  as above

    lines: list[str] = []
    for entry in entries:
        away = "" if not elsewhere(entry, place) else "  (not of this host as it is now)"
        lines.append(clean(f"{entry.id}  {entry.time}  {entry.status:<6}  {entry.title}{away}", _LIMIT))
        if entry.unreadable:
            lines.append(clean(f"      can't be taken back by this version: {entry.unreadable}", _LIMIT))
        if entry.reason:
            lines.append(clean(f"      {entry.reason}", _LIMIT))
        if entry.id in lost:
            lines.append(f"      lost at a reboot, unless `dnet-tui persist {entry.id}` can keep it")
        lines += [clean(f"      written by {writer}", _LIMIT) for writer in entry.writers]
    return lines


def _as_json(entry: JournalEntry, place: StepLocation, lost: set[str]) -> JournalData:
    import msgspec  # noqa: PLC0415  as above

    from dnet_tui.actions.execution.undo import undo_words  # noqa: PLC0415
    from dnet_tui.actions.journal.entries import elsewhere  # noqa: PLC0415

    return {
        "id": entry.id,
        "time": entry.time,
        "title": entry.title,
        "status": entry.status,
        "reason": entry.reason,
        "unreadable": entry.unreadable,
        "netns": entry.place.netns,
        "elsewhere": elsewhere(entry, place),
        "lost_at_reboot": entry.id in lost,
        "changes": [
            {
                "operation": msgspec.to_builtins(change.action),
                "text": change.action.text,
                "commands": [list(words) for words in change.action.commands()],
                "before": msgspec.to_builtins(change.captured),
                "after": msgspec.to_builtins(change.after),
                "undo": [list(words) for words in undo_words(change)],
                "taken_back": change.unmade,
            }
            for change in entry.changes
        ],
    }
