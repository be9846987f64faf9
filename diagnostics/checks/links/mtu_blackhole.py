"""Containers send larger packets than the uplink takes, and must not hear of it.

What it finds
    A container's interface has a greater MTU than the device by which the
    host sends its packets out, and a rule of the host drops the ICMP message
    ("fragmentation needed") by which the container would learn the size.

Why it matters
    Connections open, and small answers come; as soon as much is sent at once
    (TLS, uploads, ``git push``) they hang until they time out.

How we know
    The MTU of both devices, and the packet walk of the ICMP message from the
    bridge's address to the container, through the host's OUTPUT and the
    container's own rules.

Remedy
    Let ICMP type 3 pass.  Or give the network the uplink's MTU (option
    ``com.docker.network.driver.mtu``), or clamp TCP's segment size.

When it is harmless
    A greater MTU alone: path MTU discovery takes care of it, so that is only
    information, and not even that where a rule clamps the segment size.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from dnet_tui.diagnostics.checks.framework.check import Check, Undecided
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.framework.evidence import of_decider
from dnet_tui.diagnostics.checks.subjects.bridge_attachments import Attachment, attachments, of_link
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.operations.rule import DeleteRule, InsertRule
from dnet_tui.diagnostics.operations.rule_edit import RuleEdit, table_of
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Subject
from dnet_tui.diagnostics.walk.api import walk
from dnet_tui.diagnostics.walk.l3 import routing
from dnet_tui.diagnostics.walk.namespace_index import index_of
from dnet_tui.diagnostics.walk.packet import Decider, Packet, RuleRef, Walk
from dnet_tui.inspect.model import Link, Network

ID = "mtu-blackhole"
_UNREACHABLE, _TOO_BIG = 3, 4
"""ICMP "destination unreachable, fragmentation needed" (RFC 1191)."""


class _Wide(msgspec.Struct, frozen=True, kw_only=True):
    network: Network
    items: tuple[Attachment, ...]
    out: Link


def find(ctx: CheckContext) -> Iterator[Finding | Undecided]:
    """One finding for each way out, and for each rule that keeps its message from containers."""
    groups: dict[tuple[str, Decider | None], list[tuple[_Wide, Walk]]] = {}
    for wide in _wide(ctx.case):
        told = _tell(ctx.case, wide)
        if told is None or _clamps(ctx.case):
            continue
        if told.arrives is None:
            reason = told.decided_by.text if told.decided_by is not None else "unknown"
            yield Undecided(reason=f"whether {wide.items[0].name} hears of the MTU: {reason}")
            continue
        lost = told.decided_by if told.arrives is False else None
        groups.setdefault((wide.out.name, lost), []).append((wide, told))
    for (_, by), hit in groups.items():
        yield _finding(hit, by)


def _finding(hit: list[tuple[_Wide, Walk]], by: Decider | None) -> Finding:
    out, networks = hit[0][0].out, ", ".join(wide.network.name for wide, _ in hit)
    items = [item for wide, _ in hit for item in wide.items]
    mtu = max(item.inner.mtu for item in items)
    hangs = "; the message that says so is dropped" if by is not None else ""
    return Finding(
        check=ID,
        severity="error" if by is not None else "info",
        subject=_subject(out, by),
        summary=f"Containers of {networks} send {mtu} bytes, {out.name} takes {out.mtu}{hangs}",
        symptoms=("egress",) if by is not None else (),
        evidence=(
            of_link(f"mtu in {', '.join(item.name for item in items[:4])}", str(mtu), f"at most {out.mtu}"),
            of_link(f"mtu of {out.name}", str(out.mtu), ""),
            *((of_decider(by, "lets it pass"),) if by is not None else ()),
            Evidence(
                source="packet walk",
                what=f"ICMP fragmentation needed → {items[0].name}",
                value=hit[0][1].end,
                expected="delivered",
            ),
        ),
        remedy=_remedy(networks, out, by.rule if by is not None else None),
    )


def _subject(out: Link, by: Decider | None) -> Subject:
    """The rule that loses the message; where none does, the uplink: that is no fault to be repaired."""
    if by is None or by.rule is None:
        return Subject(kind="link", name=out.name)
    return Subject(kind="rule", name=f"{by.rule.table} {by.rule.chain} {by.rule.number or 'policy'}")


def _remedy(networks: str, out: Link, rule: RuleRef | None) -> Remedy:
    place = table_of(rule) if rule is not None else None
    steps: tuple[InsertRule, ...] = ()
    undo: tuple[DeleteRule, ...] = ()
    if rule is not None and place is not None and place.table == "filter":
        change = RuleEdit(place, rule.base, "-p icmp -m icmp --icmp-type 3/4 -j ACCEPT")
        steps, undo = (change.insert(1),), (change.delete(1),)
    return Remedy(
        summary="Let the message pass" if steps else f"Give {networks} an MTU of {out.mtu}",
        steps=steps,
        undo=undo,
        risk="ask" if steps else "manual",
        note=f"Better: create networks with --opt com.docker.network.driver.mtu={out.mtu}",
    )


def _wide(case: HostContext) -> Iterator[_Wide]:
    """The networks with containers whose MTU is greater than that of their way out."""
    host = case.view.host
    for network in case.networks if host is not None else ():
        if network.internal or host is None:
            continue
        items = attachments(case, network)
        if not items:
            continue
        packet = Packet(src=items[0].member.address, dst=case.outside(), proto="tcp", iif=network.bridge)
        answer = routing.lookup(index_of(case.view, host), packet)
        out = next((link for link in host.links if link.ifindex == answer.ifindex), None)
        wider = tuple(item for item in items if out is not None and item.inner.mtu > out.mtu > 0)
        if answer.type == "unicast" and out is not None and out.name != network.bridge and wider:
            yield _Wide(network=network, items=wider, out=out)


def _tell(case: HostContext, wide: _Wide) -> Walk | None:
    """The ICMP message to the first container, walked from the host."""
    host = case.view.host
    source = case.bridge_address(wide.network)
    if host is None or not source:
        return None
    item = wide.items[0]
    message = Packet(
        src=source,
        dst=item.member.address,
        proto="icmp",
        icmp_type=_UNREACHABLE,
        icmp_code=_TOO_BIG,
        ctstate="RELATED",
    )
    told = walk(case.view, message, origin=host.id, outside=True)
    # A wrong way, or a broken link, is the matter of other checks: only a rule can lose this message alone.
    by_rule = told.decided_by is not None and told.decided_by.kind in {"rule", "policy"}
    return told if told.arrives is not False or by_rule else None


def _clamps(case: HostContext) -> bool:
    """Whether any rule of the host clamps TCP's segment size."""
    host = case.view.host
    firewall = host.firewall if host is not None else None
    return any(
        "TCPMSS" in rule.text or "maxseg" in rule.text
        for table in (firewall.tables if firewall is not None else ())
        for chain in table.chains
        for rule in chain.rules
    )


CHECK = Check(
    id=ID,
    title="Containers learn the uplink's MTU",
    severity="error",
    doc=__doc__,
    find=find,
)
