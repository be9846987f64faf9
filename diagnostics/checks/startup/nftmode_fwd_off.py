"""Docker's nftables backend runs on a host that doesn't forward, and never turns that on itself.

What it finds
    Docker writes its rules through nftables, and ``net.ipv4.ip_forward`` is 0
    (or, with an IPv6 network, ``net.ipv6.conf.all.forwarding`` or
    ``default.forwarding``).  Or a Docker that ended because of it.

Why it matters
    With iptables Docker turns forwarding on when it starts.  With nftables it
    can't drop what others forward, so it leaves that to the administrator:
    it refuses to create a network, and to start at all, until it is on.
    Nothing is forwarded meanwhile.

How we know
    The engine says which backend it uses, and the kernel's switches are read;
    for a daemon that ended, its last words.  Source: ``checkIPv4Forwarding``
    and ``checkIPv6Forwarding`` in Docker's bridge driver (29).

Remedy
    Turn forwarding on, and write it to /etc/sysctl.d.  Look first what else
    the host forwards then: with this backend nothing sets FORWARD's policy to
    DROP.  An uplink that learns its IPv6 route from a router's advertisements
    needs ``accept_ra`` 2 before.

When it is harmless
    With ``"ip-forward": false`` Docker doesn't insist; it is not reported
    then, unless a container's traffic is stopped by it.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check, Undecided, definite, undecided
from dnet_tui.diagnostics.checks.framework.check_context import BlockedFlows, CheckContext
from dnet_tui.diagnostics.checks.framework.evidence import of_flows, of_sysctl
from dnet_tui.diagnostics.checks.subjects import docker_nftables
from dnet_tui.diagnostics.checks.subjects.forwarding import (
    FORWARDING4,
    FORWARDING6,
    is_forwarding,
    kept_by_ra,
    kept_off,
)
from dnet_tui.diagnostics.checks.subjects.missing_kernel_features import unresolved_failures
from dnet_tui.diagnostics.checks.subjects.startup_failures import START_UP, FailedStart, of_failures
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.operations.kernel import SetSysctl
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Subject
from dnet_tui.diagnostics.walk.packet import Obstacle
from dnet_tui.inspect.model import known_items
from dnet_tui.inspect.model.engine_kinds.docker import DOCKER

ID = "nftmode-fwd-off"
_KEYS6 = (FORWARDING6, "net.ipv6.conf.default.forwarding")
_REFUSED = "forwarding-off"
"""What inspect's reader of logs calls Docker's words about it."""


def owns(case: HostContext, obstacle: Obstacle) -> bool:
    """Any interface's refusal to forward, while the host-wide switch is off that Docker waits for."""
    return (
        is_forwarding(case, obstacle) and case.sysctl(FORWARDING4) == "0" and docker_nftables.engine(case) is not None
    )


def find(ctx: CheckContext) -> Iterator[Finding | Undecided]:
    """One finding for the host."""
    yield from undecided(ctx, ID)
    case = ctx.case
    stopped = definite(ctx, ID)
    engine = docker_nftables.engine(case)
    ended = tuple(
        item for item in unresolved_failures(case, _REFUSED) if any(case.sysctl(key) == "0" for key in _named(item))
    )
    insists = engine is not None and engine.ip_forward is True
    if not (ended or stopped or insists):
        return
    off = _off(case, ended)
    if off:
        yield _finding(case, off, stopped, ended)


def _finding(
    case: HostContext, off: tuple[str, ...], stopped: list[BlockedFlows], ended: tuple[FailedStart, ...]
) -> Finding:
    engine = docker_nftables.engine(case)
    symptoms = tuple(dict.fromkeys(kind for blocked in stopped for kind in blocked.symptoms))
    does = "it ended" if ended else "it creates no network"
    ra = kept_by_ra(case) if set(off) & set(_KEYS6) else ()
    return Finding(
        check=ID,
        severity="error" if stopped or ended else "warning",
        subject=Subject(kind="sysctl", name=off[0]),
        summary=f"The host does not forward, and Docker's nftables backend leaves that to you: {does}",
        symptoms=(*(START_UP if ended or not symptoms else ()), *symptoms),
        evidence=(
            *(of_sysctl(key, "0", "1") for key in off),
            *((Evidence(source="docker info", what="FirewallBackend", value=engine.firewall),) if engine else ()),
            *of_failures(ended),
            *(of_flows(blocked) for blocked in stopped),
        ),
        remedy=Remedy(
            summary="Turn forwarding on",
            steps=(
                *(SetSysctl(key=key, value="2") for key in ra),
                *(SetSysctl(key=key, value="1") for key in off),
                *(kept_off(case) if FORWARDING4 in off else ()),
            ),
            undo=(
                *(SetSysctl(key=key, value="0") for key in reversed(off)),
                *(SetSysctl(key=key, value="1") for key in ra),
            ),
            risk="ask",
            note="Write it to /etc/sysctl.d/99-containers.conf too, and see what else your firewall lets be forwarded",
        ),
    )


def _named(failed: FailedStart) -> tuple[str, ...]:
    """The switches that a refusal speaks of."""
    return _KEYS6 if "IPv6" in failed.failure.text else (FORWARDING4,)


def _off(case: HostContext, ended: tuple[FailedStart, ...]) -> tuple[str, ...]:
    """The switches that Docker waits for and that are off."""
    six = any(network.engine == DOCKER.kind and network.ipv6 for network in known_items(case.snapshot.networks))
    wanted = (FORWARDING4, *(_KEYS6 if six else ())) if docker_nftables.engine(case) is not None else ()
    wanted += tuple(key for item in ended for key in _named(item))
    return tuple(key for key in dict.fromkeys(wanted) if case.sysctl(key) == "0")


CHECK = Check(
    id=ID,
    title="Forwarding is on where Docker's nftables backend needs it",
    severity="error",
    doc=__doc__,
    find=find,
    owns=owns,
)
