"""``dnet-tui undo``: takes back a change that dnet-tui made, exactly."""

from __future__ import annotations

from typing import Annotated

import typer

from dnet_tui.inspect.text.sanitize import clean
from dnet_tui.tui.commands.confirmation import ask, require_consent, show
from dnet_tui.tui.exit_codes import Exit

_LIMIT = 4096  # characters of one line: commands are shown whole


def undo(
    entry: Annotated[
        str | None, typer.Argument(help="The entry of the journal; the latest of this host if left out.")
    ] = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be taken back, change nothing.")] = False,
    force: Annotated[
        bool,
        typer.Option("--force", help="Also when the change was made in another network namespace, or before a reboot."),
    ] = False,
) -> None:
    """Take back a change that dnet-tui made: rules, kernel parameters and networks as they were.

    It works from the state that the journal kept, also when dnet-tui was
    killed in the middle of the change.
    """
    from dnet_tui.actions.execution.execute import HostExecutor  # noqa: PLC0415  only this command needs them
    from dnet_tui.actions.execution.undo import choose, preview, undo_entry  # noqa: PLC0415
    from dnet_tui.actions.journal.journal import here, read, state_folder  # noqa: PLC0415
    from dnet_tui.actions.persist.lost_at_reboot import kept_by  # noqa: PLC0415

    require_consent(yes=yes, dry_run=dry_run)
    folder = state_folder()
    entries, _ = read(folder)
    chosen = choose(entries, entry, here(), force=force)
    cut_short = " (cut short)" if chosen.status == "begun" else ""
    show([clean(f"undo {chosen.id} of {chosen.time}{cut_short}: {chosen.title}", _LIMIT)])
    show([f"    {line}" for line in preview(chosen)])
    if dry_run:
        return
    if not ask("Take this back?", yes=yes):
        show(["left as it is"])
        raise typer.Exit(Exit.FINDINGS)
    result = undo_entry(HostExecutor(), folder, chosen.id, force=force)
    show([f"  {clean(note, _LIMIT)}" for note in result.notes])
    show([f"undone: entry {result.entry.id}"])
    keeper = kept_by(read(folder)[0]).get(chosen.id)
    if keeper is not None:
        show([f"  → entry {keeper} makes it again when the host starts: `dnet-tui undo {keeper}` ends that"])
