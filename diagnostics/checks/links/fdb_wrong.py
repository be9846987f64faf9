"""A bridge sends frames for a container out of a port behind which it isn't.

What it finds
    A static or sticky entry in a bridge's forwarding table (``bridge fdb``)
    that leads a container's MAC address to another port than its own, or to
    the bridge itself.

Why it matters
    A bridge learns where a MAC address is and follows it when it moves; a
    sticky entry never moves.  Frames for the container then go to another
    one, which drops them, and nothing anywhere says so.

How we know
    The packet walk, whose frames follow the forwarding table; the entry as
    ``bridge fdb show`` has it.

Remedy
    Delete the entry: ``bridge fdb del MAC dev PORT master``.  The bridge then
    learns the right one with the container's next frame.

When it is harmless
    Never for an address that a container has here; an entry of an address
    that nobody has is not reported.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from dnet_tui.diagnostics.checks.framework.check import Check, Undecided, undecided
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.framework.evidence import of_flows
from dnet_tui.diagnostics.checks.subjects.bridge_attachments import Attachment, attachments, concerning, symptoms
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.operations.by_hand import ByHand
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.finding import Affected, Evidence, Finding, Subject
from dnet_tui.diagnostics.walk.packet import Obstacle
from dnet_tui.inspect.model import FdbEntry, Namespace

ID = "fdb-wrong"


def owns(_: HostContext, obstacle: Obstacle) -> bool:
    """A frame that a bridge sends out of a port where its addressee isn't."""
    by = obstacle.by
    there = " sends frames for " in by.text and by.text.endswith("where its owner isn't")
    answer = by.text.startswith("the reply for ") and by.text.endswith(" instead")
    return by.kind == "link" and (there or answer)


def find(ctx: CheckContext) -> Iterator[Finding | Undecided]:
    """One finding per entry."""
    yield from undecided(ctx, ID)
    host = ctx.case.view.host
    for network in ctx.case.networks if host is not None else ():
        with ctx.case.noting():
            items = attachments(ctx.case, network)
            entries = ctx.case.once(_by_mac) if items else {}
            for item in items:
                yield from _of(ctx, host, item, entries.get(item.inner.mac.lower(), ())) if host is not None else ()


def _by_mac(case: HostContext) -> dict[str, list[FdbEntry]]:
    found: defaultdict[str, list[FdbEntry]] = defaultdict(list)
    for entry in case.view.host.fdb if case.view.host is not None else ():
        found[entry.mac.lower()].append(entry)
    return dict(found)


def _of(ctx: CheckContext, host: Namespace, item: Attachment, entries: Sequence[FdbEntry]) -> Iterator[Finding]:
    """The finding about an attached container whose MAC address has these entries."""
    for entry in entries:
        here = item.bridge.ifindex in {entry.master, entry.ifindex}
        if not here or entry.ifindex == item.port.ifindex or not _is_fixed(entry):
            continue
        if any(other.mac == entry.mac and other.ifindex == item.port.ifindex for other in entries):
            continue
        port = next((link.name for link in host.links if link.ifindex == entry.ifindex), str(entry.ifindex))
        words = " ".join((entry.state or "permanent", *entry.flags))
        blocked = concerning(ctx.blocked_by(ID), item.member.namespace)
        delete = ("bridge", "fdb", "del", entry.mac, "dev", port, "master")
        yield Finding(
            check=ID,
            severity="error",
            subject=Subject(kind="link", name=f"{item.bridge.name} {entry.mac}"),
            summary=f"{item.bridge.name} sends frames for {item.name} to port {port}, where {item.name} isn't",
            symptoms=symptoms(blocked, ("same-network", "host-to-container", "published")),
            evidence=(
                Evidence(
                    source="bridge fdb",
                    what=f"{entry.mac} on {item.bridge.name}",
                    value=f"dev {port} {words}".strip(),
                    expected=f"dev {item.port.name}",
                ),
                *(of_flows(one) for one in blocked[:2]),
            ),
            remedy=Remedy(
                summary="Delete the entry, and let the bridge learn the right one",
                steps=(ByHand(argv=delete),),
                risk="manual",
                persists=True,
            ),
            affects=(Affected(kind="container", name=item.name),),
        )


def _is_fixed(entry: FdbEntry) -> bool:
    """Whether it never moves by itself: a static entry that isn't sticky does, with the owner's next frame."""
    return "sticky" in entry.flags or entry.state == "permanent"


CHECK = Check(
    id=ID,
    title="Bridges send frames to the port where their owner is",
    severity="error",
    doc=__doc__,
    find=find,
    owns=owns,
    hidden_by=("fdb",),
)
