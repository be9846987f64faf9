"""The host's rules drop what guests on one of its own bridges send each other.

What it finds
    A bridge of the host that is no container network, with guests on it
    (taps of virtual machines, veths of LXC, the wire of the LAN), where a
    packet from one port to another is dropped or rejected by a rule or policy
    of the host's.

Why it matters
    Guests on a bridge are neighbours, and nobody expects the host's firewall
    between them.  But where br_netfilter is loaded and
    ``bridge-nf-call-iptables`` is 1, bridged packets pass FORWARD, and there
    Docker's policy DROP ends them.  Both things come with Docker, and the
    guests' network breaks when it is started.

How we know
    A packet from one port of the bridge to another, sent through the hooks of
    the bridge family and, where br_netfilter calls them, of IPv4.

Remedy
    Take bridged packets out of iptables' way:
    ``sysctl -w net.bridge.bridge-nf-call-iptables=0``.  Where a network of
    containers needs it (icc off, or no userland proxy), accept what stays on
    that bridge in DOCKER-USER instead.

When it is harmless
    Where somebody filters the guests on purpose: a rule of its own that drops
    them is only information.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check, Undecided
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.framework.evidence import of_decider, of_sysctl
from dnet_tui.diagnostics.checks.subjects.owners_remedy import for_rule
from dnet_tui.diagnostics.context.host_context import INFERRED, HostContext
from dnet_tui.diagnostics.context.iptables_layout import USER_CHAINS, known_tables
from dnet_tui.diagnostics.operations.kernel import SetSysctl
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.operations.rule_edit import RuleEdit, table_of
from dnet_tui.diagnostics.report.decisions import owner_of
from dnet_tui.diagnostics.report.finding import Affected, Evidence, Finding, Severity, Subject
from dnet_tui.diagnostics.walk.bridged import cross_bridge
from dnet_tui.diagnostics.walk.packet import Obstacle, Packet, RuleRef
from dnet_tui.inspect.model import Link, Namespace, known_items, require
from dnet_tui.inspect.model.engine_kinds.docker import DOCKER

ID = "guest-drop"

_NF_CALL = "net.bridge.bridge-nf-call-iptables"
_UNKNOWN = ("192.0.2.11", "192.0.2.12")
"""Stand for guests whose addresses can't be seen (TEST-NET-1, RFC 5737)."""

_GUESTS = {"tun", "tap", "veth", "macvtap", "vxlan", "bond", "vlan", ""}


def find(ctx: CheckContext) -> Iterator[Finding | Undecided]:
    """One finding per bridge."""
    host = ctx.case.view.host
    if host is None:
        return
    require(ctx.case.snapshot.networks)  # a bridge may be an engine's that doesn't answer
    networks = {net.bridge for net in ctx.case.networks if net.engine != INFERRED and ctx.case.everyone(net)}
    for bridge in ctx.case.view.bridges():
        ports = [
            port
            for port in ctx.case.view.ports_of(host.id, bridge.ifindex)
            if port.up and port.kind in _GUESTS and not (port.port is not None and port.port.isolated)
        ]
        if bridge.name in networks or not bridge.up or len(ports) < 2:
            continue
        with ctx.case.noting():
            yield from _judged(ctx.case, host, bridge, sorted(ports, key=lambda port: port.kind == ""))


def _judged(case: HostContext, host: Namespace, bridge: Link, ports: list[Link]) -> Iterator[Finding | Undecided]:
    one, two = ports[:2]
    src, dst = _addresses(case, one, two)
    packet = Packet(src=src, dst=dst, proto="tcp", sport=40000, dport=443, tcp_flags=("SYN",))
    for stop in cross_bridge(case.view, host, bridge, one, two, packet):
        if stop.by.rule is None and stop.end != "unknown":
            continue
        if stop.end == "unknown":
            yield Undecided(reason=f"guests on {bridge.name}: {stop.by.text}")
        else:
            yield _finding(case, host, bridge, ports, stop)
        return


def _addresses(case: HostContext, one: Link, two: Link) -> tuple[str, str]:
    """Addresses of two guests: their own where they are seen, else such of which no rule is written."""
    found = []
    for port, otherwise in ((one, _UNKNOWN[0]), (two, _UNKNOWN[1])):
        near = case.view.addresses_of(port.peer) if port.peer is not None else ()
        found.append(next((item.address for item in known_items(near) if item.family == "ip"), otherwise))
    return found[0], found[1]


