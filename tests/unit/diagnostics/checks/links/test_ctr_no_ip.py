"""A container without what its engine gave it: noticed by that record alone, and never where nothing is amiss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from dnet_tui.diagnostics.checks.run_checks import run_checks
from dnet_tui.inspect.model import Address, Container, Snapshot
from dnet_tui.inspect.model.coverage.gaps import Gap
from unit.builders.factories import WEB, docker_like_snapshot, with_gaps
from unit.builders.factories_links import adding, namespace, without

OTHER = Address(
    ifindex=namespace(docker_like_snapshot(), WEB).addresses[-1].ifindex,
    family="ip",
    address="172.17.0.9",
    prefixlen=16,
)


def bare() -> Snapshot:
    """Web's address flushed, and its routes with it, as the kernel does."""
    return without(without(docker_like_snapshot(), WEB, "addresses", _is_of_the_network), WEB, "routes", lambda _: True)


def _is_of_the_network(address: Address) -> bool:
    return address.address.startswith("172.17.")


def renumbered() -> Snapshot:
    """Web with another address than the engine gave it."""
    base = adding(without(docker_like_snapshot(), WEB, "addresses", _is_of_the_network), WEB, "addresses", OTHER)
    local = [item for item in namespace(base, WEB).routes if item.dst.startswith("172.17.0.2")]
    moved = [msgspec.structs.replace(item, dst=item.dst.replace("172.17.0.2", "172.17.0.9")) for item in local]
    return adding(without(base, WEB, "routes", local.__contains__), WEB, "routes", *moved)


def unplugged() -> Snapshot:
    """Web's veth deleted: nothing but the loopback is left."""
    return without(bare(), WEB, "links", lambda link: link.name != "lo")


def web(snapshot: Snapshot, **changes: Any) -> Snapshot:
    def changed(item: Container) -> Container:
        return msgspec.structs.replace(item, **changes) if item.name == "web" else item

    return msgspec.structs.replace(snapshot, containers=tuple(map(changed, snapshot.containers)))


def six(disabled: str) -> Snapshot:
    """Web with an IPv6 address by the engine's record alone."""
    base = docker_like_snapshot()
    endpoint = msgspec.structs.replace(base.containers[0].endpoints[0], addresses=("172.17.0.2/16", "fd00::2/64"))
    ns = namespace(base, WEB)
    spaces = tuple(
        msgspec.structs.replace(item, sysctls={**ns.sysctls, "net.ipv6.conf.all.disable_ipv6": disabled})
        if item.id == WEB
        else item
        for item in base.namespaces
    )
    return web(msgspec.structs.replace(base, namespaces=spaces), endpoints=(endpoint,))


FAULTS: dict[str, tuple[Callable[[], Snapshot], list[str]]] = {
    "no address": (
        bare,
        [
            "nsenter -t 1201 -n ip address add 172.17.0.2/16 dev eth0",
            "nsenter -t 1201 -n ip route add default via 172.17.0.1",
        ],
    ),
    "another address": (renumbered, ["nsenter -t 1201 -n ip address add 172.17.0.2/16 dev eth0"]),
    "no interface": (
        unplugged,
        ["docker network disconnect bridge web", "docker network connect --ip 172.17.0.2 bridge web"],
    ),
    "no IPv6 address": (lambda: six("0"), ["nsenter -t 1201 -n ip address add fd00::2/64 dev eth0"]),
}

NEAR_MISSES: dict[str, Callable[[], Snapshot]] = {
    "an address more": lambda: adding(docker_like_snapshot(), WEB, "addresses", OTHER),
    "no IPv6 address where IPv6 is turned off": lambda: six("1"),
    "no IPv6 address where it isn't known whether it is on": lambda: web(six("0"), endpoints=()),
    "an engine that tells no address": lambda: web(renumbered(), endpoints=(), published=()),
    "a stopped container": lambda: web(unplugged(), running=False, netns=None),
}


def roots(snapshot: Snapshot) -> list[str]:
    return [item.check for item in run_checks(snapshot).findings if item.severity != "info" and not item.caused_by]


@pytest.mark.parametrize("fault", FAULTS)
def test_it_is_the_one_thing_named_with_what_puts_it_right(fault: str) -> None:
    build, commands = FAULTS[fault]
    report = run_checks(build())
    assert roots(build()) == ["ctr-no-ip"]
    remedy = report.findings[0].remedy
    assert remedy is not None
    assert [" ".join(step.commands()[0]) for step in remedy.steps] == commands
    assert (remedy.risk == "manual") == (fault == "no interface")
    assert len(remedy.undo) == (0 if remedy.risk == "manual" else len(commands))


@pytest.mark.parametrize("near_miss", NEAR_MISSES)
def test_near_misses_are_left_alone(near_miss: str) -> None:
    assert "ctr-no-ip" not in {item.check for item in run_checks(NEAR_MISSES[near_miss]()).findings}


def test_addresses_that_were_not_seen_are_not_missing() -> None:
    gap = Gap(section="addresses", scope=WEB, reason="no permission to enter it", hint="run dnet-tui as root")
    report = run_checks(with_gaps(bare(), gap))
    outcome = next(item for item in report.checks if item.id == "ctr-no-ip")
    assert outcome.outcome == "unknown"
    assert "web" in outcome.reason
