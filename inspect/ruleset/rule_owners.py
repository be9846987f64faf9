"""Whose rule is it: an engine's, a network's, a published port's, another program's.  Pure.

A rule gets an owner only where its place and its shape say so.  That a rule
names a container's bridge isn't enough: people write such rules too.

Sources: for the rules that engines put into chains of everybody, Docker's
bridge driver (setup_ip_tables_linux.go and its iptabler) and dnet-tui itself.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from dnet_tui.inspect.model import Network
from dnet_tui.inspect.model.engine_kinds.registry import traits_of
from dnet_tui.inspect.model.firewall import Chain, Firewall, Match, Rule, Table, Verdict
from dnet_tui.inspect.model.rule_writers import registry
from dnet_tui.inspect.ruleset.engine_objects import EngineObjects, network_name, port_name, port_or_container
from dnet_tui.inspect.ruleset.owner_names import USERS_CHAINS, chain_owners, commented_owner
from dnet_tui.inspect.ruleset.rule_features import Clues

_ESTABLISHED = Match(field="ctstate", values=("RELATED", "ESTABLISHED"))
_LOOPBACK = "127.0.0.1"


def firewall_with_owners(
    firewall: Firewall, things: EngineObjects, only: Callable[[Rule], bool] | None = None
) -> Firewall:
    """The firewall of a host with each rule's ``owner`` filled in; with ``only``, the other rules keep theirs."""
    return msgspec.structs.replace(firewall, tables=tuple(_table(table, things, only) for table in firewall.tables))


def _table(table: Table, things: EngineObjects, only: Callable[[Rule], bool] | None) -> Table:
    owners = chain_owners(table)
    chains = []
    for chain in table.chains:
        rules = list(chain.rules)
        changed = False
        for place, rule in enumerate(chain.rules):
            if only is not None and not only(rule):
                continue
            owner = _owner(Clues(rule), table, chain, owners, things)
            if owner != rule.owner:
                rules[place] = msgspec.structs.replace(rule, owner=owner)
                changed = True
        # What is known of a chain besides (an index of its rules) lasts as long as the chain does.
        chains.append(msgspec.structs.replace(chain, rules=tuple(rules)) if changed else chain)
    return msgspec.structs.replace(table, chains=tuple(chains))


def _owner(clues: Clues, table: Table, chain: Chain, owners: dict[str, str], things: EngineObjects) -> str:
    if chain.name in USERS_CHAINS:
        if _is_closing(clues.rule, chain):
            return owners.get(chain.name, "")
        return _guests(clues, owners)
    commented = commented_owner(clues.rule.comment) if clues.rule.comment else ""
    if commented:
        return commented
    program = owners.get(chain.name) or owners.get(clues.leads_to, "")
    if program:
        return things.named(clues, program) or things.of_chain(chain.name) or program
    return _inline(clues, table, chain, things) or _closing_rules(clues, table, chain, owners)


def _closing_rules(clues: Clues, table: Table, chain: Chain, owners: dict[str, str]) -> str:
    """The manager that closes its built-in chains with such a rule, where its chains are in the table."""
    if chain.hook is None or table.backend == "nftables" or table.name != "filter":
        return ""
    found = registry.by_closing(clues.rule.text)
    return found if found in owners.values() else ""


def _guests(clues: Clues, owners: dict[str, str]) -> str:
    """The manager that uses the administrator's chain, as ufw-docker and fail2ban do: by chain, comment or set."""
    return owners.get(clues.leads_to, "") or registry.by_comment(clues.rule.comment) or _managers(clues)


def _is_closing(rule: Rule, chain: Chain) -> bool:
    """Whether it is the RETURN that Docker before 28.2 closes the administrator's chain with."""
    return rule.number == len(chain.rules) and rule.exprs == (Verdict(kind="return"),)


