"""``dnet-tui port``: publishes ports of running containers, and stops it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dnet_tui.inspect.errors import UsageError
from dnet_tui.tui import completion
from dnet_tui.tui.commands.confirmation import require_consent
from dnet_tui.tui.commands.host_changes.carry_out import DryRun, Output, Yes, carry_out
from dnet_tui.tui.commands.snapshot_source import snapshot_from

if TYPE_CHECKING:
    from dnet_tui.actions.plans.plan import Plan

Name = Annotated[
    str,
    typer.Argument(
        metavar="CONTAINER", autocompletion=completion.containers, help="The container's name, or a plain namespace's."
    ),
]

port_app = typer.Typer(no_args_is_help=True, add_completion=False, help="Publish ports of running containers.")


@port_app.command("publish")
def publish(
    container: Name,
    port: Annotated[
        str, typer.Argument(metavar="[ADDRESS:]PORT:CONTAINERPORT[/PROTO]", help="As `docker run -p` takes it.")
    ],
    *,
    localhost: Annotated[bool, typer.Option("--localhost", help="Also on 127.0.0.1 of the host.")] = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    output: Output = "text",
) -> None:
    """Publish a port of a running container, after showing the exact rules and asking.

    The container isn't restarted. The rules are dnet-tui's own and stand where engines leave them alone.
    """
    from dnet_tui.actions.host_access import LocalHost  # noqa: PLC0415  only this command needs them
    from dnet_tui.actions.networks.native_rules import uses_native  # noqa: PLC0415
    from dnet_tui.actions.plans.binding import anchored  # noqa: PLC0415
    from dnet_tui.actions.ports.publish import parse_port, publish_plan  # noqa: PLC0415
    from dnet_tui.actions.ports.reached import reached  # noqa: PLC0415

    request = parse_port(container, port, localhost=localhost)
    require_consent(yes=yes, dry_run=dry_run)

    def make() -> Plan:
        snapshot = snapshot_from(None)
        return anchored(publish_plan(snapshot, request, native=uses_native(LocalHost())), snapshot)

    carry_out(make, yes=yes, dry_run=dry_run, output=output, verify=lambda: reached(snapshot_from(None), request))


@port_app.command("unpublish")
def unpublish(
    container: Name,
    port: Annotated[str, typer.Argument(metavar="PORT[/PROTO]", help="The host's port.")],
    *,
    yes: Yes = False,
    dry_run: DryRun = False,
    output: Output = "text",
) -> None:
    """Take out the rules by which dnet-tui published a port, after showing them and asking."""
    from dnet_tui.actions.plans.binding import anchored  # noqa: PLC0415  only this command needs them
    from dnet_tui.actions.ports.publish import unpublish_plan  # noqa: PLC0415

    number, _, proto = port.partition("/")
    if not (number.isascii() and number.isdecimal()) or proto not in ("", "tcp", "udp"):
        raise UsageError("that is not a port", "write it as 8080 or 8080/udp")
    require_consent(yes=yes, dry_run=dry_run)

    def make() -> Plan:
        snapshot = snapshot_from(None)
        return anchored(unpublish_plan(snapshot, container, int(number), proto or "tcp"), snapshot)

    carry_out(make, yes=yes, dry_run=dry_run, output=output)
