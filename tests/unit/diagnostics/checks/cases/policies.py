"""Hosts on which somebody else decided over what containers send: rules, translations, routes, IPsec policies."""

from __future__ import annotations

import msgspec

from dnet_tui.inspect.iptables.rule import parse_rule
from dnet_tui.inspect.model import PolicyRule, Route, Snapshot
from dnet_tui.inspect.model.firewall import Chain, Firewall, Match, NoTrack, Rule, Table, Verdict
from dnet_tui.inspect.model.routing import XfrmPolicy
from dnet_tui.inspect.ruleset.owner_cache import OwnerCache
from unit.builders.factories import HOST, VETH_WEB, WEB, docker_like_snapshot, route, with_namespace, with_sysctl
from unit.builders.factories_links import adding, namespace
from unit.diagnostics.checks.cases.case import CheckCases
from unit.diagnostics.checks.cases.rules import insert

WEB_ADDRESS = "172.17.0.2"


def with_chains(into: str, *, first: str = "", **chains: tuple[str, ...]) -> Snapshot:
    """The host with chains of somebody's in the filter table, and a rule of FORWARD's that leads to the first."""
    base = docker_like_snapshot()
    host = namespace(base, HOST)
    assert isinstance(host.firewall, Firewall)
    named = {name.replace("_", "-") for name in chains}
    made = tuple(chain(name.replace("_", "-"), rules, named) for name, rules in chains.items())
    target = next(iter(made)).name
    tables = tuple(
        msgspec.structs.replace(
            table,
            chains=(*(_led(item, f"{first} -j {target}".strip(), into, named) for item in table.chains), *made),
        )
        if (table.backend, table.family, table.name) == ("iptables-nft", "ip", "filter")
        else table
        for table in host.firewall.tables
    )
    return OwnerCache().fill_in(with_namespace(base, HOST, firewall=Firewall(tables=tables)))


def _led(item: Chain, spec: str, into: str, named: set[str]) -> Chain:
    if item.name != into:
        return item
    rules = (rule(0, spec, named), *item.rules)
    return msgspec.structs.replace(
        item, rules=tuple(msgspec.structs.replace(one, number=at) for at, one in enumerate(rules, 1))
    )


def chain(name: str, rules: tuple[str, ...], named: set[str]) -> Chain:
    """A chain of rules as iptables-save has them."""
    return Chain(name=name, rules=tuple(rule(at, text, named) for at, text in enumerate(rules, 1)))


def rule(number: int, text: str, named: set[str]) -> Rule:
    """One rule of iptables-save's, with a counter."""
    parsed = parse_rule(text, named)
    return Rule(number=number, text=text, exprs=parsed.exprs, comment=parsed.comment, packets=12, bytes=720)


def pod_firewall(address: str = WEB_ADDRESS) -> Snapshot:
    """kube-router's firewall of one pod, which no policy of it lets out."""
    return with_chains(
        "FORWARD",
        first='-m comment --comment "kube-router netpol - TEMCG2JMHZYE7H7T"',
        KUBE_ROUTER_FORWARD=(f"-s {address}/32 -j KUBE-POD-FW-X",),
        KUBE_POD_FW_X=("-m mark ! --mark 0x10000/0x10000 -j REJECT --reject-with icmp-port-unreachable",),
    )


def quarantined(chain_name: str = "FORWARD") -> Snapshot:
    """The administrator lets one container do nothing any more."""
    return insert(f"-s {WEB_ADDRESS}/32 -m comment --comment QUARANTINE -j DROP", chain_name)


def in_raw(*exprs: Match, backend_text: str) -> Snapshot:
    """The host with a rule of the raw table that exempts packets from tracking."""
    base = docker_like_snapshot()
    host = namespace(base, HOST)
    assert isinstance(host.firewall, Firewall)
    rules = (Rule(number=1, text=backend_text, exprs=(*exprs, NoTrack())),)
    raw = Chain(name="PREROUTING", hook="prerouting", priority=-300, type="filter", policy="accept", rules=rules)
    table = Table(family="ip", name="raw", backend="iptables-nft", chains=(raw,))
    return with_namespace(base, HOST, firewall=Firewall(tables=(*host.firewall.tables, table)))


def untracked(device: str) -> Snapshot:
    """What comes in by a device isn't tracked."""
    return in_raw(Match(field="iif", values=(device,)), backend_text=f"-i {device} -j CT --notrack")


def blocking(src: str, action: str = "block") -> Snapshot:
    """The host with an IPsec policy for what it forwards."""
    policy = XfrmPolicy(family="ip", direction="fwd", src=src, dst="0.0.0.0/0", action=action)  # type: ignore[arg-type]
    return with_namespace(docker_like_snapshot(), HOST, xfrm_policies=1, xfrm=(policy,))


def banned(dst: str, kind: str = "blackhole") -> Snapshot:
    """The host with a route that refuses."""
    return adding(docker_like_snapshot(), HOST, "routes", Route(family="ip", table=254, type=kind, dst=dst))


def refusing(src: str, dst: str | None = None) -> Snapshot:
    """The host with a policy rule that refuses."""
    refusal = PolicyRule(family="ip", priority=100, action="prohibit", src=src, dst=dst)
    return adding(docker_like_snapshot(), HOST, "policy_rules", refusal)


def inside(*routes: Route) -> Snapshot:
    """A container with routes of its own."""
    return adding(docker_like_snapshot(), WEB, "routes", *routes)


