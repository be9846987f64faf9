"""The faults of IPv6, as cases of the matrix: on hosts of :mod:`lab.faults.six_hosts`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager

from dnet_tui.actions.demo.faults import FaultLocation, places
from lab.faults.links_family import Inject, ip, put
from lab.faults.machinery import Argv, Case, commanded, everywhere
from lab.faults.six_hosts import (
    CROSS6,
    EGRESS6,
    FROM_HOST6,
    GATEWAY,
    NEIGHBOUR6,
    PORT,
    PUBLISHED6,
    SUBNET,
    SixPodman,
    healthy6,
)
from lab.machines.docker_host import DockerHost
from lab.machines.docker_layout import MODES_SINCE, OUTSIDE_ADDRESS6
from lab.machines.hosts import LabHost
from lab.packets.plans import OK, REFUSED, TIMEOUT, UNREACHABLE, Traffic
from lab.packets.traffic import Probe, Went

_PROGRAM = "ip6tables-nft"
_FOREIGN = ("ip6", "stranger")
_WRONG_MAC = "02:00:00:00:00:99"
_ABSENT = "fd00:70::fe"
_SIX1 = "fd00:70::2"

_NO_WAY_IN: Traffic = {EGRESS6: TIMEOUT, PUBLISHED6: TIMEOUT}
_CUT_OFF: Traffic = {**_NO_WAY_IN, FROM_HOST6: TIMEOUT}


def _bridge(host: LabHost) -> str:
    bridge: str = host.bridge6  # type: ignore[attr-defined]
    return bridge


def _six(argv: Sequence[str]) -> Argv:
    return tuple(_PROGRAM if word == "iptables-nft" else word for word in argv)


def _without(host: LabHost, unwanted: Callable[[FaultLocation], bool]) -> AbstractContextManager[None]:
    """Take IPv6 rules away, and put each back to where it stood."""
    saved = host.run(f"{_PROGRAM}-save").stdout.decode()
    gone = [rule for rule in places(saved) if unwanted(rule)]
    assert gone, "there is no such rule"
    return commanded(
        host,
        [_six(argv) for rule in gone for argv in rule.removal],
        [_six(argv) for rule in gone for argv in rule.comeback],
    )


def _inserted(
    table: str, chain: Callable[[LabHost], str], *words: str
) -> Callable[[LabHost], AbstractContextManager[None]]:
    head = (_PROGRAM, "-w", "-t", table)

    def both(host: LabHost) -> AbstractContextManager[None]:
        return commanded(host, [(*head, "-I", chain(host), "1", *words)], [(*head, "-D", chain(host), *words)])

    return both


def _masquerades(host: LabHost) -> AbstractContextManager[None]:
    own = ("!", "-d", "ff00::/8", "-j", "MASQUERADE")

    def unwanted(rule: FaultLocation) -> bool:
        docker = rule.chain == "POSTROUTING" and rule.words[:2] == ("-s", SUBNET) and "MASQUERADE" in rule.words
        return rule.table == "nat" and (docker or (rule.chain == _netavark_chain(host) and rule.words == own))

    return _without(host, unwanted)


def _netavark_chain(host: LabHost) -> str:
    saved = host.run(f"{_PROGRAM}-save", "-t", "nat").stdout.decode()
    found = re.search(rf"-A POSTROUTING -s {SUBNET} -j (NETAVARK-\w+)", saved)
    return found[1] if found else ""


def _leads_to_the_engine(host: LabHost) -> AbstractContextManager[None]:
    bridge = _bridge(host)

    def unwanted(rule: FaultLocation) -> bool:
        if (rule.table, rule.chain) != ("filter", "FORWARD"):
            return False
        if _modern(host):
            return rule.words == ("-j", "DOCKER-FORWARD")
        return bridge in rule.words and rule.words[:4] != ("-i", bridge, "-o", bridge)

    return _without(host, unwanted)


@contextmanager
def _flushed(host: LabHost) -> Iterator[None]:
    """Flush the IPv6 tables alone."""
    saved = host.run(f"{_PROGRAM}-save", "-c").stdout
    for line in host.run("nft", "list", "tables", "ip6").stdout.decode().splitlines():
        host.run("nft", "delete", *line.split())
    try:
        yield
    finally:
        for line in host.run("nft", "list", "tables", "ip6").stdout.decode().splitlines():
            host.run("nft", "delete", *line.split())
        host.run(f"{_PROGRAM}-restore", "-c", "-w", stdin=saved)


def _isolation(host: LabHost) -> AbstractContextManager[None]:
    return _without(host, lambda rule: rule.table == "filter" and rule.words == ("-j", "DOCKER-ISOLATION-STAGE-1"))


def _entry(host: LabHost) -> str:
    return "NETAVARK-HOSTPORT-DNAT" if isinstance(host, SixPodman) else "DOCKER"


def _dnat_jump(host: LabHost) -> AbstractContextManager[None]:
    return _without(
        host, lambda rule: (rule.table, rule.chain) == ("nat", "PREROUTING") and rule.words[-1] == _entry(host)
    )


def _foreign(host: LabHost) -> AbstractContextManager[None]:
    hook = ("{", "type", "filter", "hook", "forward", "priority", "10", ";", "policy", "drop", ";", "}")
    inject = [("nft", "add", "table", *_FOREIGN), ("nft", "add", "chain", *_FOREIGN, "hooked", *hook)]
    return commanded(host, inject, [("nft", "delete", "table", *_FOREIGN)])


def _sysctl(_: LabHost) -> tuple[Sequence[Argv], Sequence[Argv]]:
    head = ("sysctl", "-q", "-w")
    return [(*head, "net.ipv6.conf.all.forwarding=0")], [(*head, "net.ipv6.conf.all.forwarding=1")]


def _ip(kind: str, *words: str) -> Inject:
    """Add something by ``ip -6``, and delete it again."""
    return lambda _: ([("ip", "-6", kind, "add", *words)], [("ip", "-6", kind, "del", *words)])


def _gateway_gone(host: LabHost) -> tuple[Sequence[Argv], Sequence[Argv]]:
    words = (f"{GATEWAY}/64", "dev", _bridge(host))
    held = [item for at in ip(host, "-6", "address", "show", "dev", _bridge(host)) for item in at["addr_info"]]
    quick = any(item.get("nodad") for item in held if item["local"] == GATEWAY)
    again = (*words, "nodad") if quick else words
    return [("ip", "address", "del", *words)], [("ip", "address", "add", *again)]


def _default_words(host: LabHost) -> Argv:
    said = host.run(*host.enter("six1"), "ip", "-6", "route", "show", "default").stdout.decode()
    words = said.splitlines()[0].split()
    return tuple(words[: words.index("pref")] if "pref" in words else words)


def _default_gone(host: LabHost) -> tuple[Sequence[Argv], Sequence[Argv]]:
    head = (*host.enter("six1"), "ip", "-6", "route")
    return [(*head, "del", "default")], [(*head, "add", *_default_words(host))]


def _default_wrong(host: LabHost) -> tuple[Sequence[Argv], Sequence[Argv]]:
    head = (*host.enter("six1"), "ip", "-6", "route", "replace")
    words = _default_words(host)
    wrong = tuple(_ABSENT if word == GATEWAY else word for word in words)
    return [(*head, *wrong)], [(*head, *words)]


def _neighbour(host: LabHost) -> tuple[Sequence[Argv], Sequence[Argv]]:
    words = (_SIX1, "lladdr", _WRONG_MAC, "dev", _bridge(host), "nud", "permanent")
    remove = ("ip", "-6", "neigh", "del", _SIX1, "dev", _bridge(host))
    return [("ip", "-6", "neigh", "replace", *words)], [remove]


def _policy(host: LabHost) -> tuple[Sequence[Argv], Sequence[Argv]]:
    route = ("default", "via", OUTSIDE_ADDRESS6, "dev", host.target.uplink, "table", "52")
    rule = ("lookup", "52", "pref", "5270")
    head = ("ip", "-6")
    return (
        [(*head, "route", "add", *route), (*head, "rule", "add", *rule)],
        [(*head, "rule", "del", *rule), (*head, "route", "del", *route)],
    )


def _modern(host: LabHost) -> bool:
    return isinstance(host, DockerHost) and host.release >= MODES_SINCE


def _docker_alone(host: LabHost) -> str:
    return "" if isinstance(host, DockerHost) else "netavark has no such rules for IPv6"


def _since_28(host: LabHost) -> str:
    return "" if _modern(host) else "DOCKER-USER is not there for IPv6"


def _proxied(host: LabHost) -> Traffic:
    """What goes wrong without DNAT: docker-proxy takes the connections; Podman's socket is one of IPv4."""
    return {PUBLISHED6: REFUSED} if isinstance(host, SixPodman) else {}


