"""Real packets contradict what the rules, routes and links say.

What it finds
    With ``doctor --probe``: a packet that should have arrived by everything
    the snapshot holds and did not, or one that should have been stopped and
    got through.  Each was tried twice, the second time against a fresh look
    at the host.

Why it matters
    Something decides that was not seen or not understood, or this program is
    wrong.  Until that is known, no other finding and no "healthy" is certain
    for the flows concerned.

How we know
    Every probe is predicted by the packet walk before it is sent from inside
    its namespace, and compared afterwards.  Silence counts only for TCP, and
    where the host itself got an answer from the same place; a probe that
    could not be sent counts for nothing.

Remedy
    Look for what a snapshot does not hold: BPF programs and filters at a
    link (``tc filter show dev LINK ingress``, ``bpftool net``), a full
    conntrack table in the kernel's log, a security module, the network card's
    offloads.  ``dnet-tui trace FROM TO --live`` shows where the packet stops.  If
    nothing is found, save a snapshot and report it.

When it is harmless
    When a container or a rule changes faster than the probes take, again and
    again.  Run it once more when the host is calm.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.flows.probes import PREDICTIONS, Probed
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Subject

ID = "model-contradicted"
_SHOWN = 6


def find(ctx: CheckContext) -> Iterator[Finding]:
    """One finding for what should pass and doesn't, one for the reverse."""
    wrong = [item for item in ctx.probes if item.judgement == "contradicts"]
    leaked = [item for item in wrong if item.probe.prediction == "blocked" and item.sent.answer == "answered"]
    lost = [item for item in wrong if item not in leaked]
    if lost:
        yield _finding(lost, "did not go as the rules, routes and links say they must")
    if leaked:
        yield _finding(leaked, "got through, though by the rules, routes and links they can't")


def _finding(wrong: list[Probed], what: str) -> Finding:
    first = wrong[0].probe
    more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
    return Finding(
        check=ID,
        severity="error",
        subject=Subject(kind="flow", name=f"{first.source} → {first.target}{more}"),
        summary=f"Real packets contradict the model: {'one' if len(wrong) == 1 else len(wrong)} {what}",
        symptoms=tuple(dict.fromkeys(item.probe.kind for item in wrong)),
        evidence=(
            *(_evidence(item) for item in wrong[:_SHOWN]),
            *((Evidence(source="probe", what="and", value=f"{len(wrong) - _SHOWN} more"),) if wrong[_SHOWN:] else ()),
        ),
    )


def _evidence(item: Probed) -> Evidence:
    by = f": {item.probe.by}" if item.probe.by else ""
    note = f" ({item.sent.note})" if item.sent.note else ""
    return Evidence(
        source="probe",
        what=item.probe.label,
        value=f"{item.sent.answer}{note}",
        expected=f"{PREDICTIONS[item.probe.prediction]}{by}",
    )


CHECK = Check(
    id=ID,
    title="Real packets do what the model says",
    severity="error",
    doc=__doc__,
    find=find,
    probing=True,
)
