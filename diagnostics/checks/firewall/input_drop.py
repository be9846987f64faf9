"""The host's INPUT rules drop what containers send to the host itself.

What it finds
    A container's packet to the host is dropped or rejected in INPUT: a query
    to the network's own name server (aardvark-dns, dnsmasq) or IPv6's
    neighbour discovery, which is an error; the answer to a connection of the
    host's own, which is a warning; or a connection to a port that is
    published on this host or to a service of its own, which is information.

Why it matters
    Without the name server no name resolves in any container of the network,
    which looks as if the internet were gone.  A userland proxy takes
    connections to published ports on the host itself, where INPUT decides
    over them.  And where answers are dropped, neither the host nor the proxy
    reaches a container.

How we know
    The packet walk from a container to the host and back from a container to
    the host, and the rule or policy of INPUT that decides.

Remedy
    Accept packets from that bridge to that port, or answers from it, before
    the rule that drops.

When it is harmless
    A host firewall that keeps containers from the host's services is a good
    thing where none of them is needed; therefore that is only information.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import msgspec

from dnet_tui.diagnostics.checks.framework.check import Check, Undecided, definite, undecided
from dnet_tui.diagnostics.checks.framework.check_context import BlockedFlows, CheckContext, element
from dnet_tui.diagnostics.checks.framework.evidence import of_decider, of_flows
from dnet_tui.diagnostics.checks.subjects.host_input import INPUT_DROP, PROMISED, is_discovery, is_host_input
from dnet_tui.diagnostics.checks.subjects.lost_discovery import DISCOVERY, ROUTER, joined
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.operations.nft_rule import AcceptInNft
from dnet_tui.diagnostics.operations.remedy import Remedy, inverses
from dnet_tui.diagnostics.operations.rule import DeleteRule, InsertRule
from dnet_tui.diagnostics.operations.rule_edit import RuleEdit, table_of
from dnet_tui.diagnostics.report.decisions import overriding, owner_of
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Subject
from dnet_tui.diagnostics.walk.api import walk
from dnet_tui.diagnostics.walk.packet import Decider, Obstacle, Packet, RuleRef
from dnet_tui.inspect.model import Network, Socket
from dnet_tui.inspect.model.engine_kinds.registry import ENGINE_KINDS
from dnet_tui.inspect.model.rule_writers.owner import ADMINISTRATOR

ID = INPUT_DROP
_MOST = 8
"""How many of the host's ports are tried on each network."""

_DNS = 53
_OUTWARDS = frozenset({"egress", "published"})
_ANSWERS = "-m conntrack --ctstate RELATED,ESTABLISHED "
_PROXIES = frozenset(name for kind in ENGINE_KINDS for name in kind.port_holders)


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    by: Decider
    networks: tuple[Network, ...]
    sockets: tuple[Socket, ...]


def owns(case: HostContext, obstacle: Obstacle) -> bool:
    """A rule or policy of the host's INPUT, before a question or neighbour discovery, not before the host's answers."""
    return (is_host_input(case, obstacle) and not obstacle.packet.reply) or is_discovery(case, obstacle, "input")


def find(ctx: CheckContext) -> Iterator[Finding | Undecided]:
    """One finding per rule or policy: for name servers, and for other services."""
    yield from undecided(ctx, ID)
    for flow, obstacle in ctx.meant_unsure:
        if is_host_input(ctx.case, obstacle):
            yield Undecided(reason=f"{flow.label}: {obstacle.by.text}")
    yield from joined(list(_each(ctx)))


def _each(ctx: CheckContext) -> Iterator[tuple[RuleRef | None, Finding]]:
    """What each rule or policy keeps from the host, with the rule."""
    told: set[Decider | RuleRef] = set()
    for blocked in definite(ctx, ID):
        told.add(element(blocked.obstacle))
        is_lost = blocked.obstacle.stage == "neighbour"
        yield blocked.obstacle.by.rule, _discovery(blocked) if is_lost else _names(blocked)
    services = {kept.by.rule or kept.by: kept for kept in _others(ctx.case)}
    for blocked in ctx.meant:
        if not is_host_input(ctx.case, blocked.obstacle) or element(blocked.obstacle) in told:
            continue
        told.add(element(blocked.obstacle))
        rule = blocked.obstacle.by.rule
        yield rule, _cut_off(blocked, services.get(element(blocked.obstacle)))
    yield from ((kept.by.rule, _service(kept)) for key, kept in services.items() if key not in told)