def _finding(case: HostContext, host: Namespace, bridge: Link, ports: list[Link], stop: Obstacle) -> Finding:
    rule = stop.by.rule
    names = _names(case, ports)
    called = case.sysctl(_NF_CALL) == "1" or (bridge.bridge is not None and bridge.bridge.nf_call_iptables)
    by_ip = rule is not None and rule.family != "bridge"
    how = f"by {rule.table} {rule.chain}" + (f" rule {rule.number}" if rule.number else "'s policy") if rule else ""
    severity = _severity(host, rule)
    owner = owner_of(rule) if severity == "info" else None
    remedy = _remedy(case, bridge, rule) if rule is not None and by_ip else None
    if rule is not None and owner is not None:
        remedy = for_rule(case, rule, owner)  # who filters guests on purpose isn't passed by
    return Finding(
        check=ID,
        severity=severity,
        subject=Subject(kind="bridge", name=bridge.name),
        summary=f"Guests on bridge {bridge.name} can't reach each other: their packets are dropped {how}",
        symptoms=("guests",),
        evidence=(
            of_decider(stop.by, "does not concern what stays on a bridge"),
            *((of_sysctl(_NF_CALL, case.sysctl(_NF_CALL) or "absent", "0"),) if called and by_ip else ()),
            Evidence(source="ip link", what=f"ports of {bridge.name}", value=", ".join(names[:8])),
        ),
        remedy=remedy,
        affects=tuple(Affected(kind="container", name=name) for name in names if _is_container(case, name)),
    )


def _names(case: HostContext, ports: list[Link]) -> list[str]:
    return [
        case.view.label(port.peer.namespace) if port.peer is not None and _is_away(case, port) else port.name
        for port in ports
    ]


def _is_away(case: HostContext, port: Link) -> bool:
    return port.peer is not None and case.view.host is not None and port.peer.namespace != case.view.host.id


def _is_container(case: HostContext, name: str) -> bool:
    return any(item.name == name for item in known_items(case.snapshot.containers))


def _severity(host: Namespace, rule: RuleRef | None) -> Severity:
    """A policy that Docker may have set hits guests by accident; another policy perhaps; a rule is somebody's wish.

    So is the policy that a manager keeps.
    """
    if rule is None or rule.number or rule.owner or rule.family == "bridge":
        return "info"
    docker = any(
        chain.name.startswith(DOCKER.chain_marks)
        for table in known_tables(host)
        if (table.backend, table.family, table.name) == (rule.backend, rule.family, rule.table)
        for chain in table.chains
    )
    return "error" if docker else "warning"


def _remedy(case: HostContext, bridge: Link, rule: RuleRef) -> Remedy:
    """Keep bridged packets out of iptables; where a network needs them there, accept those of this bridge."""
    if case.sysctl(_NF_CALL) == "1" and not _is_needed(case):
        step = SetSysctl(key=_NF_CALL, value="0")
        return Remedy(
            summary="Let bridged packets pass iptables by",
            steps=(step,),
            undo=(SetSysctl(key=_NF_CALL, value="1"),),
            risk="ask",
            note="To keep it, put it into a file of /etc/sysctl.d that is read once br_netfilter is loaded. Docker "
            "needs it only for networks with icc off, and without its userland proxy",
        )
    place = table_of(rule)
    chain = _user_chain(case, rule)
    edit = RuleEdit(place=place, chain=chain, spec=f"-i {bridge.name} -o {bridge.name} -j ACCEPT") if place else None
    return Remedy(
        summary=f"Accept what stays on {bridge.name} in {chain}",
        steps=(edit.insert(1),) if edit is not None else (),
        undo=(edit.delete(1),) if edit is not None else (),
        risk="ask" if edit is not None else "manual",
        note=f"It lasts until a reboot; {_NF_CALL}=0 would help too, but networks of containers here need it at 1",
    )


def _is_needed(case: HostContext) -> bool:
    """Whether networks here need bridged packets in iptables: icc off, no userland proxy, or Kubernetes' services."""
    proxyless = any(engine.userland_proxy is False for engine in known_items(case.snapshot.engines))
    kube = any(chain.name.startswith("KUBE-") for table in known_tables(case.view.host) for chain in table.chains)
    return proxyless or kube or any(network.icc is False for network in case.networks)


def _user_chain(case: HostContext, rule: RuleRef) -> str:
    names = {
        chain.name
        for table in known_tables(case.view.host)
        if (table.backend, table.family, table.name) == (rule.backend, rule.family, rule.table)
        for chain in table.chains
    }
    return next((name for name in USER_CHAINS if name in names), rule.base or rule.chain)


CHECK = Check(
    id=ID,
    title="Guests on the host's own bridges reach each other",
    severity="error",
    doc=__doc__,
    find=find,
    anywhere=True,
)