def _flushed_traffic(host: LabHost) -> Traffic:
    if isinstance(host, SixPodman):
        return {EGRESS6: TIMEOUT, PUBLISHED6: REFUSED}
    return {EGRESS6: TIMEOUT, CROSS6: OK}


def _case(
    check: str,
    inject: Callable[[LabHost], AbstractContextManager[None]],
    differs: Callable[[LabHost], Mapping[Probe, Went | None]],
    *,
    cured: Traffic | None = None,
    cannot: Callable[[LabHost], str] = everywhere,
    anew: frozenset[str] = frozenset(),
) -> Case:
    """A case of IPv6; None for a probe that goes now one way, now the other: neighbour discovery is stopped too."""

    def traffic(host: LabHost) -> Traffic:
        return {probe: went for probe, went in {**healthy6(host), **differs(host)}.items() if went is not None}

    return Case(
        id=f"{check}-6",
        named=check,
        put=inject,
        traffic=traffic,
        cured=lambda host: {**healthy6(host), **(cured or {})},
        cannot=cannot,
        anew=anew,
    )


SIX: tuple[Case, ...] = (
    _case("ip6-fwd-off", put(_sysctl), lambda _: _NO_WAY_IN),
    _case("masq-missing", _masquerades, lambda _: {EGRESS6: TIMEOUT}),
    _case(
        "drop-before-docker",
        _inserted("filter", lambda _: "FORWARD", "-j", "REJECT"),
        lambda host: {
            EGRESS6: REFUSED,
            PUBLISHED6: REFUSED,
            NEIGHBOUR6: None,
            **({CROSS6: REFUSED} if CROSS6 in healthy6(host) else {}),
        },
    ),
    _case(
        "user-chain-drop",
        _inserted("filter", lambda _: "DOCKER-USER", "-i", "eth0", "-j", "DROP"),
        lambda _: _NO_WAY_IN,
        cured={PUBLISHED6: TIMEOUT},
        cannot=_since_28,
    ),
    _case(
        "fwd-jump-missing",
        _leads_to_the_engine,
        lambda _: {**_NO_WAY_IN, NEIGHBOUR6: None},
        cannot=_docker_alone,
    ),
    _case("nat-jump-missing", _dnat_jump, _proxied),
    _case(
        "stale-dnat",
        _inserted(
            "nat",
            _entry,
            "-p",
            "tcp",
            "-m",
            "tcp",
            "--dport",
            str(PORT),
            "-j",
            "DNAT",
            "--to-destination",
            f"[{_ABSENT}]:80",
        ),
        lambda _: {PUBLISHED6: TIMEOUT},
    ),
    _case("foreign-base-drop", _foreign, lambda _: {**_NO_WAY_IN, NEIGHBOUR6: None}),
    _case("isolation-missing", _isolation, lambda _: {CROSS6: OK}, cannot=_docker_alone),
    _case(
        "rules-flushed",
        _flushed,
        _flushed_traffic,
        anew=frozenset({"links of", "addresses of", "neighbours of", "rules"}),
    ),
    _case("bridge-no-ip", put(_gateway_gone), lambda _: _CUT_OFF),
    _case(
        "ctr-no-gw",
        put(_default_gone),
        lambda host: {
            EGRESS6: UNREACHABLE,
            PUBLISHED6: TIMEOUT,
            **({CROSS6: UNREACHABLE} if CROSS6 in healthy6(host) else {}),
        },
    ),
    _case("ctr-wrong-gw", put(_default_wrong), lambda _: _NO_WAY_IN),
    _case("stale-neigh", put(_neighbour), lambda _: _CUT_OFF),
    _case(
        "more-specific-route",
        put(_ip("route", f"{_SIX1}/128", "via", OUTSIDE_ADDRESS6, "dev", "eth0")),
        lambda _: _CUT_OFF,
    ),
    _case("policy-route", put(_policy), lambda _: _CUT_OFF),
)
"""In the order of the catalogue of faults."""
