"""Plans that publish a running container's port by rules of one's own, and that take them out again.  Pure.

The rules are those that an engine writes for a port: the destination
rewritten on the way in and for the host's own programs, the forwarded packet
accepted before an engine's drops, and masquerading where the answer would
otherwise take a short cut past the rewriting.  They stand in chains that
engines don't rewrite, and every one bears the port's label as its comment.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Literal

import msgspec

from dnet_tui.actions.networks.linux_network import XFamily, known_firewall, pick_backend
from dnet_tui.actions.networks.native_rules import put_back_last, still_deciding
from dnet_tui.actions.plans.plan import Plan, PlanStep
from dnet_tui.actions.ports.accept_position import accept_position
from dnet_tui.actions.ports.native_publish import native_removals, native_table
from dnet_tui.actions.ports.port_taken import check_free
from dnet_tui.actions.ports.port_target import PortTarget, port_target, running_container
from dnet_tui.diagnostics.operations.bridge_port import SetPortFlag
from dnet_tui.diagnostics.operations.kernel import SetSysctl
from dnet_tui.diagnostics.operations.rule import DeleteRule, InsertRule
from dnet_tui.inspect.errors import CannotInspectError, UsageError
from dnet_tui.inspect.model import Container, Namespace, Snapshot, known_items
from dnet_tui.inspect.model.engine_kinds.docker import DOCKER
from dnet_tui.inspect.model.firewall import Firewall
from dnet_tui.inspect.model.port_label import NAME, PREFIX, PortLabel, decode
from dnet_tui.inspect.model.view import View
from dnet_tui.inspect.text.sanitize import clean

_LOOPBACK = "127.0.0.0/8"


class PortRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a person asked for.  ``host_ip`` empty: every address; ``localhost``: 127.0.0.1 of the host too."""

    container: str
    host_ip: str = ""
    host_port: int
    container_port: int
    proto: Literal["tcp", "udp"] = "tcp"
    localhost: bool = False


def parse_port(container: str, text: str, *, localhost: bool = False) -> PortRequest:
    """Return what ``[ADDRESS:]PORT:CONTAINERPORT[/PROTO]`` asks for; an IPv6 address stands in brackets.

    Raises:
        UsageError: It isn't of that form.
    """
    hint = "write it as 8080:80, 8080:80/udp, 192.0.2.1:8080:80 or [2001:db8::1]:8080:80"
    body, _, proto = text.partition("/")
    where, _, last = body.rpartition(":")
    address, _, first = where.rpartition(":")
    if not where:
        raise UsageError(f"{clean(text)!r} is not a port to publish", hint)
    numbers = [int(item) if item.isascii() and item.isdecimal() else 0 for item in (first, last)]
    if not all(0 < number < 65536 for number in numbers) or proto not in ("", "tcp", "udp"):
        raise UsageError(f"{clean(text)!r} is not a port to publish", hint)
    host_ip = address.removeprefix("[").removesuffix("]")
    try:
        parsed = ipaddress.ip_address(host_ip) if host_ip else None
    except ValueError as error:
        raise UsageError(f"{clean(host_ip)!r} is not an address", hint) from error
    if parsed is not None and parsed.is_unspecified:
        parsed = None
    return PortRequest(
        container=container,
        host_ip=str(parsed) if parsed is not None else "",
        host_port=numbers[0],
        container_port=numbers[1],
        proto="udp" if proto == "udp" else "tcp",
        localhost=localhost,
    )


def publish_plan(snapshot: Snapshot, request: PortRequest, *, native: bool = False) -> Plan:
    """Return the plan that publishes the port; ``native``: by a table of nftables, where there is no iptables.

    Raises:
        UsageError: The container, address or port doesn't fit, or the port is taken.
        CannotInspectError: Too little is known of the host.
    """
    container = running_container(snapshot, request.container)
    if not NAME.fullmatch(container.name):
        raise UsageError(
            f"the name {clean(container.name)!r} can't be kept in a rule's comment", "rename the container"
        )
    host = View(snapshot).host
    firewall = known_firewall(host) if host is not None else None
    if host is None or firewall is None:
        raise CannotInspectError("the host's firewall was not seen", "run it as root: sudo dnet-tui …")
    _check_address(host, request)
    check_free(snapshot, host, container, request)
    targets = _targets(snapshot, container, request)
    label = PortLabel(container.name, request.host_ip or "*", request.host_port, request.container_port, request.proto)
    steps: list[PlanStep] = []
    for family, target in targets.items():
        steps += _forwarding(host, family)
        if native:
            steps.append(native_table(family, target, label, localhost=_wants_localhost(family, request)))
            steps += _route_localnet(host, target) if _wants_localhost(family, request) else ()
        else:
            steps += _steps(host, firewall, family, target, request, label)
    steps += _hairpins(host, targets)
    return Plan(
        title=f"publish {request.proto} port {request.host_port} for {container.name} port {request.container_port}",
        steps=tuple(steps),
        notes=(
            *_notes(snapshot, container, targets, request),
            # Beside Docker's rules; a host without iptables has none of them.
            *(still_deciding(firewall) if native else _docker_note(container)),
        ),
    )


