"""Plans that have Podman make or remove a network, by its command.  Pure."""

from __future__ import annotations

from dnet_tui.actions.networks.request import LABEL, NAME, Request
from dnet_tui.actions.plans.plan import Plan, Step
from dnet_tui.diagnostics.operations.remedy import Command
from dnet_tui.inspect.errors import UsageError
from dnet_tui.inspect.model import Network, Snapshot, Subnet
from dnet_tui.inspect.model.engine_kinds.podman import DEFAULT_NETWORK, PODMAN
from dnet_tui.inspect.text.sanitize import clean


def podman_create(_: Snapshot, request: Request) -> Plan:
    """Return the plan that has Podman make the network.

    Raises:
        UsageError: Podman has no such option.
    """
    if not (request.icc and request.masquerade and request.isolated) or request.bridge_name:
        # --interface-name came with Podman 4.6 or so; older ones, such as Debian 12's, have nothing like it.
        msg = "Podman has no option for --no-icc, --no-masquerade, --no-isolated or --bridge-name"
        raise UsageError(msg, "leave them out, or use --engine docker or linux")
    words = _podman_words(
        (Subnet(cidr=request.subnet, gateway=request.gateway), Subnet(cidr=request.subnet6, gateway=request.gateway6)),
        internal=request.internal,
        options={"mtu": str(request.mtu)} if request.mtu is not None else {},
    )
    words += tuple(item for key, value in LABEL.items() for item in ("--label", f"{key}={value}"))
    undo = Command(argv=(PODMAN.command, "network", "rm", request.name))
    return Plan(
        title=f"create Podman network {request.name}",
        steps=(Step(action=Command(argv=(*words, request.name)), undo=(undo,)),),
        persists=True,
        notes=("Podman makes the bridge when the first container starts on it",),
    )


def _podman_words(subnets: tuple[Subnet, ...], *, internal: bool, options: dict[str, str]) -> tuple[str, ...]:
    """``podman network create`` with what it takes for these, but the name."""
    words = [PODMAN.command, "network", "create"]
    if any(":" in subnet.cidr for subnet in subnets):
        words.append("--ipv6")
    for subnet in subnets:
        if subnet.cidr:
            words += ["--subnet", subnet.cidr]
            words += ["--gateway", subnet.gateway] if subnet.gateway else []
    if internal:
        words.append("--internal")
    for key, value in options.items():
        words += ["--opt", f"{key}={value}"]
    return tuple(words)


def podman_remove(_: Snapshot, network: Network) -> Plan:
    """Return the plan that has Podman remove a network.

    Raises:
        UsageError: It is one that Podman itself needs, or that could not be put back.
    """
    name = network.name
    if name == DEFAULT_NETWORK:
        msg = "Podman's own network podman can't be removed"
        raise UsageError(msg, "only networks that somebody created can")
    if not NAME.fullmatch(name) or network.driver != "bridge":
        msg = f"network {clean(name)} is none that this version could create again"
        raise UsageError(msg, "remove it with Podman's own command: podman network rm")
    words = _podman_words(network.subnets, internal=bool(network.internal), options=network.options)
    if network.dns is False and not network.internal:  # Podman itself has no names in internal networks of 4.3
        words += ("--disable-dns",)
    undo = Command(argv=(*words, name))
    return Plan(
        title=f"remove Podman network {name}",
        steps=(Step(action=Command(argv=(PODMAN.command, "network", "rm", name)), undo=(undo,)),),
        persists=True,
        notes=("put back by undo, it gets a new id; labels, static routes and ranges of leases aren't put back",),
    )
