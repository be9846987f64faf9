"""Verifying a repair by real probes: harmless, bounded, and no further than the host's own gateway."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from dnet_tui.actions.probes.probe import Probe, ProbeOutcome, ping
from dnet_tui.actions.probes.send_probes import probe_host
from dnet_tui.diagnostics.flows.probes import Probed
from dnet_tui.diagnostics.probing.probe_targets import default_gateway
from dnet_tui.diagnostics.report.finding import Finding
from dnet_tui.inspect.kernel.netns import NsHandle, handle_of
from dnet_tui.inspect.model import Container, Snapshot, known_items
from dnet_tui.inspect.model.view import View
from dnet_tui.inspect.text.sanitize import clean

MOST = 10
"""Probes that a repair is tried out with, at the most."""

_SETTLING = 1.0
"""Seconds after which what got no answer is tried once more: neighbours and ports may have to settle."""


_BEYOND = "not tried: what lies beyond the gateway, where dnet-tui sends nothing"
_UNTRIED = "not tried with packets: nothing that starts here would show it without harm"


class RepairProof(msgspec.Struct, frozen=True, kw_only=True):
    """What real packets say of a repair: a line of text for each, and whether one that must pass does not."""

    text: str = ""
    failed: bool = False


def proof(snapshot: Snapshot, finding: Finding, look: Callable[[], Snapshot]) -> RepairProof:
    """Try the flows of a finding out, from where they start to where they are to arrive.

    The way out is tried up to the host's gateway, as the doctor's probes do, and
    what was not tried is said.  What the model does not expect to be answered
    proves nothing here, unless it is what the repair keeps apart.
    """
    exposed = "exposure" in finding.symptoms
    if not finding.flows and not exposed:
        return RepairProof(text=_with_limits(egress_text(snapshot, finding), finding))

    def later() -> Snapshot:
        time.sleep(_SETTLING)
        return look()

    probes = [
        item
        for item in probe_host(snapshot, later, limit=MOST, flows=finding.flows).probes
        if _tells(item, exposed=exposed and not finding.flows)
    ]
    if not probes:
        return RepairProof(text=_with_limits(egress_text(snapshot, finding), finding))
    text = "\n".join(_said(item) for item in probes)
    return RepairProof(text=_with_limits(text, finding), failed=any(map(_is_wrong, probes)))


def _tells(item: Probed, *, exposed: bool) -> bool:
    """Whether a probe shows something of the repair; ``exposed``: that networks are kept apart again."""
    if item.judgement not in ("agrees", "contradicts") or item.probe.source == "host":
        return False
    between = item.probe.kind in ("cross-network", "same-network")
    return between and not item.probe.expected if exposed else item.probe.expected


def _is_wrong(item: Probed) -> bool:
    if not item.probe.expected:
        return item.sent.answer == "answered"
    return item.judgement == "contradicts" and item.probe.prediction == "answered"


def _said(item: Probed) -> str:
    sent = item.sent
    how = f"answered in {sent.seconds * 1000:.1f} ms" if sent.answer == "answered" else sent.answer
    if not item.probe.expected and sent.answer != "answered":
        how = f"no answer, as it should be ({sent.answer})"
    return f"probe: {clean(item.probe.label)}: {how}"


def _with_limits(text: str, finding: Finding) -> str:
    """The account of what was tried, with what was not."""
    if text and "egress" in finding.symptoms:
        return f"{text}\n{_BEYOND}"
    return text or (_UNTRIED if finding.flows or finding.symptoms else "")


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
