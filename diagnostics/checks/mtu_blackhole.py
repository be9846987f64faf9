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

from dnet_tui.diagnostics.attachments import Attachment, attachments, of_link
from dnet_tui.diagnostics.case import OUTSIDE, Case
from dnet_tui.diagnostics.checks.base import Check, Undecided
from dnet_tui.diagnostics.evidence import of_decider
from dnet_tui.diagnostics.examination import Examination
from dnet_tui.diagnostics.finding import Evidence, Finding, Subject
from dnet_tui.diagnostics.remedy import DeleteRule, InsertRule, Remedy
from dnet_tui.diagnostics.rule_change import Change, place_of
from dnet_tui.diagnostics.walk import routing
from dnet_tui.diagnostics.walk.packet import Decider, Packet, RuleRef, Walk
from dnet_tui.diagnostics.walk.trip import walk
from dnet_tui.inspect.model import Link, Network

ID = "mtu-blackhole"
_UNREACHABLE, _TOO_BIG = 3, 4
"""ICMP "destination unreachable, fragmentation needed" (RFC 1191)."""


class _Wide(msgspec.Struct, frozen=True, kw_only=True):
    network: Network
    items: tuple[Attachment, ...]
    out: Link


def find(exam: Examination) -> Iterator[Finding | Undecided]:
    """One finding per network."""
    for wide in _wide(exam.case):
        told = _tell(exam.case, wide)
        if told is None or _clamps(exam.case):
            continue
        if told.arrives is None:
            yield Undecided(reason=f"whether {wide.items[0].name} hears of the MTU: {_words(told.decided_by)}")
            continue
        yield _finding(wide, told)


def _finding(wide: _Wide, told: Walk) -> Finding:
    names = ", ".join(item.name for item in wide.items[:4])
    mtu = max(item.inner.mtu for item in wide.items)
    lost = told.arrives is False and told.decided_by is not None
    hangs = "; the message that says so is dropped" if lost else ""
    return Finding(
        check=ID,
        severity="error" if lost else "info",
        subject=Subject(kind="network", name=wide.network.name),
        summary=f"Containers of {wide.network.name} send {mtu} bytes, {wide.out.name} takes {wide.out.mtu}{hangs}",
        symptoms=("egress",) if lost else (),
        evidence=(
            of_link(f"mtu of eth0 in {names}", str(mtu), f"at most {wide.out.mtu}"),
            of_link(f"mtu of {wide.out.name}", str(wide.out.mtu), ""),
            *((of_decider(told.decided_by, "lets it pass"),) if lost and told.decided_by is not None else ()),
            Evidence(
                source="packet walk",
                what=f"ICMP fragmentation needed → {wide.items[0].name}",
                value=told.end,
                expected="delivered",
            ),
        ),
        remedy=_remedy(wide, told.decided_by.rule if lost and told.decided_by is not None else None),
    )


def _remedy(wide: _Wide, rule: RuleRef | None) -> Remedy:
    place = place_of(rule) if rule is not None else None
    spec = "-p icmp -m icmp --icmp-type 3/4 -j ACCEPT"
    steps: tuple[InsertRule, ...] = ()
    undo: tuple[DeleteRule, ...] = ()
    if rule is not None and place is not None and place.table == "filter":
        change = Change(place, rule.base, spec)
        steps, undo = (change.insert(1),), (change.delete(1),)
    return Remedy(
        summary="Let the message pass" if steps else f"Give network {wide.network.name} an MTU of {wide.out.mtu}",
        steps=steps,
        undo=undo,
        risk="ask" if steps else "manual",
        note=f"Better: create the network with --opt com.docker.network.driver.mtu={wide.out.mtu}",
    )


def _wide(case: Case) -> Iterator[_Wide]:
    """The networks with containers whose MTU is greater than that of their way out."""
    host = case.view.host
    for network in case.networks if host is not None else ():
        if network.internal or host is None:
            continue
        items = attachments(case, network)
        if not items:
            continue
        packet = Packet(src=items[0].member.address, dst=OUTSIDE, proto="tcp", iif=network.bridge)
        answer = routing.lookup(host, packet)
        out = next((link for link in host.links if link.ifindex == answer.ifindex), None)
        wider = tuple(item for item in items if out is not None and item.inner.mtu > out.mtu > 0)
        if answer.type == "unicast" and out is not None and out.name != network.bridge and wider:
            yield _Wide(network=network, items=wider, out=out)


def _tell(case: Case, wide: _Wide) -> Walk | None:
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


def _clamps(case: Case) -> bool:
    """Whether any rule of the host clamps TCP's segment size."""
    host = case.view.host
    firewall = host.firewall if host is not None else None
    return any(
        "TCPMSS" in rule.text or "maxseg" in rule.text
        for table in (firewall.tables if firewall is not None else ())
        for chain in table.chains
        for rule in chain.rules
    )


def _words(by: Decider | None) -> str:
    return by.text if by is not None else "unknown"


CHECK = Check(
    id=ID,
    title="Containers learn the uplink's MTU",
    severity="error",
    doc=__doc__,
    needs=("links", "routes", "firewall"),
    find=find,
)
