"""Plans for plain-Linux networks: a bridge, its address, and the rules Docker would write for it.  Pure.

Where the rules stand: below the jump to DOCKER-USER where there is one (what
an administrator forbids there stays forbidden), else at the top of FORWARD, so
that neither an engine's accepts nor a closing REJECT come first.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import Literal

from dnet_tui.actions.networks.native_network import kept_apart, network_removals, network_table
from dnet_tui.actions.networks.native_rules import put_back_last, still_deciding
from dnet_tui.actions.networks.subnets import (
    AddressRange,
    Net6,
    checked_gateway,
    checked_subnet,
    checked_subnet6,
    suggest_subnet,
)
from dnet_tui.actions.plans.plan import Plan, PlanStep
from dnet_tui.diagnostics.operations.bridge import CreateBridge, DeleteBridge
from dnet_tui.diagnostics.operations.kernel import SetSysctl
from dnet_tui.diagnostics.operations.rule import DeleteRule, InsertRule, tells
from dnet_tui.inspect.errors import CannotInspectError, UsageError
from dnet_tui.inspect.model import Namespace, Network, Snapshot, Unread
from dnet_tui.inspect.model.default_routes import beyond_the_host
from dnet_tui.inspect.model.engine_kinds.docker import USER_CHAIN
from dnet_tui.inspect.model.engine_kinds.registry import ENGINE_KINDS
from dnet_tui.inspect.model.firewall import Chain, Firewall, Table
from dnet_tui.inspect.model.network_label import Intention, encode
from dnet_tui.inspect.model.view import View
from dnet_tui.inspect.text.sanitize import clean

Xtables = Literal["iptables-nft", "iptables-legacy"]
XFamily = Literal["ip", "ip6"]

_ENGINES_CHAINS = tuple(name for kind in ENGINE_KINDS for name in kind.chain_marks)
_FORWARD = "net.ipv4.ip_forward"
_FORWARD6 = "net.ipv6.conf.all.forwarding"
_DEFAULT = "net.ipv4.conf.default.forwarding"
_NEEDED = ("links", "addresses", "routes")
_USEFUL = ("firewall", "sysctls", "networks")


def linux_create(
    snapshot: Snapshot,
    intention: Intention,
    *,
    subnet: str,
    gateway: str,
    subnet6: str,
    gateway6: str,
    bridge: str,
    mtu: int | None,
    native: bool = False,
) -> Plan:
    """Return the plan that makes a bridge network as ``intention`` says; empty arguments are chosen.

    Without ``subnet6`` it has no IPv6.  ``native``: its rules are a table of nftables, where there is no iptables.

    Raises:
        UsageError: The subnet, gateway or bridge name doesn't fit.
        CannotInspectError: The host's links, addresses or routes were not seen.
    """
    host = _seen(snapshot)
    wanted = subnet or suggest_subnet(snapshot)
    if wanted is None:
        msg = "every private range is in use on this host"
        raise UsageError(msg, "say which to use with --subnet")
    net = checked_subnet(snapshot, wanted)
    address = checked_gateway(net, gateway)
    nets: dict[XFamily, AddressRange | Net6] = {"ip": net}
    addresses = [f"{address}/{net.prefixlen}"]
    if subnet6:
        nets["ip6"] = net6 = checked_subnet6(snapshot, subnet6)
        addresses.append(f"{checked_gateway(net6, gateway6)}/{net6.prefixlen}")
    name = bridge or _bridge_name(intention.name, host)
    creation = CreateBridge(
        name=name,
        addresses=tuple(addresses),
        alias=encode(intention),
        mtu=mtu,
        mac=_mac(address),
        nf_call_iptables=not intention.icc,
        nf_call_ip6tables=bool(subnet6) and not intention.icc,
    )
    bridges = [link.name for link in View(snapshot).bridges()]
    outwards = beyond_the_host(host)
    others = [other for other in bridges if tells(other) and other not in outwards]
    steps = [*_forwarding(host, name, intention)]
    if subnet6:
        steps += _forwarding6(host, intention)
    for family, one in nets.items():
        if native:
            steps += network_table(family, name, str(one), intention, others)
        else:
            steps += _rules(host, name, family, one, intention, others)
    bridges_own = f"net.ipv4.conf.{name.replace('.', '/')}."
    switch = [
        item for item in steps if isinstance(item.action, SetSysctl) and not item.action.key.startswith(bridges_own)
    ]
    rest = [item for item in steps if item not in switch]
    notes = []
    if switch:
        notes.append("turning forwarding on makes this host forward between all its interfaces")
    if intention.isolated and not intention.internal:
        notes += [
            f"it isn't kept apart from bridge {clean(other)}: other machines are reached by it"
            for other in bridges
            if other in outwards
        ]
        mixed = [clean(other) for other in bridges if not tells(other) and other not in outwards]
        notes += [f"it isn't kept apart from bridge {other}: no rule can speak of that name alone" for other in mixed]
    if native:
        notes += still_deciding(known_firewall(host))
    return Plan(
        title=f"create network {intention.name}: bridge {name} with {' and '.join(str(one) for one in nets.values())}",
        steps=(*switch, PlanStep(action=creation), *rest),
        notes=(*_unseen(snapshot, host), *notes),
    )


def _mac(address: str) -> str:
    """A MAC address for the bridge (locally administered), by its IPv4 address.

    Without one the kernel gives it that of one of its ports, and another when that port goes
    (br_stp_recalculate_bridge_id): its guests' ARP entries for the gateway would go wrong.
    """
    return ":".join(f"{octet:02x}" for octet in (0x02, 0x64, *ipaddress.IPv4Address(address).packed))


def linux_remove(snapshot: Snapshot, network: Network) -> Plan:
    """Return the plan that removes a bridge network and the rules that creating it wrote.

    Raises:
        CannotInspectError: The host's links were not seen.
    """
    host = _seen(snapshot)
    name = network.bridge
    steps: list[PlanStep] = []
    left = 0
    for table, chain in _chains(known_firewall(host)):
        # From the last to the first: each deletion leaves the numbers above it as they are.
        for rule in reversed(chain.rules):
            words = rule.text.split()
            if _is_ours(table.name, chain.name, rule.text, name, network):
                steps.append(PlanStep(action=DeleteRule.of(table, chain, rule)))
            elif name in words:
                left += 1
    steps += network_removals(known_firewall(host), name)
    steps.append(PlanStep(action=DeleteBridge(name=name)))
    notes = ["forwarding stays as it is: other networks may need it"]
    notes += [
        f"table {table} still keeps a bridge named {clean(name)} apart"
        for table in kept_apart(known_firewall(host), name)
    ]
    notes += put_back_last(known_firewall(host), steps)
    if left:
        notes.append(f"{left} rule(s) that somebody else wrote for {clean(name)} stay")
    return Plan(
        title=f"remove network {clean(network.name)}: bridge {clean(name)}", steps=tuple(steps), notes=tuple(notes)
    )


def rule_texts(bridge: str, intention: Intention, others: list[str]) -> tuple[str, ...]:
    """Return the network's rules of filter FORWARD, in order, as iptables-save prints them."""
    inside = f"-i {bridge} -o {bridge} -j {'ACCEPT' if intention.icc else 'DROP'}"
    if intention.internal:
        return (f"-i {bridge} ! -o {bridge} -j DROP", f"! -i {bridge} -o {bridge} -j DROP", inside)
    apart = [
        text
        for other in others
        for text in (f"-i {bridge} -o {other} -j DROP", f"-i {other} -o {bridge} -j DROP")
        if intention.isolated
    ]
    return (
        *apart,
        f"-o {bridge} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        f"-i {bridge} ! -o {bridge} -j ACCEPT",
        inside,
    )


