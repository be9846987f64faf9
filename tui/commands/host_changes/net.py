"""``dnet-tui net``: creates and removes networks of Docker, Podman or plain Linux."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from dnet_tui.inspect.model.coverage.needs import Needs, SectionName
from dnet_tui.tui import completion
from dnet_tui.tui.commands.confirmation import require_consent
from dnet_tui.tui.commands.host_changes.carry_out import DryRun, Output, OutputFormat, Yes, carry_out
from dnet_tui.tui.commands.snapshot_source import snapshot_from

if TYPE_CHECKING:
    from dnet_tui.actions.networks.attach import ConnectRequest
    from dnet_tui.actions.plans.plan import Plan

EngineOption = Annotated[
    Literal["docker", "podman", "linux"] | None,
    typer.Option("--engine", help="Whose network. Left out: Docker's where it answers, else plain Linux."),
]

NetworkArgument = Annotated[str, typer.Argument(autocompletion=completion.networks, help="The network's name.")]
ContainerArgument = Annotated[
    str, typer.Argument(autocompletion=completion.containers, help="The container's name, or a plain namespace's.")
]

_NEEDS = Needs(
    everywhere=frozenset({SectionName.ADDRESSES}),
    host=frozenset(
        {SectionName.ROUTES, SectionName.POLICY_RULES, SectionName.SYSCTLS, SectionName.FIREWALL, SectionName.NAMES}
    ),
)

net_app = typer.Typer(no_args_is_help=True, add_completion=False, help="Create, remove, connect networks.")


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
    namespace: Annotated[
        list[str] | None,
        typer.Option("--namespace", metavar="NAME", help="Also make this namespace and plug it in; linux, repeatable."),
    ] = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    output: Output = "text",
) -> None:
    """Create a bridge network, after showing the exact commands and asking."""
    from dnet_tui.actions.host_access import LocalHost  # noqa: PLC0415  only this command needs them
    from dnet_tui.actions.networks.engine_networks import create_plan, default_engine  # noqa: PLC0415
    from dnet_tui.actions.networks.native_rules import uses_native  # noqa: PLC0415
    from dnet_tui.actions.networks.request import Request  # noqa: PLC0415
    from dnet_tui.actions.networks.subnets import by_family  # noqa: PLC0415
    from dnet_tui.actions.plans.binding import anchored  # noqa: PLC0415

    require_consent(yes=yes, dry_run=dry_run)
    subnet4, subnet6 = by_family(subnet or (), "--subnet")
    gateway4, gateway6 = by_family(gateway or (), "--gateway")

    def make() -> Plan:
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
            namespaces=tuple(namespace or ()),
        )
        return anchored(create_plan(snapshot, request, native=uses_native(LocalHost())), snapshot)

    carry_out(make, yes=yes, dry_run=dry_run, output=output)


@net_app.command("rm")
def rm(
    name: NetworkArgument,
    *,
    engine: EngineOption = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    output: Output = "text",
) -> None:
    """Remove a network that nothing uses, after showing the exact commands and asking."""
    from dnet_tui.actions.networks.engine_networks import remove_plan  # noqa: PLC0415  only this needs them
    from dnet_tui.actions.plans.binding import anchored  # noqa: PLC0415

    require_consent(yes=yes, dry_run=dry_run)

    def make() -> Plan:
        snapshot = snapshot_from(None, _NEEDS)
        return anchored(remove_plan(snapshot, name, engine or ""), snapshot)

    carry_out(make, yes=yes, dry_run=dry_run, output=output)


def _connecting(*, connect: bool, request: ConnectRequest, yes: bool, dry_run: bool, output: OutputFormat) -> None:
    from dnet_tui.actions.networks.attach import connect_plan, disconnect_plan  # noqa: PLC0415  only these need them
    from dnet_tui.actions.plans.binding import anchored  # noqa: PLC0415

    require_consent(yes=yes, dry_run=dry_run)

    def make() -> Plan:
        snapshot = snapshot_from(None)
        plan = connect_plan(snapshot, request) if connect else disconnect_plan(snapshot, request)
        return anchored(plan, snapshot)

    carry_out(make, yes=yes, dry_run=dry_run, output=output)


@net_app.command("connect")
def connect(
    network: NetworkArgument,
    container: ContainerArgument,
    *,
    ip: Annotated[
        list[str] | None, typer.Option("--ip", metavar="ADDRESS", help="Its address; once for each family.")
    ] = None,
    alias: Annotated[
        list[str] | None, typer.Option("--alias", metavar="NAME", help="A name for its neighbours; repeatable.")
    ] = None,
    engine: EngineOption = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    output: Output = "text",
) -> None:
    """Connect a container, or a plain namespace, to a network, after showing the exact commands and asking."""
    from dnet_tui.actions.networks.attach import ConnectRequest  # noqa: PLC0415  only this needs it

    request = ConnectRequest(
        network=network,
        container=container,
        engine=engine or "",
        addresses=tuple(ip or ()),
        aliases=tuple(alias or ()),
    )
    _connecting(connect=True, request=request, yes=yes, dry_run=dry_run, output=output)


@net_app.command("attach")
def attach(
    network: NetworkArgument,
    namespace: Annotated[str, typer.Argument(help="The namespace's name, as ip-netns(8) takes it.")],
    *,
    ip: Annotated[
        list[str] | None, typer.Option("--ip", metavar="ADDRESS", help="Its address; once for each family.")
    ] = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    output: Output = "text",
) -> None:
    """Plug a namespace, made if it isn't there, into a plain-Linux network, after showing the commands and asking.

    A made one gets an address, a default route, and a resolv.conf in /etc/netns.
    """
    from dnet_tui.actions.networks.attach import ConnectRequest  # noqa: PLC0415  only this needs them
    from dnet_tui.actions.networks.namespaces import attach_plan  # noqa: PLC0415
    from dnet_tui.actions.plans.binding import anchored  # noqa: PLC0415

    require_consent(yes=yes, dry_run=dry_run)
    request = ConnectRequest(network=network, container=namespace, engine="linux", addresses=tuple(ip or ()))

    def make() -> Plan:
        snapshot = snapshot_from(None)
        return anchored(attach_plan(snapshot, request), snapshot)

    carry_out(make, yes=yes, dry_run=dry_run, output=output)


@net_app.command("disconnect")
def disconnect(
    network: NetworkArgument,
    container: ContainerArgument,
    *,
    engine: EngineOption = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    output: Output = "text",
) -> None:
    """Disconnect a container, or a plain namespace, from a network, after showing the exact commands and asking."""
    from dnet_tui.actions.networks.attach import ConnectRequest  # noqa: PLC0415  only this needs it

    request = ConnectRequest(network=network, container=container, engine=engine or "")
    _connecting(connect=False, request=request, yes=yes, dry_run=dry_run, output=output)
