"""``dnet-tui persist``: keeps changes over a reboot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dnet_tui.tui.commands.confirmation import require_consent
from dnet_tui.tui.commands.host_changes.carry_out import DryRun, Output, Yes, carry_out
from dnet_tui.tui.commands.snapshot_source import snapshot_from

if TYPE_CHECKING:
    from dnet_tui.actions.plans.plan import Plan


def persist(
    entry: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ENTRY]...", help="Entries of the journal; left out: all that a reboot would lose."),
    ] = None,
    *,
    yes: Yes = False,
    dry_run: DryRun = False,
    output: Output = "text",
) -> None:
    """Keep changes over a reboot, after showing the files and asking.

    Kernel parameters go to /etc/sysctl.d, modules to /etc/modules-load.d; bridges, routes and rules are made
    by a unit of systemd of their own, after engines and firewalls have written theirs. Nothing else changes now.
    """
    from dnet_tui.actions.journal.journal import here, read, state_folder  # noqa: PLC0415  only this command needs them
    from dnet_tui.actions.persist.boot_facts import read_boot_facts  # noqa: PLC0415
    from dnet_tui.actions.persist.keep_plan import keep_plan  # noqa: PLC0415

    require_consent(yes=yes, dry_run=dry_run)

    def make() -> Plan:
        entries, _ = read(state_folder())
        return keep_plan(entries, here(), snapshot_from(None), read_boot_facts(), tuple(entry or ()))

    carry_out(make, yes=yes, dry_run=dry_run, output=output)
