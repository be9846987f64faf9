"""The faults of rules and sysctls, as cases of the matrix."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from shutil import which

from dnet_tui.actions.demo.faults import FAULTS, FaultLocation, places
from dnet_tui.actions.demo.requirements import search_path
from lab.faults.machinery import Case, commanded
from lab.machines.docker_host import DockerHost
from lab.machines.docker_layout import MODES_SINCE
from lab.machines.hosts import UPLINK_ADDRESS, DemoHost, LabHost
from lab.machines.image import IMAGE, SLEEP
from lab.machines.podman_host import PodmanHost
from lab.packets.plans import (
    CROSS,
    CROSS_ISOLATED,
    CROSS_OPEN,
    EGRESS,
    OK,
    OTHER_EGRESS,
    PUBLISHED,
    REFUSED,
    TIMEOUT,
    Traffic,
    plan_of,
)
from lab.packets.traffic import Probe

_UNHEARD = Probe("outside", UPLINK_ADDRESS, 8090)
"""A port that is published while nobody listens behind it."""

_FOREIGN = ("inet", "stranger")
_LEGACY = "iptables-legacy"


def saved_rules(host: LabHost) -> tuple[FaultLocation, ...]:
    """Return the IPv4 rules of a host with their positions."""
    return tuple(places(host.run("iptables-nft-save").stdout.decode()))


@contextmanager
def without_rules(host: LabHost, unwanted: Callable[[FaultLocation], bool]) -> Iterator[None]:
    """Take rules away and put each back to where it stood."""
    gone = [rule for rule in saved_rules(host) if unwanted(rule)]
    assert gone, "there is no such rule"
    removals = [argv for rule in gone for argv in rule.removal]
    with commanded(host, removals, [argv for rule in gone for argv in rule.comeback]):
        yield


@contextmanager
def flushed(host: LabHost) -> Iterator[None]:
    """Flush every table, as `nft -f` of a ruleset that begins with "flush ruleset" does."""
    restores: Sequence[str] = ("iptables-nft", "ip6tables-nft")
    saved = {name: host.run(f"{name}-save", "-c").stdout for name in restores}
    host.run("nft", "flush", "ruleset")
    try:
        yield
    finally:
        host.run("nft", "flush", "ruleset")
        for name, text in saved.items():
            if b"COMMIT" in text:
                host.run(f"{name}-restore", "-c", "-w", stdin=text)


def _flushed_traffic(host: LabHost) -> Traffic:
    silent = {EGRESS: TIMEOUT, OTHER_EGRESS: TIMEOUT}
    if isinstance(host, DemoHost):
        return {**silent, PUBLISHED: REFUSED, CROSS: OK}
    if isinstance(host, PodmanHost):
        # Podman keeps a socket on published ports, so that nobody else takes them; it answers nothing.
        return {**silent, PUBLISHED: TIMEOUT, CROSS_ISOLATED: OK}
    return {**silent, CROSS: OK, **({CROSS_OPEN: OK} if _modern(host) else {})}


def _modern(host: LabHost) -> bool:
    return isinstance(host, DockerHost) and host.release >= MODES_SINCE


def _leads_to_the_engine(host: LabHost) -> Callable[[FaultLocation], bool]:
    """What leads from FORWARD to the engine: one jump since Docker 28, before that three rules of a bridge."""
    bridge = host.target.bridge

    def unwanted(rule: FaultLocation) -> bool:
        if (rule.table, rule.chain) != ("filter", "FORWARD"):
            return False
        if _modern(host):
            return rule.words == ("-j", "DOCKER-FORWARD")
        return bridge in rule.words and rule.words[:4] != ("-i", bridge, "-o", bridge)

    return unwanted


def _leads_to_dnat(rule: FaultLocation) -> bool:
    chains = ("DOCKER", "NETAVARK-HOSTPORT-DNAT")
    return (rule.table, rule.chain) == ("nat", "PREROUTING") and rule.words[-1] in chains


def _stale_dnat(host: LabHost) -> AbstractContextManager[None]:
    chain = "NETAVARK-HOSTPORT-DNAT" if isinstance(host, PodmanHost) else "DOCKER"
    words = ("-p", "tcp", "-m", "tcp", "--dport", "8080", "-j", "DNAT", "--to-destination", "172.30.0.77:80")
    head = ("iptables-nft", "-w", "-t", "nat")
    return commanded(host, [(*head, "-I", chain, "1", *words)], [(*head, "-D", chain, *words)])


def _all_forwarding_stops(host: LabHost) -> Traffic:
    stopped = {EGRESS: TIMEOUT, PUBLISHED: TIMEOUT, OTHER_EGRESS: TIMEOUT}
    return {**stopped, CROSS: TIMEOUT} if isinstance(host, PodmanHost) else stopped


def _foreign_drop(host: LabHost) -> AbstractContextManager[None]:
    hook = ("{", "type", "filter", "hook", "forward", "priority", "10", ";", "policy", "drop", ";", "}")
    inject = [("nft", "add", "table", *_FOREIGN), ("nft", "add", "chain", *_FOREIGN, "hooked", *hook)]
    return commanded(host, inject, [("nft", "delete", "table", *_FOREIGN)])


def _unheard(host: LabHost) -> AbstractContextManager[None]:
    client = "podman" if isinstance(host, PodmanHost) else "docker"
    options = ["--detach", "--name=unheard", "--stop-timeout=0", "--publish=8090:80"]
    if isinstance(host, PodmanHost):
        options.append(f"--cgroup-parent=/{host.cgroup}")
    return commanded(
        host, [(client, "run", *options, IMAGE, *SLEEP)], [(client, "rm", "--force", "--volumes", "unheard")]
    )


def _nobody_publishes(host: LabHost) -> str:
    return "nobody states which ports are published on a host without an engine" if isinstance(host, DemoHost) else ""


def _no_legacy(_: LabHost) -> str:
    return "" if which(_LEGACY, path=search_path()) else f"{_LEGACY} is not installed"


def _accepts_by_policy(host: LabHost) -> str:
    return "Podman leaves FORWARD's policy at ACCEPT" if isinstance(host, PodmanHost) else ""


def _of_the_demo(fault: str) -> Case:
    """A fault that ``dnet-tui demo --fault`` knows too."""

    def cannot(host: LabHost) -> str:
        return "" if fault in plan_of(host).broken else "the engine has no such chain"

    return Case(
        id=fault,
        put=lambda host: host.fault(fault),
        traffic=lambda host: plan_of(host).broken[fault],
        cured=lambda host: plan_of(host).rightly_blocked.get(fault, {}),
        cannot=cannot,
    )


RULES: tuple[Case, ...] = (
    *(_of_the_demo(item.id) for item in FAULTS),
    Case(
        id="rules-flushed",
        put=flushed,
        traffic=_flushed_traffic,
        # Nobody knows which ports a host without an engine published.
        cured=lambda host: {PUBLISHED: REFUSED} if isinstance(host, DemoHost) else {},
        # Podman unplugs its containers and plugs them in again.
        anew=frozenset({"links of", "addresses of", "neighbours of"}),
    ),
    Case(
        id="fwd-jump-missing",
        put=lambda host: without_rules(host, _leads_to_the_engine(host)),
        traffic=lambda host: {
            EGRESS: TIMEOUT,
            PUBLISHED: TIMEOUT,
            **({OTHER_EGRESS: TIMEOUT} if _modern(host) else {}),
        },
        cannot=_accepts_by_policy,
    ),
    Case(
        id="nat-jump-missing",
        put=lambda host: without_rules(host, _leads_to_dnat),
        # docker-proxy takes the connections, so that only the client's address is lost.
        traffic=lambda host: {PUBLISHED: TIMEOUT} if isinstance(host, PodmanHost) else {},
        cannot=_nobody_publishes,
    ),
    Case(id="stale-dnat", put=_stale_dnat, traffic=lambda _: {PUBLISHED: TIMEOUT}, cannot=_nobody_publishes),
    Case(
        id="two-backends",
        put=lambda host: commanded(
            host, [(_LEGACY, "-w", "-P", "FORWARD", "DROP")], [(_LEGACY, "-w", "-P", "FORWARD", "ACCEPT")]
        ),
        traffic=_all_forwarding_stops,
        cannot=_no_legacy,
    ),
    Case(id="foreign-base-drop", put=_foreign_drop, traffic=_all_forwarding_stops),
    Case(id="app-listen", put=_unheard, traffic=lambda _: {_UNHEARD: REFUSED}, cannot=_nobody_publishes),
)
"""In the order of the catalogue of faults."""
