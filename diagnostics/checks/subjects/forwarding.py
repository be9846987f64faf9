"""What the checks of forwarding switches share: of the host, and of one interface.  Pure."""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Undecided, definite, undecided
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.framework.evidence import of_flows, of_sysctl
from dnet_tui.diagnostics.checks.subjects.bridge_attachments import on_host
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.operations.kernel import SetSysctl
from dnet_tui.diagnostics.operations.remedy import Remedy, Risk
from dnet_tui.diagnostics.report.finding import Finding, Subject
from dnet_tui.diagnostics.walk.l3.routing import sysctl_name
from dnet_tui.diagnostics.walk.packet import Obstacle
from dnet_tui.inspect.model.default_routes import default_routes
from dnet_tui.inspect.model.engine_kinds.registry import traits_of

FORWARDING4 = "net.ipv4.ip_forward"
FORWARDING6 = "net.ipv6.conf.all.forwarding"
"""The host-wide switches."""


def is_forwarding(case: HostContext, obstacle: Obstacle) -> bool:
    """Whether an IPv4 forwarding switch of the host is the obstacle; containers have interfaces named eth0 too."""
    return (
        on_host(case, obstacle)
        and obstacle.stage == "forwarding"
        and obstacle.by.kind == "sysctl"
        and obstacle.by.text.startswith("net.ipv4.conf.")
    )


def device_of(obstacle: Obstacle) -> str:
    """The interface whose switch it is, under its own name."""
    return obstacle.by.text.removeprefix("net.ipv4.conf.").removesuffix(".forwarding").replace("/", ".")


def findings(ctx: CheckContext, check: str, *, kind: str, risk: Risk, note: str) -> Iterator[Finding | Undecided]:
    """A finding for each interface whose own forwarding switch stops a flow.

    ``kind`` is what the interface is called (bridge, uplink).
    """
    yield from undecided(ctx, check)
    for blocked in definite(ctx, check):
        key = blocked.obstacle.by.text
        device = device_of(blocked.obstacle)
        yield Finding(
            check=check,
            severity="error",
            subject=Subject(kind="bridge" if kind == "bridge" else "link", name=device),
            summary=f"The host does not forward what it receives on the {kind} {device}",
            symptoms=blocked.symptoms,
            evidence=(of_sysctl(key, "0", "1"), of_sysctl("net.ipv4.ip_forward", "1", "1"), of_flows(blocked)),
            remedy=Remedy(
                summary=f"Turn forwarding on for {device}",
                steps=(SetSysctl(key=key, value="1"),),
                undo=(SetSysctl(key=key, value="0"),),
                risk=risk,
                note=note,
            ),
        )


def kept_off(case: HostContext) -> tuple[SetSysctl, ...]:
    """Podman keeps forwarding off on its internal bridges; the host-wide switch would turn it on there too."""
    return tuple(
        SetSysctl(key=f"net.ipv4.conf.{sysctl_name(network.bridge)}.forwarding", value="0")
        for network in case.networks
        if traits_of(network.engine).keeps_internal_unforwarded and network.internal
    )


def default_links6(case: HostContext) -> tuple[str, ...]:
    """The host's interfaces that IPv6 default routes use."""
    host = case.view.host
    return tuple(link.name for link in case.view.uplinks(host.id, "ip6")) if host is not None else ()


def kept_by_ra(case: HostContext) -> tuple[str, ...]:
    """The switches to set to 2 first: uplinks that would lose their router's advertisements by forwarding."""
    keys = (f"net.ipv6.conf.{sysctl_name(name)}.accept_ra" for name in default_links6(case))
    return tuple(key for key in keys if case.sysctl(key) == "1") if _by_ra(case) else ()


def _by_ra(case: HostContext) -> bool:
    host = case.view.host
    return host is not None and any(route.protocol == "ra" for route in default_routes(host, "ip6"))