def unpublish_plan(snapshot: Snapshot, name: str, port: int, proto: str) -> Plan:
    """Return the plan that takes the rules of a published port out.

    Raises:
        UsageError: No rule of dnet-tui's publishes that port; the hint says who does.
        CannotInspectError: The host's firewall was not seen.
    """
    host = View(snapshot).host
    firewall = known_firewall(host) if host is not None else None
    if firewall is None:
        raise CannotInspectError("the host's firewall was not seen", "run it as root: sudo dnet-tui …")
    steps: list[PlanStep] = []
    ours: set[str] = set()
    for table in firewall.tables:
        if table.backend == "nftables" or table.family not in ("ip", "ip6"):
            continue
        for chain in table.chains:
            for rule in reversed(chain.rules):
                label = decode(rule.comment) if rule.comment.startswith(PREFIX) else None
                if label is None:
                    continue
                ours.add(f"{label.container} {label.host_port}/{label.proto}")
                if (label.container, label.host_port, label.proto) == (name, port, proto):
                    steps.append(PlanStep(action=DeleteRule.of(table, chain, rule)))
    steps += _native_removals(firewall, name, port, proto)
    if not steps:
        engine = any(
            item.name == name and any((one.host_port, one.proto) == (port, proto) for one in item.published)
            for item in known_items(snapshot.containers)
        )
        msg = f"no rule of dnet-tui's publishes {proto} port {port} for {clean(name)}"
        hint = f"published by dnet-tui: {', '.join(sorted(ours))}" if ours else "dnet-tui has published nothing here"
        raise UsageError(msg, "its engine publishes it: make the container anew without it" if engine else hint)
    return Plan(
        title=f"stop publishing {proto} port {port} for {clean(name)}",
        steps=tuple(steps),
        notes=(
            "forwarding, hairpin and route_localnet stay as they are; connections that are open go on",
            *put_back_last(firewall, steps),
        ),
    )


def _targets(snapshot: Snapshot, container: Container, request: PortRequest) -> dict[XFamily, PortTarget]:
    families: tuple[XFamily, ...] = ("ip", "ip6")
    if request.host_ip:
        families = ("ip6",) if ":" in request.host_ip else ("ip",)
    targets: dict[XFamily, PortTarget] = {}
    for family in families:
        target = port_target(snapshot, container, family)
        if target is None:
            continue
        if target.network is not None and target.network.internal:
            msg = f"network {clean(target.network.name)} of {clean(container.name)} is internal: nothing may come in"
            raise UsageError(msg, "connect the container to another network first")
        targets[family] = target
    if not targets:
        kind = f" {'IPv6' if ':' in request.host_ip else 'IPv4'}" if request.host_ip else ""
        msg = f"{clean(container.name)} has no{kind} default route, so its answers would not get back"
        raise UsageError(msg, "see `dnet-tui ls containers`")
    return targets


def _check_address(host: Namespace, request: PortRequest) -> None:
    if not request.host_ip:
        return
    address = ipaddress.ip_address(request.host_ip)
    if address.is_loopback and address.version == 6:
        raise UsageError("the kernel forwards nothing from ::1", "publish it on 127.0.0.1, or on every address")
    if not address.is_loopback and all(item.address != request.host_ip for item in host.addresses):
        own = ", ".join(item.address for item in host.addresses if item.scope == "global")
        raise UsageError(f"{request.host_ip} is no address of this host", f"its addresses: {own or 'none'}")


def _forwarding(host: Namespace, family: XFamily) -> Iterator[PlanStep]:
    key = "net.ipv4.ip_forward" if family == "ip" else "net.ipv6.conf.all.forwarding"
    before = host.sysctls.get(key)
    if before == "0":
        yield PlanStep(action=SetSysctl(key=key, value="1"), undo=(SetSysctl(key=key, value="0"),))


