"""Random sequences of actions on one host, undone in a random order that dnet-tui accepts: the host is as it was.

An undo may be refused as long as another change stands on what it would take
away; then another entry's turn comes first.  One that is refused must have
changed nothing that a later one needs, and in the end all are undone.
"""

from __future__ import annotations

import json
import random
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from lab.actions.private_etc import own_etc
from lab.machines.hosts import DemoHost, LabHost, python_argv

_SERVER = """
import json, os, sys
from typer.testing import CliRunner
from dnet_tui.tui.main import app

for line in sys.stdin:
    ran = CliRunner().invoke(app, json.loads(line), prog_name="dnet-tui")
    crash = "" if ran.exception is None or isinstance(ran.exception, SystemExit) else repr(ran.exception)
    print(json.dumps([ran.exit_code, ran.stdout, ran.stderr + crash]), flush=True)
"""
"""Runs one command after the other in one process, which starts once."""

_VOLATILE = re.compile(
    r"_timer$|ifindex|link_index|_id$|_life_time$|^topology|^gc_|stats|^operstate$|^designated|^flags$|^link_netnsid$"
    r"|^config_pending|^port_(id|no)$|^(no|id)$|^carrier|^state$|^min_mtu|^max_mtu"
)
"""What runs on by itself, or is new with each link."""

NAMESPACES = ("web", "api", "db", "vault", "guest")


class Commands:
    """dnet-tui on a host, in a process that stays."""

    def __init__(self, host: LabHost) -> None:
        self._process: subprocess.Popen[bytes] = host.sandbox.popen(
            python_argv(_SERVER), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def __call__(self, *words: str) -> tuple[int, str, str]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(words).encode() + b"\n")
        self._process.stdin.flush()
        code, out, said = json.loads(self._process.stdout.readline())
        return code, out, said

    def close(self) -> None:
        """End it."""
        with self._process:  # closes its input, which ends it
            pass


@dataclass
class Told:
    """What became of the sequences."""

    sequences: int = 0
    actions: int = 0
    made: int = 0
    undone: int = 0
    refused: int = 0
    broken: list[str] = field(default_factory=list)


