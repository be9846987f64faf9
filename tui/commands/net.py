"""``dnet-tui net``: creates and removes networks of Docker, Podman or plain Linux."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from dnet_tui.inspect.model.coverage.needs import Needs, SectionName
from dnet_tui.inspect.text.sanitize import clean
from dnet_tui.tui.commands.confirmation import ask, require_consent, show
from dnet_tui.tui.commands.snapshot_source import snapshot_from
from dnet_tui.tui.exit_codes import Exit

if TYPE_CHECKING:
    from dnet_tui.actions.plans.plan import Plan

EngineOption = Annotated[
    Literal["docker", "podman", "linux"] | None,
    typer.Option("--engine", help="Whose network. Left out: Docker's where it answers, else plain Linux."),
]
Yes = Annotated[bool, typer.Option("--yes", help="Don't ask.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done, change nothing.")]

_NEEDS = Needs(
    everywhere=frozenset({SectionName.ADDRESSES}),
    host=frozenset({SectionName.ROUTES, SectionName.POLICY_RULES, SectionName.SYSCTLS, SectionName.FIREWALL}),
)
_LIMIT = 4096  # characters of one line: commands are shown whole

net_app = typer.Typer(no_args_is_help=True, add_completion=False, help="Create and remove networks.")


@net_app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="The network's name.")],
    *,
    engine: EngineOption = None,
    subnet: Annotated[
        list[str] | None,
        typer.Option("--subnet", metavar="CIDR", help="Its range, twice for IPv4 and IPv6; left out: a free IPv4 one."),
    ] = None,
    gateway: Annotated[
        list[str] | None,
        typer.Option("--gateway", metavar="ADDRESS", help="The bridge's address in it, once for each range."),
    ] = None,
    internal: Annotated[bool, typer.Option("--internal", help="No way out, and none in.")] = False,
    icc: Annotated[bool, typer.Option("--icc/--no-icc", help="Its containers reach each other.")] = True,
    masquerade: Annotated[
        bool, typer.Option("--masquerade/--no-masquerade", help="What leaves takes the host's address.")
    ] = True,
    isolated: Annotated[
        bool, typer.Option("--isolated/--no-isolated", help="Other bridges of this host can't reach it.")
    ] = True,
    mtu: Annotated[int | None, typer.Option("--mtu", metavar="BYTES", help="Largest packet.")] = None,
    bridge_name: Annotated[str, typer.Option("--bridge-name", metavar="NAME", help="The kernel's name of it.")] = "",
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Create a bridge network, after showing the exact commands and asking."""
    from dnet_tui.actions.networks.engine_networks import create_plan, default_engine  # noqa: PLC0415  only this needs them
    from dnet_tui.actions.networks.request import Request  # noqa: PLC0415
    from dnet_tui.actions.networks.subnets import by_family  # noqa: PLC0415

    require_consent(yes=yes, dry_run=dry_run)
    subnet4, subnet6 = by_family(subnet or (), "--subnet")
    gateway4, gateway6 = by_family(gateway or (), "--gateway")
    snapshot = snapshot_from(None, _NEEDS)
    request = Request(
        name=name,
        engine=engine or default_engine(snapshot),
        subnet=subnet4,
        gateway=gateway4,
        subnet6=subnet6,
        gateway6=gateway6,
        internal=internal,
        icc=icc,
        masquerade=masquerade,
        isolated=isolated,
        mtu=mtu,
        bridge_name=bridge_name,
    )
    _carry_out(create_plan(snapshot, request), yes=yes, dry_run=dry_run)


@net_app.command("rm")
def rm(
    name: Annotated[str, typer.Argument(help="The network's name.")],
    *,
    engine: EngineOption = None,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Remove a network that nothing uses, after showing the exact commands and asking."""
    from dnet_tui.actions.networks.engine_networks import remove_plan  # noqa: PLC0415  only this needs it

    require_consent(yes=yes, dry_run=dry_run)
    _carry_out(remove_plan(snapshot_from(None, _NEEDS), name, engine or ""), yes=yes, dry_run=dry_run)


def _carry_out(plan: Plan, *, yes: bool, dry_run: bool) -> None:
    from dnet_tui.actions.execution.apply import apply_plan  # noqa: PLC0415  only a change needs them
    from dnet_tui.actions.execution.execute import HostExecutor  # noqa: PLC0415
    from dnet_tui.actions.journal.journal import state_folder  # noqa: PLC0415
    from dnet_tui.actions.plans.plan import render  # noqa: PLC0415

    show(render(plan))
    if dry_run:
        return
    if not ask("Do this?", yes=yes):
        show(["left as it is"])
        raise typer.Exit(Exit.FINDINGS)
    entry = apply_plan(plan, HostExecutor(), state_folder())
    show([clean(f"done: {plan.title}", _LIMIT), *(clean(f"  written by {writer}") for writer in entry.writers)])
    show([f"  → `dnet-tui undo {entry.id}` takes it back"])