def own_rules(*exprs: Match) -> Snapshot:
    """A container that has rules of its own."""
    rules = (Rule(number=1, text="its own", exprs=(*exprs, Verdict(kind="drop"))),)
    out = Chain(name="OUTPUT", hook="output", priority=0, type="filter", policy="accept", rules=rules)
    table = Table(family="ip", name="filter", backend="iptables-nft", chains=(out,))
    return with_namespace(docker_like_snapshot(), WEB, firewall=Firewall(tables=(table,)))


def living(hops: str) -> Snapshot:
    """A container whose packets begin with another lifetime."""
    return with_sysctl(docker_like_snapshot(), "net.ipv4.ip_default_ttl", hops, WEB)


ELSEWHERE = Match(field="daddr", values=("192.0.2.1/32",))

CASES: dict[str, CheckCases] = {
    "policy-drop": CheckCases(
        fires={
            "kube-router's firewall of a pod": pod_firewall,
            "a quarantined container in FORWARD": quarantined,
            "a quarantined container in DOCKER-USER": lambda: quarantined("DOCKER-USER"),
            "ports that a chain of the administrator's names": lambda: insert(
                f"-s {WEB_ADDRESS}/32 -p tcp -m multiport --dports 79:81 -j DROP"
            ),
            "a user's rule of ufw's for everybody": lambda: with_chains(
                "FORWARD", ufw_user_forward=("-p tcp -m tcp --dport 443 -j DROP",)
            ),
        },
        near_misses={
            "the firewall of a pod that isn't here": lambda: pod_firewall("172.17.0.99"),
            "a drop for an interface that isn't a container's": lambda: insert("-i eth9 -j DROP"),
            "a drop below the engine's rules": lambda: insert(f"-s {WEB_ADDRESS}/32 -j DROP", position=None),
        },
    ),
    "hijack": CheckCases(
        fires={
            "every web connection redirected": lambda: insert(
                "-p tcp -m tcp --dport 443 -j REDIRECT --to-ports 3128", "PREROUTING", "nat"
            ),
            "another port redirected": lambda: insert(
                "-p tcp -m tcp --dport 25 -j REDIRECT --to-ports 3128", "PREROUTING", "nat"
            ),
        },
        near_misses={
            "a redirect of what comes from outside": lambda: insert(
                "-i eth0 -p tcp -m tcp --dport 443 -j REDIRECT --to-ports 3128", "PREROUTING", "nat"
            ),
            "a redirect of what is for the host": lambda: insert(
                "-p tcp -m tcp --dport 443 -m addrtype --dst-type LOCAL -j REDIRECT --to-ports 3128",
                "PREROUTING",
                "nat",
            ),
            "one network's web traffic given to a proxy": lambda: insert(
                "-i docker0 -p tcp -m tcp --dport 25 -j REDIRECT --to-ports 3128", "PREROUTING", "nat"
            ),
        },
    ),
    "notrack": CheckCases(
        fires={"what a bridge sends isn't tracked": lambda: untracked("docker0")},
        near_misses={"what nobody sends isn't tracked": lambda: untracked("eth9")},
    ),
    "xfrm-block": CheckCases(
        fires={"a policy that blocks a network": lambda: blocking("172.17.0.0/16")},
        near_misses={
            "a policy that blocks others": lambda: blocking("172.29.0.0/16"),
            "a policy that lets pass": lambda: blocking("172.17.0.0/16", "allow"),
        },
    ),
    "blackhole": CheckCases(
        fires={
            "the outside refused by a route": lambda: banned("198.51.100.0/24"),
            "another range refused by a route": lambda: banned("192.0.2.0/24", "unreachable"),
            "a network refused by a policy rule": lambda: refusing("172.17.0.0/16"),
            "a range refused inside a container": lambda: inside(route("192.0.2.0/24", type="blackhole")),
            "a range that is said to be on a container's own link": lambda: inside(
                route("192.0.2.0/24", ifindex=VETH_WEB - 1, scope="link", source=WEB_ADDRESS)
            ),
        },
        near_misses={
            "a policy rule that refuses others": lambda: refusing("172.29.0.0/16"),
            "a range around the containers": lambda: banned("10.10.0.0/20"),
            "a container's own part of its network": lambda: inside(
                route("172.17.0.0/24", ifindex=VETH_WEB - 1, scope="link", source=WEB_ADDRESS)
            ),
        },
    ),
    "ctr-firewall": CheckCases(
        fires={"a rule of the container's own": own_rules},
        near_misses={"a rule of the container's own for others": lambda: own_rules(ELSEWHERE)},
    ),
    "output-drop": CheckCases(
        fires={
            "what the host sends to a bridge is dropped": lambda: insert("-o docker0 -j DROP", "OUTPUT"),
            "what the host sends to a container is rejected": lambda: insert(
                f"-d {WEB_ADDRESS}/32 -j REJECT", "OUTPUT"
            ),
        },
        near_misses={
            "what the host sends outside is dropped": lambda: insert("-o eth0 -j DROP", "OUTPUT"),
            "another network's port is dropped": lambda: insert("-d 172.29.0.0/16 -p tcp --dport 25 -j DROP", "OUTPUT"),
        },
    ),
    "flow-blocked": CheckCases(
        fires={"packets that live for one hop": lambda: living("1")},
        near_misses={"packets that live for a few hops": lambda: living("8")},
    ),
}