def steady(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {key: steady(item) for key, item in value.items() if not _VOLATILE.search(key)}
        return kept | ({"UP": "UP" in value["flags"]} if "flags" in value else {})
    return [steady(item) for item in value] if isinstance(value, list) else value


@dataclass(frozen=True)
class Ground:
    """Where sequences are made: the host, an action drawn after those that were made, and what has to be as it was."""

    start: Callable[[], LabHost]
    draw: Callable[[random.Random, set[tuple[str, ...]]], tuple[str, ...]]
    portrait: Callable[[LabHost], dict[str, Any]]


BY_ITSELF = re.compile(r"fe80|ff00::|^(local|anycast|multicast) .*:")
"""The routes that the kernel makes by itself once duplicate address detection is through."""


def portrait(host: LabHost) -> dict[str, Any]:
    """All that actions may change: rules, links, addresses, routes, neighbours, sysctls; of the namespaces too."""
    seen: dict[str, Any] = {
        "rules": lines(host, "iptables-nft-save") + lines(host, "ip6tables-nft-save"),
        "nft": lines(host, "nft", "-s", "list", "ruleset"),
        "sysctls": lines(host, "sysctl", "-a", "-e", "-r", r"^net\.(ipv4|ipv6|bridge)\."),
        "policy": lines(host, "ip", "rule") + lines(host, "ip", "-6", "rule"),
        "fdb": sorted(line for line in lines(host, "bridge", "fdb") if line.endswith(" static")),
        "namespaces": sorted(line.split()[0] for line in lines(host, "ip", "netns")),
    }
    for name in ("", *seen["namespaces"]):
        ip = ("ip", "-n", name) if name else ("ip",)
        links = json.loads(host.run(*ip, "-d", "-j", "address").stdout or b"[]")
        seen[f"links {name}"] = {link["ifname"]: _link(link) for link in links}
        routes = lines(host, *ip, "route", "show", "table", "all")
        routes += lines(host, *ip, "-6", "route", "show", "table", "all")
        seen[f"routes {name}"] = sorted(line for line in routes if not BY_ITSELF.search(line))
        seen[f"neighbours {name}"] = lines(host, *ip, "neighbour", "show", "nud", "permanent")
    return seen


def _link(link: dict[str, Any]) -> Any:
    addresses = [item for item in link.pop("addr_info", []) if item.get("scope") != "link"]
    for item in addresses:
        for key in ("tentative", "dadfailed"):
            item.pop(key, None)
    return steady(link) | {"addresses": sorted((steady(item) for item in addresses), key=str)}


def lines(host: LabHost, *words: str) -> list[str]:
    text = re.sub(r"\[\d+:\d+\]", "", host.run(*words, check=False).stdout.decode())
    return [line.rstrip() for line in text.splitlines() if not line.startswith("#")]


def difference(before: dict[str, Any], after: dict[str, Any]) -> str:
    """What is not as it was, in a few lines."""
    found = []
    for key in sorted(before.keys() | after.keys()):
        one, two = before.get(key), after.get(key)
        if one != two and isinstance(one, list) and isinstance(two, list):
            gone, new = [item for item in one if item not in two], [item for item in two if item not in one]
            found.append(f"{key}: gone {gone[:4]} new {new[:4]}" if gone or new else f"{key}: in another order")
        elif one != two and isinstance(one, dict) and isinstance(two, dict):
            names = [name for name in one.keys() | two.keys() if one.get(name) != two.get(name)]
            found += [f"{key} {name}: {_changed(one.get(name), two.get(name))}" for name in names[:3]]
        elif one != two:
            found.append(f"{key}: {str(one)[:200]} -> {str(two)[:200]}")
    return "\n  ".join(found)


def _changed(one: Any, two: Any) -> str:
    if isinstance(one, dict) and isinstance(two, dict):
        keys = [key for key in one.keys() | two.keys() if one.get(key) != two.get(key)]
        return str({key: (one.get(key), two.get(key)) for key in keys})
    return f"{str(one)[:200]} -> {str(two)[:200]}"


Drawers = tuple[tuple[int, Callable[[], tuple[str, ...]]], ...]
"""Actions to draw from, each with its weight."""


def one_of(rng: random.Random, drawers: Drawers) -> tuple[str, ...]:
    """One of these actions, by their weights."""
    (drawn,) = rng.choices([draw for _, draw in drawers], [weight for weight, _ in drawers])
    return drawn()


def made_before(rng: random.Random, made: set[tuple[str, ...]], *verb: str) -> tuple[str, ...]:
    """Mostly one that was made before, so that what follows speaks of it; else nothing."""
    found = sorted(words for words in made if words[: len(verb)] == verb)
    return rng.choice(found) if found and rng.random() < 0.85 else ()


def _draw(rng: random.Random, made: set[tuple[str, ...]]) -> tuple[str, ...]:
    """One action, with arguments that fit often enough: mostly of what was ``made`` before."""
    known = partial(made_before, rng, made)

    network = rng.choice(("red", "green", "blue"))
    there = (known("net", "create") or ("", "", network))[2]
    subnet = f"10.{rng.randint(100, 104)}.0.0/24"
    container = rng.choice(("web", "api", "db"))
    port = rng.choice(("9001", "9002", "9003"))

    def create() -> tuple[str, ...]:
        words = ["net", "create", network, "--engine", "linux"]
        words += ["--subnet", subnet] if rng.random() < 0.8 else []
        words += ["--subnet", f"fd00:{rng.randint(10, 14)}::/64"] if "--subnet" in words and rng.random() < 0.4 else []
        flags = ("--internal", "--no-icc", "--no-masquerade", "--no-isolated")
        words += [flag for flag in flags if rng.random() < 0.2]
        words += ["--mtu", "1400"] if rng.random() < 0.2 else []
        words += ["--namespace", rng.choice(("n1", "n2"))] if rng.random() < 0.3 else []
        return tuple(words)

    drawers: Drawers = (
        (5, create),
        (2, lambda: ("net", "rm", there)),
        (3, lambda: ("net", "attach", there, rng.choice(("n1", "n3", "guest")))),
        (3, lambda: ("net", "disconnect", *(known("net", "attach") or ("", "", there, "n2"))[2:4])),
        (3, lambda: ("port", "publish", container, f"{port}:80", *(["--localhost"] if rng.random() < 0.3 else []))),
        (2, lambda: ("port", "unpublish", *(port_of(known("port", "publish")) or (container, port)))),
        (3, lambda: ("route", "add", f"10.{rng.randint(60, 62)}.0.0/24", "via", "203.0.113.1")),
        (2, lambda: ("route", "rm", (known("route", "add") or ("", "", "10.60.0.0/24"))[2])),
        (2, lambda: ("fix",)),
        (2, lambda: ("undo",)),
    )
    return one_of(rng, drawers)


def port_of(words: tuple[str, ...]) -> tuple[str, ...]:
    return (words[2], words[3].partition(":")[0]) if words else ()


def _entries(run: Commands) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run("journal", "--format", "json")[1])
    return [
        entry
        for entry in found
        if entry["status"] != "undone"
        and any(change["before"] is not None and not change["taken_back"] for change in entry["changes"])
    ]