def _rules(
    host: Namespace, bridge: str, family: XFamily, net: AddressRange | Net6, intention: Intention, others: list[str]
) -> Iterator[PlanStep]:
    backend = pick_backend(known_firewall(host))
    if intention.masquerade:
        masquerade = InsertRule(
            backend=backend,
            family=family,
            table="nat",
            chain="POSTROUTING",
            spec=f"-s {net} ! -o {bridge} -j MASQUERADE",
            position=1,
        )
        yield PlanStep(action=masquerade)
    first = _first_place(known_firewall(host), backend, family)
    for position, text in enumerate(rule_texts(bridge, intention, others), first):
        rule = InsertRule(backend=backend, family=family, table="filter", chain="FORWARD", spec=text, position=position)
        yield PlanStep(action=rule)


def _forwarding(host: Namespace, bridge: str, intention: Intention) -> Iterator[PlanStep]:
    """Yield what makes the kernel forward what comes in by the new bridge."""
    if intention.internal:
        return
    if host.sysctls.get(_FORWARD) != "1":
        before = host.sysctls.get(_FORWARD) or "0"
        yield PlanStep(action=SetSysctl(key=_FORWARD, value="1"), undo=(SetSysctl(key=_FORWARD, value=before),))
    elif host.sysctls.get(_DEFAULT, "1") != "1":
        # A new interface starts with the default's value, which may differ from ip_forward.
        key = f"net.ipv4.conf.{bridge.replace('.', '/')}.forwarding"
        yield PlanStep(action=SetSysctl(key=key, value="1"), undo=(SetSysctl(key=key, value="0"),))