def _discovery(blocked: BlockedFlows) -> Finding:
    """Without neighbour discovery (RFC 4861) nobody on a link finds the host by IPv6, nor the host them."""
    by = blocked.obstacle.by
    place = table_of(by.rule) if by.rule is not None else None
    edit = (
        RuleEdit(place, by.rule.base, "-p ipv6-icmp -j ACCEPT") if by.rule is not None and place is not None else None
    )
    return Finding(
        check=ID,
        severity="error",
        subject=Subject(kind="rule", name=_place_words(by)),
        summary=ROUTER if all(flow.kind in _OUTWARDS for flow in blocked.flows) else DISCOVERY,
        symptoms=blocked.symptoms,
        evidence=(of_decider(by, "accepts ICMPv6 types 133 to 137"), of_flows(blocked)),
        remedy=overriding(
            Remedy(
                summary="Accept ICMPv6 before it",
                steps=(edit.insert(1),) if edit is not None else (),
                undo=(edit.delete(1),) if edit is not None else (),
                risk="ask" if edit is not None else "manual",
                note="ICMPv6 is a part of IPv6 (RFC 4890): tell the program that writes these rules to accept it",
            ),
            owner_of(by.rule),
        ),
        owner=owner_of(by.rule),
    )


def _cut_off(blocked: BlockedFlows, kept: _Kept | None) -> Finding:
    """A rule that stands between containers and their host, whatever else it keeps from them."""
    networks = list({flow.network.bridge: flow.network for flow in blocked.flows}.values())
    names = ", ".join(network.name for network in networks[:4]) + (" …" if networks[4:] else "")
    by = blocked.obstacle.by
    answers = [flow for flow in blocked.back if flow.kind in {"host-to-container", "host-to-published"}]
    promised = any(flow.kind in PROMISED for flow in blocked.flows)
    kinds = {flow.kind for flow in blocked.flows}
    published = promised or not kinds.isdisjoint({"container-to-published", "published"})
    kept_out = "the outside" if "published" in kinds else "containers"
    if answers:
        what = f"The host's INPUT rules drop what containers of {names} answer to the host"
    elif published:
        what = f"The host's INPUT rules keep {kept_out} from ports that {names} publish{_s(networks)} on this host"
    else:
        ports = ", ".join(dict.fromkeys(f"{item.port}/{item.proto}" for item in kept.sockets)) if kept else ""
        what = f"Containers of {names} can't reach " + (f"services of the host: ports {ports}" if ports else "the host")
    spec = _ANSWERS if answers else ""
    accepts = tuple(_accepted(by.rule, networks, spec))
    return Finding(
        check=ID,
        severity="warning" if answers or promised else "info",
        subject=Subject(kind="rule", name=f"{_place_words(by)}: services"),
        summary=what,
        symptoms=blocked.symptoms,
        evidence=(of_decider(by, "accepts it, if it should pass"), of_flows(blocked)),
        remedy=Remedy(
            summary="Accept answers to the host's own connections before it"
            if answers
            else "Accept the ports that containers need, from their bridge",
            steps=accepts,
            undo=inverses(accepts),
            risk="ask" if accepts else "manual",
            overrides=owner_of(by.rule) if by.rule is not None and accepts else None,
            note=f"Put it where the program or person keeps these rules: `-i {networks[0].bridge} {spec}-j ACCEPT` in "
            f"{by.rule.base or by.rule.chain} before it"
            if by.rule is not None and answers
            else f"With ufw: `ufw allow in on {networks[0].bridge}"
            + (f" to any port {kept.sockets[0].port}`" if kept is not None else "`"),
        ),
        owner=owner_of(by.rule),
    )


def _accepted(rule: RuleRef | None, networks: list[Network], spec: str) -> Iterator[InsertRule]:
    """The accepts before an administrator's rule; where a manager keeps the rules its own command is named instead."""
    place = table_of(rule) if rule is not None else None
    if rule is None or place is None or rule.number == 0 or not spec or owner_of(rule) != ADMINISTRATOR:
        return
    for network in networks:
        yield RuleEdit(place, rule.chain, f"-i {network.bridge} {spec}-j ACCEPT").insert(rule.number)


def _s(networks: list[Network]) -> str:
    return "es" if len(networks) == 1 else ""


def _names(blocked: BlockedFlows) -> Finding:
    networks = list({flow.network.bridge: flow.network for flow in blocked.flows}.values())
    names = ", ".join(network.name for network in networks)
    by = blocked.obstacle.by
    return Finding(
        check=ID,
        severity="error",
        subject=Subject(kind="rule", name=_place_words(by)),
        summary=f"The host's INPUT rules keep the containers of {names} from their name server",
        symptoms=blocked.symptoms,
        evidence=(
            of_decider(by, "accepts port 53 from the bridge"),
            *(
                Evidence(
                    source="listening sockets",
                    what="on the host",
                    value=f"{address}:{_DNS}/udp" if ":" not in address else f"[{address}]:{_DNS}/udp",
                )
                for address in dict.fromkeys(flow.forward.start.dst for flow in blocked.flows[:3])
            ),
            of_flows(blocked),
        ),
        remedy=overriding(_remedy([network.bridge for network in networks], by.rule), owner_of(by.rule)),
        owner=owner_of(by.rule),
    )