def _undone(run: Commands, rng: random.Random, told: Told) -> Iterator[str]:
    """Undo all that stands, in a random order; yields what was undone, and raises if nothing more can be."""
    while standing := _entries(run):
        rng.shuffle(standing)
        for entry in standing:
            code, _, text = run("undo", entry["id"], "--yes")
            if code == 0:
                told.undone += 1
                yield entry["id"]
                break
            told.refused += 1
        else:
            raise AssertionError(f"nothing more can be undone of {[item['id'] for item in standing]}: {text}")


def _demo() -> LabHost:
    host = DemoHost.start()
    own_etc(host)  # namespaces get their resolv.conf there
    host.run("ip", "netns", "add", "guest")
    host.run("ip", "-n", "guest", "link", "set", "lo", "up")
    return host


PLAIN = Ground(_demo, _draw, portrait)
"""A host with plain bridges and namespaces."""


def one_sequence(host: LabHost, run: Commands, seed: int, told: Told, ground: Ground = PLAIN) -> str:
    """Make one sequence and take it back; what is wrong then, empty if nothing is."""
    rng = random.Random(seed)  # noqa: S311 - a sequence that can be had again
    if rng.random() < 0.3:
        host.run("sysctl", "-w", "net.ipv4.ip_forward=0")
    before = ground.portrait(host)
    made: list[str] = []
    done: set[tuple[str, ...]] = set()
    try:
        for _ in range(rng.randint(3, 7)):
            words = ground.draw(rng, done)
            code, _, text = run(*words, "--yes")
            told.actions += 1
            told.made += code == 0
            made.append(f"{' '.join(words)} ({code})")
            done |= {words} if code == 0 else set()
            assert "Error(" not in text, text
        made += [f"undo {identity}" for identity in _undone(run, rng, told)]
        wrong = difference(before, ground.portrait(host))
    except AssertionError as error:
        wrong = str(error)
    finally:
        host.run("sysctl", "-w", "net.ipv4.ip_forward=1")
    return f"seed {seed}: {'; '.join(made)}\n  {wrong}" if wrong else ""


def sequences(count: int, first: int, say: Callable[[str], None] = lambda _: None, ground: Ground = PLAIN) -> Told:
    """Make ``count`` sequences on one host; a host that was not put back is replaced by a new one."""
    told = Told()
    seed = first
    while told.sequences < count:
        with ground.start() as host:
            run = Commands(host)
            try:
                while told.sequences < count:
                    wrong = one_sequence(host, run, seed, told, ground)
                    told.sequences += 1
                    seed += 1
                    if wrong:
                        told.broken.append(wrong)
                        say(wrong)
                        break
            finally:
                run.close()
    return told