def _steps(
    host: Namespace,
    firewall: Firewall,
    family: XFamily,
    target: PortTarget,
    request: PortRequest,
    label: PortLabel,
) -> Iterator[PlanStep]:
    backend = pick_backend(firewall)
    proto, inside, outside = request.proto, request.container_port, request.host_port
    whole = 32 if family == "ip" else 128
    one = f"{target.address}/{whole}"
    comment = f'-m comment --comment "{label.comment}"'
    to = f"{target.address}:{inside}" if family == "ip" else f"[{target.address}]:{inside}"
    on = f"-d {request.host_ip}/{whole} " if request.host_ip else ""
    arriving = f"-p {proto} -m {proto} --dport {outside} -m addrtype --dst-type LOCAL {comment}"
    local_only = bool(request.host_ip) and ipaddress.ip_address(request.host_ip).is_loopback
    localhost = _wants_localhost(family, request)

    def rule(table: str, chain: str, spec: str, position: int | None = None) -> PlanStep:
        return PlanStep(
            action=InsertRule(backend=backend, family=family, table=table, chain=chain, spec=spec, position=position)
        )

    if not local_only:
        yield rule("nat", "PREROUTING", f"{on}{arriving} -j DNAT --to-destination {to}")
    not_loopback = "" if on or localhost else f"! -d {_LOOPBACK if family == 'ip' else '::1/128'} "
    yield rule("nat", "OUTPUT", f"{on}{not_loopback}{arriving} -j DNAT --to-destination {to}")
    rewritten = f"-p {proto} -m {proto} --dport {inside} -m conntrack --ctstate DNAT {comment}"
    yield rule("nat", "POSTROUTING", f"-s {target.subnet} -d {one} -o {target.bridge} {rewritten} -j MASQUERADE", 1)
    if localhost:
        yield from _localhost(host, target)
        spec = f"-s {_LOOPBACK} -d {one} -o {target.bridge} -p {proto} -m {proto} --dport {inside} {comment}"
        yield rule("nat", "POSTROUTING", f"{spec} -j MASQUERADE", 1)
    chain, position = accept_position(firewall, backend, family)
    yield rule("filter", chain, f"-d {one} -o {target.bridge} {rewritten} -j ACCEPT", position)
    # An answer to another network meets what keeps the two apart before it meets the accept for answers.
    answer = f"-p {proto} -m {proto} --sport {inside} -m conntrack --ctstate DNAT {comment}"
    below = position + 1 if position is not None else None
    yield rule("filter", chain, f"-s {one} -i {target.bridge} {answer} -j ACCEPT", below)


def _wants_localhost(family: XFamily, request: PortRequest) -> bool:
    local_only = bool(request.host_ip) and ipaddress.ip_address(request.host_ip).is_loopback
    return family == "ip" and (request.localhost or local_only)


def _native_removals(firewall: Firewall, name: str, port: int, proto: str) -> Iterator[PlanStep]:
    labels = {
        label
        for table in firewall.tables
        for chain in (table.chains if table.backend == "nftables" else ())
        for rule in chain.rules
        if rule.comment.startswith(PREFIX)
        and (label := decode(rule.comment)) is not None
        and (label.container, label.host_port, label.proto) == (name, port, proto)
    }
    for label in sorted(labels):
        yield from native_removals(firewall, label)


def _route_localnet(host: Namespace, target: PortTarget) -> Iterator[PlanStep]:
    key = f"net.ipv4.conf.{target.bridge.replace('.', '/')}.route_localnet"
    if host.sysctls.get(key) != "1":
        before = host.sysctls.get(key) or "0"
        yield PlanStep(action=SetSysctl(key=key, value="1"), undo=(SetSysctl(key=key, value=before),))


def _localhost(host: Namespace, target: PortTarget) -> Iterator[PlanStep]:
    """Let packets from 127.0.0.1 leave by the bridge, and nobody on it reach the host's own loopback."""
    key = f"net.ipv4.conf.{target.bridge.replace('.', '/')}.route_localnet"
    if host.sysctls.get(key) != "1":
        guard = f'-d {_LOOPBACK} -i {target.bridge} -m comment --comment "{PREFIX}loopback" -j DROP'
        yield PlanStep(
            action=InsertRule(
                backend=pick_backend(known_firewall(host)),
                family="ip",
                table="raw",
                chain="PREROUTING",
                spec=guard,
                position=1,
            )
        )
        yield from _route_localnet(host, target)


def _hairpins(host: Namespace, targets: dict[XFamily, PortTarget]) -> Iterator[PlanStep]:
    """Let a container come back to itself where br_netfilter rewrites its packet while it is still on the bridge."""
    calls = {"ip": "net.bridge.bridge-nf-call-iptables", "ip6": "net.bridge.bridge-nf-call-ip6tables"}
    called = [target.port for family, target in targets.items() if host.sysctls.get(calls[family]) == "1"]
    for name in dict.fromkeys(port.name for port in called if port.port is not None and not port.port.hairpin):
        flag = SetPortFlag(port=name, flag="hairpin", on=True)
        yield PlanStep(action=flag, undo=(flag.inverse(),))


def _notes(
    snapshot: Snapshot, container: Container, targets: dict[XFamily, PortTarget], request: PortRequest
) -> Iterator[str]:
    inside = View(snapshot).namespaces.get(container.netns or "")
    sockets = known_items(inside.sockets) if inside is not None else ()
    if not any((item.port, item.proto) == (request.container_port, request.proto) for item in sockets):
        yield f"nobody listens on {request.proto} port {request.container_port} in {clean(container.name)} yet"
    addresses = " and ".join(target.address for target in targets.values())
    yield f"it leads to {addresses}: publish it again when {clean(container.name)} gets another address"
    yield "its rules stand where engines don't rewrite them; a reload of the whole firewall takes them away"
    if "ip" in targets and not request.localhost and not request.host_ip:
        yield f"127.0.0.1:{request.host_port} on this host does not lead there; --localhost adds it"


def _docker_note(container: Container) -> Iterator[str]:
    if container.engine == DOCKER.kind:
        yield "a restart of Docker may put its isolation above these rules: other networks don't reach it then"
