"""``dnet-tui route``: routes to container subnets of other hosts, with what the firewall needs for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dnet_tui.tui.commands.confirmation import require_consent
from dnet_tui.tui.commands.host_changes.carry_out import DryRun, Output, Yes, carry_out
from dnet_tui.tui.commands.snapshot_source import snapshot_from

if TYPE_CHECKING:
    from dnet_tui.actions.plans.plan import Plan

SubnetArgument = Annotated[str, typer.Argument(metavar="SUBNET", help="The other host's container subnet.")]

route_app = typer.Typer(no_args_is_help=True, add_completion=False, help="Route to container subnets of other hosts.")


@route_app.command("add")
def add(
    subnet: SubnetArgument,
    way: Annotated[list[str], typer.Argument(metavar="via GATEWAY", help="The other host's address.")],
    *,
    network: Annotated[
        list[str] | None,
        typer.Option("--network", metavar="NAME", help="Only for this network of this host; repeatable."),
    ] = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    output: Output = "text",
) -> None:
    """Route to a container subnet on another host, after showing the exact commands and asking.

    Both directions are accepted before the engines' drops, and what goes there is not masqueraded. The other host
    needs the same for the way back.
    """
    from dnet_tui.actions.host_access import LocalHost  # noqa: PLC0415  only this command needs them
    from dnet_tui.actions.networks.native_rules import uses_native  # noqa: PLC0415
    from dnet_tui.actions.plans.binding import anchored  # noqa: PLC0415
    from dnet_tui.actions.routes.host_route import add_plan, parse_route  # noqa: PLC0415
    from dnet_tui.actions.routes.routed import routed  # noqa: PLC0415

    request = parse_route(subnet, way, network or ())
    require_consent(yes=yes, dry_run=dry_run)

    def make() -> Plan:
        snapshot = snapshot_from(None)
        return anchored(add_plan(snapshot, request, native=uses_native(LocalHost())), snapshot)

    def verify() -> str:
        return routed(snapshot_from(None), request.subnet)

    carry_out(make, yes=yes, dry_run=dry_run, output=output, verify=verify)


@route_app.command("rm")
def rm(subnet: SubnetArgument, *, yes: Yes = False, dry_run: DryRun = False, output: Output = "text") -> None:
    """Remove a route that dnet-tui made, and its rules, after showing them and asking."""
    from dnet_tui.actions.plans.binding import anchored  # noqa: PLC0415  only this command needs them
    from dnet_tui.actions.routes.host_route import remove_plan  # noqa: PLC0415

    require_consent(yes=yes, dry_run=dry_run)

    def make() -> Plan:
        snapshot = snapshot_from(None)
        return anchored(remove_plan(snapshot, subnet), snapshot)

    carry_out(make, yes=yes, dry_run=dry_run, output=output)
