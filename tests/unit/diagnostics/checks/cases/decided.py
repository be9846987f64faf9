"""Hosts for the checks of what somebody decided beside the rules that drop: zones, parameters, firewalls not asked."""

from __future__ import annotations

import msgspec

from dnet_tui.inspect.iptables.rule import parse_rule
from dnet_tui.inspect.model import Container, Endpoint, PolicyRule, Snapshot
from dnet_tui.inspect.model.firewall import AnyExpr, Chain, Firewall, Match, Rule, SetZone, Table
from dnet_tui.inspect.ruleset.owner_cache import OwnerCache
from unit.builders.factories import APP1, HOST, WEB, docker_like_snapshot, with_namespace, with_sysctl
from unit.builders.factories_links import adding, namespace, six, without
from unit.diagnostics.checks.cases.case import CheckCases
from unit.diagnostics.checks.cases.rules import insert

_OFF = "net.ipv6.conf.{}.disable_ipv6"


def zoned(device: str, direction: str = "") -> Snapshot:
    """The host with a rule that puts what comes in by a device into a tracking zone."""
    base = docker_like_snapshot()
    host = namespace(base, HOST)
    assert isinstance(host.firewall, Firewall)
    exprs: tuple[AnyExpr, ...] = (
        Match(field="iif", values=(device,)),
        SetZone(zone=5, direction=direction),  # type: ignore[arg-type]
    )
    rule = Rule(number=1, text=f"-i {device} -j CT --zone{direction and '-orig'} 5", exprs=exprs)
    raw = Chain(name="PREROUTING", hook="prerouting", priority=-300, type="filter", policy="accept", rules=(rule,))
    table = Table(family="ip", name="raw", backend="iptables-nft", chains=(raw,))
    return with_namespace(base, HOST, firewall=Firewall(tables=(*host.firewall.tables, table)))


def guarded(kind: str, *accepted: str) -> Snapshot:
    """The host whose INPUT drops by default, with a chain of a firewall's keeper that accepts some."""
    name = {"ufw": "ufw-before-input", "csf": "LOCALINPUT"}.get(kind, "own")
    base = docker_like_snapshot()
    host = namespace(base, HOST)
    assert isinstance(host.firewall, Firewall)
    tables = tuple(
        msgspec.structs.replace(table, chains=(*(_led(item, name) for item in table.chains), _chain(name, accepted)))
        if (table.backend, table.family, table.name) == ("iptables-nft", "ip", "filter")
        else table
        for table in host.firewall.tables
    )
    return OwnerCache().fill_in(with_namespace(base, HOST, firewall=Firewall(tables=tables)))


def _led(item: Chain, target: str) -> Chain:
    if item.name != "INPUT":
        return item
    return msgspec.structs.replace(item, policy="drop", rules=(_rule(1, f"-j {target}", {target}),))


def _chain(name: str, specs: tuple[str, ...]) -> Chain:
    return Chain(name=name, rules=tuple(_rule(number, spec, set()) for number, spec in enumerate(specs, 1)))


def _rule(number: int, text: str, chains: set[str]) -> Rule:
    parsed = parse_rule(text, chains)
    return Rule(number=number, text=text, exprs=parsed.exprs, comment=parsed.comment)


def without_six(key: str, value: str = "1", *, given: bool = True) -> Snapshot:
    """A container on a network with IPv6 that has lost its address of it, and a parameter of its own."""
    base = without(six(), APP1, "addresses", lambda item: item.family == "ip6")
    base = with_sysctl(base, key, value, APP1)
    containers = tuple(_given(item) if given and item.name == "app1" else item for item in base.containers)
    return msgspec.structs.replace(base, containers=containers)


def _given(container: Container) -> Container:
    ends = tuple(_with_six(item) for item in container.endpoints)
    return msgspec.structs.replace(container, endpoints=ends)


def _with_six(endpoint: Endpoint) -> Endpoint:
    return msgspec.structs.replace(endpoint, addresses=(*endpoint.addresses, "fd00:10::2/64"))


def mute(space: str, value: str = "1", key: str = "net.ipv4.icmp_echo_ignore_all") -> Snapshot:
    """A namespace that answers no echo."""
    return with_sysctl(docker_like_snapshot(), key, value, space)


def unrouted(dst: str = "10.10.0.0/24") -> Snapshot:
    """The host without a route."""
    return without(docker_like_snapshot(), HOST, "routes", lambda item: item.dst == dst)


def unruled(table: int = 254) -> Snapshot:
    """The host without the policy rule for a table."""
    return without(docker_like_snapshot(), HOST, "policy_rules", lambda item: item.table == table)


def elsewhere() -> Snapshot:
    """The host whose route to a network stands in another table, which a rule of its own looks up."""
    base = unrouted()
    moved = msgspec.structs.replace(
        next(item for item in namespace(docker_like_snapshot(), HOST).routes if item.dst == "10.10.0.0/24"), table=100
    )
    rule = PolicyRule(family="ip", priority=90, table=100)
    return adding(adding(base, HOST, "routes", moved), HOST, "policy_rules", rule)


CASES: dict[str, CheckCases] = {
    "net-route-gone": CheckCases(
        fires={
            "the route to a network is gone": unrouted,
            "the rule for the main table is gone": unruled,
        },
        near_misses={
            "another table has the route": elsewhere,
            "a route to nobody's network is gone": lambda: unrouted("192.0.2.0/24"),
            "a bridge without an address of its own": lambda: without(
                unrouted(), HOST, "addresses", lambda item: item.address == "10.10.0.1"
            ),
            "the rule for the last table is gone": lambda: unruled(253),
        },
    ),
    "ct-zone": CheckCases(
        fires={"what a bridge sends is tracked in a zone of its own": lambda: zoned("docker0")},
        near_misses={
            "what nobody sends is in a zone": lambda: zoned("eth9"),
            "a zone for what begins there alone": lambda: zoned("docker0", "original"),
        },
    ),
    "past-firewall": CheckCases(
        fires={
            "ufw that knows nothing of the port": lambda: guarded("ufw", "-p tcp -m tcp --dport 22 -j ACCEPT"),
            "csf that knows nothing of the port": lambda: guarded("csf"),
        },
        near_misses={
            "ufw that lets the port in": lambda: guarded("ufw", "-p tcp -m tcp --dport 8080 -j ACCEPT"),
            "a policy that no manager keeps": lambda: guarded("own"),
            "ufw that filters forwarded packets as well": lambda: OwnerCache().fill_in(
                insert("-j ufw-before-input", "DOCKER-USER", snapshot=guarded("ufw"))
            ),
        },
    ),
    "ctr-ipv6-off": CheckCases(
        fires={
            "switched off for all links": lambda: without_six(_OFF.format("all")),
            "switched off for the one link": lambda: without_six(_OFF.format("eth0")),
        },
        near_misses={
            "switched on": lambda: without_six(_OFF.format("all"), "0"),
            "an engine that gave no address of it": lambda: without_six(_OFF.format("all"), given=False),
            "switched off where the network has none": lambda: with_sysctl(
                docker_like_snapshot(), _OFF.format("all"), "1", WEB
            ),
        },
    ),
    "echo-ignored": CheckCases(
        fires={
            "a container that answers none": lambda: mute(WEB),
            "the host that answers none": lambda: mute(HOST),
            "a container that answers none by IPv6": lambda: mute(WEB, key="net.ipv6.icmp.echo_ignore_all"),
        },
        near_misses={"a container that answers": lambda: mute(WEB, "0")},
    ),
}