def _inline(clues: Clues, table: Table, chain: Chain, things: EngineObjects) -> str:
    """The owner of a rule that an engine or a manager wrote into a built-in chain: it has just its shape."""
    if chain.hook is None:
        return ""
    if table.backend == "nftables":
        return _managers(clues)
    for name in clues.values("iif", "oif"):
        network = things.by_bridge.get(name)
        if network is None or not traits_of(network.engine).in_builtin_chains:
            continue
        if chain.hook == "forward" and _forwards(clues, network, things):
            return network_name(network)
        if chain.hook == "postrouting" and _masquerades(clues, network):
            return network_name(network)
        if table.name == "raw" and _guards(clues, network, things):
            return things.named(clues, network.engine) or network_name(network)
    if table.name == "nat" and chain.hook == "postrouting":
        return _to_itself(clues, things)
    guarded = _guards_loopback(clues, things) if table.name == "raw" and chain.hook == "prerouting" else ""
    return guarded or _managers(clues)


def _managers(clues: Clues) -> str:
    """The manager whose set a rule looks into, or whose links alone it asks for; people write other rules for them."""
    owners = {registry.by_set(name) for name in clues.sets()}
    if len(owners) == 1 and "" not in owners:
        return owners.pop()
    if (
        clues.ends in {"drop", "reject"}
        and clues.matches
        and all(item.field in {"iif", "oif"} for item in clues.matches)
    ):
        owners = {registry.by_interface(name) for item in clues.matches if not item.negate for name in item.values}
        if len(owners) == 1:
            return owners.pop()
    return ""


def _iif(name: str, *, negate: bool = False) -> Match:
    return Match(field="iif", values=(name,), negate=negate)


def _oif(name: str, *, negate: bool = False) -> Match:
    return Match(field="oif", values=(name,), negate=negate)


def _forwards(clues: Clues, network: Network, things: EngineObjects) -> bool:
    """Whether it is one of the rules that a bridge gets in FORWARD."""
    bridge = network.bridge
    if len(clues.matches) > 2:
        return False
    if clues.ends == "accept":
        return (
            clues.asks(_oif(bridge), _ESTABLISHED)
            or clues.asks(_iif(bridge), _oif(bridge, negate=True))
            or clues.asks(_iif(bridge), _oif(bridge))
        )
    if clues.ends != "drop":
        return False
    if clues.asks(_iif(bridge), _oif(bridge)):
        return True
    return traits_of(network.engine).isolates_in_forward and (
        clues.asks(_iif(bridge), _oif(bridge, negate=True))
        or clues.asks(_iif(bridge, negate=True), _oif(bridge))
        or any(clues.asks(_iif(one), _oif(two)) for one, two in _pairs(bridge, things))
    )


def _pairs(bridge: str, things: EngineObjects) -> list[tuple[str, str]]:
    others = [name for name in things.by_bridge if name != bridge]
    return [pair for other in others for pair in ((bridge, other), (other, bridge))]


def _masquerades(clues: Clues, network: Network) -> bool:
    if clues.nat is None or clues.nat.kind not in {"masquerade", "snat"}:
        return False
    return any(
        clues.asks(Match(field="saddr", values=(subnet.cidr,)), _oif(network.bridge, negate=True))
        for subnet in network.subnets
    )


def _guards(clues: Clues, network: Network, things: EngineObjects) -> bool:
    """Whether it drops what comes to a container of the network from elsewhere than its bridge."""
    hosts = clues.hosts()
    return (
        clues.ends == "drop"
        and len(hosts) == 1
        and things.container_at(hosts[0]) is not None
        and _iif(network.bridge, negate=True) in clues.matches
    )


def _to_itself(clues: Clues, things: EngineObjects) -> str:
    """The owner of the masquerading of a container that reaches its own published port."""
    hosts = clues.hosts()
    container = things.container_at(hosts[0]) if len(hosts) == 2 and hosts[0] == hosts[1] else None
    if container is None or not traits_of(container.engine).masquerades_to_itself:
        return ""
    if clues.nat is None or clues.nat.kind != "masquerade":
        return ""
    return port_or_container(container, clues)


def _guards_loopback(clues: Clues, things: EngineObjects) -> str:
    """The owner of Docker's guard of a port that is published on the loopback address only."""
    if clues.ends != "drop" or clues.hosts() != [_LOOPBACK] or _iif("lo", negate=True) not in clues.matches:
        return ""
    return next(
        (
            port_name(container, port)
            for container, port in things.published_on(_LOOPBACK)
            if traits_of(container.engine).guards_loopback_ports
            and port.proto == clues.protocol()
            and clues.has_port(port.host_port)
        ),
        "",
    )
