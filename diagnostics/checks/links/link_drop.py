"""A link on containers' way drops what it should carry: by its lock or its MTU.

What it finds
    A ``locked`` bridge port whose container isn't in the forwarding database;
    a veth pair of which the host's end has a smaller MTU than the
    container's.

Why it matters
    No rule, route or counter of a firewall shows it.  A locked port passes
    only frames of senders that somebody entered for it; a frame that is larger
    than the MTU of the end that receives it is dropped without a word to its
    sender.

How we know
    The link's own attributes (``ip -d link``, ``bridge -d link``) and the
    bridge's forwarding database.  Sources: br_handle_frame_finish
    (net/bridge/br_input.c); is_skb_forwardable (net/core/dev.c).

Remedy
    ``bridge link set dev NAME locked off``, or the same MTU on both ends.

When it is harmless
    A locked port whose container was entered by hand or by a program works as
    it is meant to, and is not reported.  A smaller MTU in the container alone
    neither: it says by its segment size what it takes.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.subjects.bridge_attachments import Attachment, all_attachments, named, of_link, on_host
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.operations.bridge_port import SetPortFlag
from dnet_tui.diagnostics.operations.by_hand import ByHand
from dnet_tui.diagnostics.operations.remedy import AnyOperation, Remedy, inverses
from dnet_tui.diagnostics.report.finding import Affected, Evidence, Finding, Severity, Subject
from dnet_tui.diagnostics.walk.packet import Obstacle
from dnet_tui.inspect.model import require

ID = "link-drop"
_EVERYTHING = ("egress", "published", "host-to-container")


def owns(case: HostContext, obstacle: Obstacle) -> bool:
    """What is too big for a port that is narrower than its container, or for its bridge, which takes its MTU."""
    if obstacle.end != "too-big" or not on_host(case, obstacle):
        return False
    narrow = (item for item in all_attachments(case) if _is_narrow(item))
    return any(named(obstacle.by, item.port.name, item.bridge.name) for item in narrow)


def find(ctx: CheckContext) -> Iterator[Finding]:
    """One finding per link that drops."""
    case = ctx.case
    yield from case.severally(all_attachments(case), lambda item: _of_container(case, item))


def _of_container(case: HostContext, item: Attachment) -> Iterator[Finding]:
    hit = (Affected(kind="container", name=item.name),)
    if item.port.port is not None and item.port.port.locked:
        yield from _locked(case, item, hit)
    if _is_narrow(item):
        yield _narrow(item, hit)


def _is_narrow(item: Attachment) -> bool:
    return 0 < item.port.mtu < item.inner.mtu


def _locked(case: HostContext, item: Attachment, hit: tuple[Affected, ...]) -> Iterator[Finding]:
    """An entry that the bridge has learnt is enough, as long as it lasts: a locked port learns no other."""
    host = case.view.host
    entries = (
        []
        if host is None
        else [
            entry
            for entry in require(host.fdb)
            if entry.mac == item.inner.mac
            and entry.master == item.bridge.ifindex
            and entry.ifindex == item.port.ifindex
        ]
    )
    if any(entry.state in {"static", "permanent"} or "extern_learn" in entry.flags for entry in entries):
        return
    steps: tuple[AnyOperation, ...] = (SetPortFlag(port=item.port.name, flag="locked", on=False),)
    until = ", once the bridge has forgotten it" if entries else ""
    seen = (
        of_link(f"{item.port.name} ({item.name})", "locked on", "locked off", source="bridge -d link"),
        of_link(
            item.inner.mac, "learnt" if entries else "no entry", f"an entry by {item.port.name}", source="bridge fdb"
        ),
    )
    remedy = Remedy(
        summary=f"Unlock {item.port.name}",
        steps=steps,
        undo=inverses(steps),
        risk="ask",
        note=f"Or enter it: `bridge fdb add {item.inner.mac} dev {item.port.name} master static`",
    )
    summary = f"The bridge {item.bridge.name} takes no frames of {item.name}: its port is locked{until}"
    yield _finding(item.name, summary, seen, remedy, hit, "warning" if entries else "error")


def _narrow(item: Attachment, hit: tuple[Affected, ...]) -> Finding:
    name, mtu = item.port.name, item.inner.mtu
    seen = (
        of_link(f"mtu of {name}", str(item.port.mtu), str(mtu)),
        of_link(f"mtu of {item.inner.name} in {item.name}", str(mtu), ""),
    )
    step = ByHand(argv=("ip", "link", "set", "dev", name, "mtu", str(mtu)))
    undo = ByHand(argv=("ip", "link", "set", "dev", name, "mtu", str(item.port.mtu)))
    remedy = Remedy(summary=f"Give both ends the same MTU, {mtu}", steps=(step,), undo=(undo,), risk="manual")
    summary = f"Packets of {item.name} larger than {item.port.mtu} bytes are lost: {name} takes no more"
    return _finding(name, summary, seen, remedy, hit)


def _finding(
    name: str,
    summary: str,
    seen: tuple[Evidence, ...],
    remedy: Remedy,
    hit: tuple[Affected, ...],
    severity: Severity = "error",
) -> Finding:
    return Finding(
        check=ID,
        severity=severity,
        subject=Subject(kind="link", name=name),
        summary=summary,
        symptoms=_EVERYTHING,
        evidence=seen,
        remedy=remedy,
        affects=hit,
    )


CHECK = Check(
    id=ID,
    title="Links carry what they should",
    severity="error",
    doc=__doc__,
    find=find,
    owns=owns,
)