def _forwarding6(host: Namespace, intention: Intention) -> Iterator[PlanStep]:
    """The same for IPv6, where a host that forwards believes no router any more, unless it is told to.

    accept_ra 2: also while forwarding (Documentation/networking/ip-sysctl.rst).
    """
    before = host.sysctls.get(_FORWARD6) or "0"
    if intention.internal or before == "1":
        return
    learned = {
        hop.ifindex for route in host.routes if route.family == "ip6" and route.protocol == "ra" for hop in route.hops
    }
    for link in host.links:
        key = f"net.ipv6.conf.{link.name.replace('.', '/')}.accept_ra"
        if link.ifindex in learned and host.sysctls.get(key) == "1":
            yield PlanStep(action=SetSysctl(key=key, value="2"), undo=(SetSysctl(key=key, value="1"),))
    yield PlanStep(action=SetSysctl(key=_FORWARD6, value="1"), undo=(SetSysctl(key=_FORWARD6, value=before),))


def known_firewall(host: Namespace) -> Firewall | None:
    """The host's firewall as far as it was seen; every step looks again itself before it changes anything."""
    return None if isinstance(host.firewall, Unread) else host.firewall


def pick_backend(firewall: Firewall | None) -> Xtables:
    """Return the iptables backend to write to: an engine's, else one that holds rules, else nft."""
    tables = [table for table in (firewall.tables if firewall else ()) if table.family in ("ip", "ip6")]
    engines = [table for table in tables if any(c.name.startswith(_ENGINES_CHAINS) for c in table.chains)]
    full = [table for table in tables if any(chain.rules for chain in table.chains)]
    for table in (*engines, *full):
        if table.backend != "nftables":
            return table.backend
    return "iptables-nft"


def _first_place(firewall: Firewall | None, backend: Xtables, family: XFamily) -> int:
    for table, chain in _chains(firewall):
        if (table.backend, table.family) == (backend, family) and table.name == "filter" and chain.name == "FORWARD":
            jump = next((rule.number for rule in chain.rules if rule.text == f"-j {USER_CHAIN}"), 0)
            return jump + 1
    return 1


def _chains(firewall: Firewall | None) -> Iterator[tuple[Table, Chain]]:
    for table in firewall.tables if firewall else ():
        if table.family in ("ip", "ip6") and table.backend != "nftables":
            for chain in table.chains:
                yield table, chain


def _is_ours(table: str, chain: str, text: str, bridge: str, network: Network) -> bool:
    if (table, chain) == ("nat", "POSTROUTING"):
        return any(text == f"-s {subnet.cidr} ! -o {bridge} -j MASQUERADE" for subnet in network.subnets)
    if (table, chain) != ("filter", "FORWARD"):
        return False
    own = {
        text
        for internal in (True, False)
        for icc in (True, False)
        for text in rule_texts(bridge, Intention(name="any", internal=internal, icc=icc), [])
    }
    name = re.escape(bridge)
    return text in own or re.fullmatch(rf"-i (?:{name} -o \S+|\S+ -o {name}) -j DROP", text) is not None


def _bridge_name(name: str, host: Namespace) -> str:
    taken = {link.name for link in host.links}
    base = f"br-{name}"[:15]
    for number in range(100):
        candidate = base if number == 0 else f"{base[:12]}-{number}"
        if candidate not in taken:
            return candidate
    msg = f"there are too many bridges named like {base}"
    raise UsageError(msg, "choose a name with --bridge-name")


def _seen(snapshot: Snapshot) -> Namespace:
    """Return the host's namespace if what a plan must know of it was seen.

    Raises:
        CannotInspectError: It was not; the hint is the gap's.
    """
    host = View(snapshot).host
    if host is None:
        msg = "this host's own network namespace was not seen"
        raise CannotInspectError(msg, "see what `dnet-tui doctor` says it could not see")
    for gap in snapshot.gaps:
        if gap.section in _NEEDED and gap.scope in ("", host.id):
            msg = f"the host's {gap.section} could not be read: {gap.reason}"
            raise CannotInspectError(msg, gap.hint or "a plan made without them could break something")
    return host


def _unseen(snapshot: Snapshot, host: Namespace) -> tuple[str, ...]:
    """Say what the plan was made without; every step looks again itself before it changes anything."""
    blind = [gap for gap in snapshot.gaps if gap.section in _USEFUL and gap.scope in ("", host.id)]
    return tuple(f"planned without seeing all of the {gap.section}: {gap.reason}" for gap in blind)