def _remedy(bridges: list[str], rule: RuleRef | None) -> Remedy | None:
    place = table_of(rule) if rule is not None else None
    if rule is None or place is None:
        steps = tuple(_in_nft(rule, bridges)) if rule is not None else ()
        note = "Put it into the configuration of the program that owns the table"
        return Remedy(summary="Accept DNS from the bridge", steps=steps, risk="manual", note=note)
    changes = [
        RuleEdit(place, rule.base, f"-i {bridge} -p {proto} -m {proto} --dport {_DNS} -j ACCEPT")
        for bridge in bridges
        for proto in ("udp", "tcp")
    ]
    inserts: tuple[InsertRule, ...] = tuple(change.insert(1) for change in changes)
    deletes: tuple[DeleteRule, ...] = tuple(change.delete(1) for change in reversed(changes))
    return Remedy(
        summary=f"Accept DNS from {', '.join(bridges)}",
        steps=inserts,
        undo=deletes,
        risk="ask",
        note="To keep it, tell the program that writes these rules: "
        f"`ufw allow in on {bridges[0]} to any port 53`, or firewalld's zone of the bridge",
    )


def _in_nft(rule: RuleRef, bridges: list[str]) -> Iterator[AcceptInNft]:
    for bridge, proto in product(bridges, ("udp", "tcp")):
        yield AcceptInNft(
            family=rule.family,
            table=rule.table,
            chain=rule.base,
            direction="iifname",
            interfaces=(bridge,),
            proto=proto,
            port=_DNS,
        )


def _service(kept: _Kept) -> Finding:
    ports = ", ".join(dict.fromkeys(f"{item.port}/{item.proto}" for item in kept.sockets))
    names = ", ".join(network.name for network in kept.networks[:4])
    return Finding(
        check=ID,
        severity="info",
        subject=Subject(kind="rule", name=f"{_place_words(kept.by)}: services"),
        summary=f"Containers of {names} can't reach services of the host: ports {ports}",
        symptoms=("container-to-host",),
        evidence=(of_decider(kept.by, "only if containers should reach them"),),
        remedy=Remedy(
            summary="Accept the ports that containers need, from their bridge",
            risk="manual",
            note=f"With ufw: `ufw allow in on {kept.networks[0].bridge} to any port {kept.sockets[0].port}`",
        ),
        owner=owner_of(kept.by.rule),
    )


def _others(case: HostContext) -> Iterator[_Kept]:
    """The host's services that INPUT keeps from containers, by what decides."""
    found: dict[Decider, tuple[dict[str, Network], dict[tuple[str, int], Socket]]] = {}
    for network in case.networks:
        members = case.members(network)
        address = case.bridge_address(network)
        if not members or not address:
            continue
        for socket in _services(case, address):
            packet = Packet(
                src=members[0].address,
                dst=address,
                proto=socket.proto,
                sport=40000,
                dport=socket.port,
                tcp_flags=("SYN",) if socket.proto == "tcp" else (),
            )
            way = walk(case.view, packet, origin=members[0].namespace)
            by = way.decided_by
            stopped = way.end in {"dropped", "rejected"} and bool(way.obstacles) and way.obstacles[0].stage == "input"
            if stopped and by is not None and by.rule is not None and owns(case, way.obstacles[0]):
                networks, sockets = found.setdefault(by, ({}, {}))
                networks[network.id] = network
                sockets[socket.proto, socket.port] = socket
    for by, (networks, sockets) in found.items():
        yield _Kept(by=by, networks=tuple(networks.values()), sockets=tuple(sockets.values()))


def _services(case: HostContext, address: str) -> list[Socket]:
    """The host's own services that are open to the bridge: proxies of published ports and name servers aside."""
    host = case.view.host
    wild = {"0.0.0.0", "::", address}  # noqa: S104 - compared with, not bound to
    services = {
        (item.proto, item.port): item
        for item in (host.sockets if host is not None else ())
        if item.address in wild
        and item.proto in {"tcp", "udp"}
        and item.process not in _PROXIES
        and not (item.port == _DNS and item.address == address)
    }
    return [services[key] for key in sorted(services)][:_MOST]


def _place_words(by: Decider) -> str:
    rule = by.rule
    return f"{rule.table} {rule.chain} {rule.number or 'policy'}" if rule is not None else by.text


CHECK = Check(
    id=ID,
    title="Containers reach their name server on the host",
    severity="error",
    doc=__doc__,
    find=find,
    owns=owns,
)
