"""What a network's options ask for in each address family.  Pure.

For IPv4 the network says it itself.  For IPv6 it depends on the engine too:
Docker writes no IPv6 rules unless ip6tables is on (dockerd(8): off by default
before 27, and experimental before 27), so that there nobody promises that
IPv6 is translated, let through or kept apart.  netavark writes the same rules
for every family that a network has.  None is "nobody stated it".
"""

from __future__ import annotations

from dnet_tui.diagnostics.context import iptables_layout
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.inspect.model import Engine, Family, Network, PublishedPort, known_items
from dnet_tui.inspect.model.engine_kinds.registry import traits_of

_OPTION = "com.docker.network.bridge.enable_ip_masquerade"
_TRANSLATED = {"", "nat", "nat-unprotected"}
_NO = {"0", "f", "F", "false", "FALSE", "False"}
_WILD: dict[Family, str] = {"ip": "0.0.0.0", "ip6": "::"}  # noqa: S104 - compared with, not bound to


def has_family(network: Network, family: Family) -> bool:
    """Whether a network was asked to have a family; IPv4 is taken for granted wherever a container has an address."""
    return family == "ip" or network.ipv6


def gateway_mode(network: Network, family: Family) -> str:
    """The gateway mode of a family; empty for the engine's default."""
    return network.gateway_mode4 if family == "ip" else network.gateway_mode6


def leads_out(network: Network, family: Family) -> bool:
    """Whether containers of a network are meant to get out of it."""
    no_way = network.options.get("no_default_route") in {"1", "true"}
    return has_family(network, family) and not (
        network.internal or gateway_mode(network, family) == "isolated" or no_way
    )


def is_ruled(case: HostContext, network: Network, family: Family) -> bool:
    """Whether the network's engine answers for the firewall rules of a family.

    Where it doesn't, a rule that stops the network's packets may be the
    administrator's own protection.
    """
    if family == "ip":
        return True
    engine = next((item for item in known_items(case.snapshot.engines) if item.name == network.engine), None)
    if engine is None or engine.rootless or engine.firewall == "none":
        return False
    traits = traits_of(engine.name)
    if traits.ip6_rules == "alike":
        return engine.network_backend not in traits.ip4_only_backends
    return traits.ip6_rules == "setting" and _writes_ip6(case, engine)


def _writes_ip6(case: HostContext, engine: Engine) -> bool:
    if engine.ip6tables is not None:
        return engine.ip6tables
    # Its settings could not be read: then its chains are the only witness.
    traits = traits_of(engine.name)
    return any(
        table.name in traits.tables or any(chain.name.startswith(traits.chain_marks) for chain in table.chains)
        for table in iptables_layout.tables(case, "ip6")
    )


def masquerades(case: HostContext, network: Network, family: Family) -> bool | None:
    """Whether packets of a family shall leave with the host's address; None when nobody states it."""
    if family == "ip":
        return network.masquerade
    if not network.ipv6 or not is_ruled(case, network, family):
        return None
    if traits_of(network.engine).ip6_rules == "alike":
        return network.masquerade
    chosen = network.options.get(_OPTION, "") not in _NO and not network.internal
    return chosen and network.gateway_mode6 in _TRANSLATED


def is_isolated(case: HostContext, network: Network, family: Family) -> bool | None:
    """Whether other networks shall not reach this one; an engine that may write no rules can't ask for it."""
    return network.isolated if is_ruled(case, network, family) and _may_write(case, network) else None


def _may_write(case: HostContext, network: Network) -> bool:
    """Whether an engine was not told to leave IPv4's rules alone (Docker's ``iptables``: false)."""
    return not any(
        engine.name == network.engine and engine.iptables is False for engine in known_items(case.snapshot.engines)
    )


def icc(case: HostContext, network: Network, family: Family) -> bool | None:
    """Whether neighbours shall reach each other; that they shall not needs rules."""
    ruled = is_ruled(case, network, family) and _may_write(case, network)
    return network.icc if network.icc or ruled else None


def publishes(case: HostContext, network: Network, family: Family, port: PublishedPort, address: str) -> bool:
    """Whether a published port shall be reached from outside at an address of the host, straight to the container.

    What only a proxy process takes is not the network's promise: the host's
    own INPUT rules decide over it.
    """
    if family == "ip":
        return ":" not in port.host_ip and port.host_ip in {"", _WILD["ip"], address}
    translated = network.ipv6 and not network.internal and network.gateway_mode6 in _TRANSLATED
    if not translated or not is_ruled(case, network, family):
        return False
    if traits_of(network.engine).wildcard_means_both and port.host_ip in {"", _WILD["ip"]}:
        return _is_rewritten(case, port)
    return port.host_ip in {_WILD["ip6"], address}


def _is_rewritten(case: HostContext, port: PublishedPort) -> bool:
    """Whether netavark wrote an IPv6 rule for a port.

    ``podman inspect`` says 0.0.0.0 of a port for all addresses as well as of
    one for all of IPv4, so that only the rules tell which it was.
    """
    rules = (rule for chain in iptables_layout.chains(case, "nat", "ip6") for rule in chain.rules)
    return any(iptables_layout.rewrites(rule, port.host_port, port.proto) for rule in rules)
