"""Verifying a repair by a real probe: harmless, bounded, and no further than the host's own gateway."""

from __future__ import annotations

from collections.abc import Callable

from dnet_tui.actions.probes.probe import Probe, ProbeOutcome, ping
from dnet_tui.diagnostics.probing.probe_targets import default_gateway
from dnet_tui.diagnostics.report.finding import Finding
from dnet_tui.inspect.kernel.netns import NsHandle, handle_of
from dnet_tui.inspect.model import Container, Snapshot, known_items
from dnet_tui.inspect.model.view import View
from dnet_tui.inspect.text.sanitize import clean

Pinger = Callable[[str, NsHandle], Probe]


def egress_text(snapshot: Snapshot, finding: Finding, pinger: Pinger | None = None) -> str:
    """Ping the host's default gateway once from a container the finding is about, and say what came of it.

    Empty when that would prove nothing: the finding isn't about egress, or
    there is no such container or gateway.  A gateway that ignores pings looks
    like one that isn't reached, so a timeout is said and not judged.
    """
    if "egress" not in finding.symptoms:
        return ""
    view = View(snapshot)
    gateway = default_gateway(view.host)
    found = probe_place(view, finding)
    if gateway is None or found is None:
        return ""
    container, handle = found
    result = (pinger or _ping)(gateway, handle)
    name = clean(container.name)
    if result.outcome is ProbeOutcome.OK:
        return f"probe: {name} → gateway {gateway}: answered in {result.seconds * 1000:.1f} ms"
    hint = " (it may ignore pings)" if result.outcome is ProbeOutcome.TIMEOUT else ""
    return f"probe: {name} → gateway {gateway}: {result.outcome.value}{hint}"


def probe_place(view: View, finding: Finding) -> tuple[Container, NsHandle] | None:
    """Return a running container whose traffic to the outside the finding concerns, and the way into it.

    For a network or a bridge one of its containers, otherwise any on a bridge
    network that is meant to reach the outside.
    """
    name = finding.subject.name
    wanted = {
        network.id
        for network in known_items(view.snapshot.networks)
        if network.internal is not True
        and (finding.subject.kind not in ("network", "bridge") or name in (network.name, network.bridge, network.id))
    }
    for container in known_items(view.snapshot.containers):
        namespace = view.namespaces.get(container.netns or "")
        if not container.running or namespace is None or container.mode != "bridge":
            continue
        if any(endpoint.network in wanted for endpoint in container.endpoints):
            return container, handle_of(namespace)
    return None


def _ping(address: str, handle: NsHandle) -> Probe:
    return ping(address, inside=handle)
