"""Random sequences of actions on a host with a real Docker: networks of its own and plain ones, containers, ports."""

from __future__ import annotations

import json
import random
import re
from functools import partial
from typing import Any

from lab.machines.docker_host import DockerHost
from lab.machines.hosts import LabHost
from lab.sequences.sequences import BY_ITSELF, Drawers, Ground, lines, made_before, one_of, port_of, steady

_CONTAINERS = ("web", "app1", "app2", "db", "quiet1")
_VETH = re.compile(r"\bveth[0-9a-f]{7}\b")
"""Docker draws these names anew when a container is plugged in again."""


def portrait(host: LabHost) -> dict[str, Any]:
    """All that actions may change.  Rules without their order among Docker's, which puts its own in anew."""
    seen: dict[str, Any] = {
        "rules": _sorted(host, "iptables-nft-save") + _sorted(host, "ip6tables-nft-save"),
        "nft": _sorted(host, "nft", "-s", "list", "ruleset"),
        "sysctls": _sorted(host, "sysctl", "-a", "-e", "-r", r"^net\.(ipv4|ipv6|bridge)\."),
        "policy": lines(host, "ip", "rule") + lines(host, "ip", "-6", "rule"),
        "routes": [line for line in _sorted(host, "ip", "route", "show", "table", "all") if not BY_ITSELF.search(line)],
        "namespaces": sorted(line.split()[0] for line in lines(host, "ip", "netns")),
        "networks": _sorted(host, "docker", "network", "ls", "--format={{.Name}} {{.Driver}}"),
    }
    links = json.loads(host.run("ip", "-d", "-j", "link").stdout or b"[]")
    seen["links"] = {link["ifname"]: steady(link) for link in links if not _VETH.fullmatch(link["ifname"])}
    for one in json.loads(host.run("docker", "inspect", *_CONTAINERS).stdout):
        name = one["Name"].lstrip("/")
        networks = one["NetworkSettings"]["Networks"]
        seen[f"container {name}"] = {
            "networks": {key: (item["IPAddress"], item["GlobalIPv6Address"]) for key, item in networks.items()},
            "routes": str(_sorted(host, "ip", "-n", name, "route")),
            "ports": str(one["NetworkSettings"]["Ports"]),
        }
    return seen


def _sorted(host: LabHost, *words: str) -> list[str]:
    return sorted(line for line in lines(host, *words) if not _VETH.search(line))


def draw(rng: random.Random, made: set[tuple[str, ...]]) -> tuple[str, ...]:
    """One action, mostly of what was ``made`` before."""
    known = partial(made_before, rng, made)
    there = (known("net", "create") or ("", "", rng.choice(("red", "green", "blue"))))[2]
    network = rng.choice(("app", "db", "quiet", there, there))
    container = rng.choice(_CONTAINERS)
    port = rng.choice(("9001", "9002", "9003"))

    def create() -> tuple[str, ...]:
        words = ["net", "create", rng.choice(("red", "green", "blue"))]
        words += ["--engine", "linux"] if rng.random() < 0.3 else []
        words += ["--subnet", f"10.{rng.randint(100, 104)}.0.0/24"] if rng.random() < 0.8 else []
        words += [flag for flag in ("--internal", "--no-icc", "--no-masquerade") if rng.random() < 0.2]
        return (*words, *(("--mtu", "1400") if rng.random() < 0.2 else ()))

    drawers: Drawers = (
        (5, create),
        (2, lambda: ("net", "rm", there)),
        (4, lambda: ("net", "connect", network, container)),
        (3, lambda: ("net", "disconnect", *(known("net", "connect") or ("", "", network, container))[2:4])),
        (3, lambda: ("port", "publish", container, f"{port}:80", *(["--localhost"] if rng.random() < 0.3 else []))),
        (2, lambda: ("port", "unpublish", *(port_of(known("port", "publish")) or (container, port)))),
        (3, lambda: ("route", "add", f"10.{rng.randint(160, 162)}.0.0/24", "via", "203.0.113.1")),
        (2, lambda: ("route", "rm", (known("route", "add") or ("", "", "10.160.0.0/24"))[2])),
        (1, lambda: ("fix",)),
        (2, lambda: ("undo",)),
    )
    return one_of(rng, drawers)


DOCKER = Ground(DockerHost.start, draw, portrait)
"""A host with Debian's Docker."""
