"""Loads the suite's rules in the private host that it runs in, and reads them: as iptables shows them, and as we do.

Each rule goes into its chain by a command of its own, with iptables-nft and,
where that refuses, with iptables-legacy; then every table is read once.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import msgspec

from dnet_tui.inspect.model import Snapshot
from dnet_tui.inspect.snapshot.take_snapshot import take_snapshot
from lab.extensions.cases import ExtensionRule, Family

TESTS = str(Path(__file__).resolve().parents[2])
INNER = f"import sys; sys.path[:0] = [{TESTS!r}]; from lab.extensions.loading import main; main()"
BACKENDS = ("nft", "legacy")
FAMILIES: tuple[Family, ...] = ("ip", "ip6")

BUILD = """
sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv6.conf.default.accept_dad=0
ip netns add left
ip netns add right
ip link add l0 type veth peer name eth0 netns left
ip link add r0 type veth peer name eth0 netns right
ip addr add 10.1.0.1/24 dev l0
ip addr add fd00:1::1/64 dev l0 nodad
ip addr add 10.2.0.1/24 dev r0
ip addr add fd00:2::1/64 dev r0 nodad
ip link set l0 up
ip link set r0 up
ip -n left addr add 10.1.0.2/24 dev eth0
ip -n left addr add fd00:1::2/64 dev eth0 nodad
ip -n left link set eth0 up
ip -n left route add default via 10.1.0.1
ip -n left route add default via fd00:1::1
ip -n right addr add 10.2.0.2/24 dev eth0
ip -n right addr add fd00:2::2/64 dev eth0 nodad
ip -n right link set eth0 up
ip -n right route add default via 10.2.0.1
ip -n right route add default via fd00:2::1
"""


class LoadedRule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that was accepted: by which backend, and as which rule of its chain (counted from 0)."""

    wanted: ExtensionRule
    backend: str
    position: int


class LoadedSuite(msgspec.Struct, frozen=True, kw_only=True):
    """What was loaded, what the programs then printed (by ``FAMILY BACKEND``), and the snapshot."""

    rules: list[LoadedRule]
    refused: list[ExtensionRule]
    saved: dict[str, str]
    snapshot: Snapshot


def main() -> None:
    """Build the host, load the rules that stand on the standard input, and print what became of them."""
    wanted = msgspec.json.decode(sys.stdin.buffer.read(), type=list[ExtensionRule])
    for line in BUILD.split("\n"):
        if line:
            _run(shlex.split(line), check=True)
    loaded, refused = load(wanted)
    suite = LoadedSuite(
        rules=loaded,
        refused=refused,
        saved={f"{family} {backend}": _saved(family, backend) for family in FAMILIES for backend in BACKENDS},
        snapshot=take_snapshot(),
    )
    sys.stdout.buffer.write(msgspec.json.encode(suite))


def load(wanted: list[ExtensionRule]) -> tuple[list[LoadedRule], list[ExtensionRule]]:
    """Load each rule at the end of its chain, when all is there that they refer to."""
    for command in dict.fromkeys(command for rule in wanted for command in rule.before):
        argv = shlex.split(command)
        if not {"-D", "del"} & set(argv):
            _run(argv)  # it may add rules of its own
    counts = {
        (family, backend, *place): len(rules)
        for family in FAMILIES
        for backend in BACKENDS
        for place, rules in saved_rules(_saved(family, backend)).items()
    }
    loaded: list[LoadedRule] = []
    refused: list[ExtensionRule] = []
    for rule in wanted:
        for backend in BACKENDS:
            argv = [_program(rule.family, backend), "-t", rule.table, "-A", rule.chain, *shlex.split(rule.rule)]
            if _run(argv) == 0:
                place = (rule.family, backend, rule.table, rule.chain)
                loaded.append(LoadedRule(wanted=rule, backend=backend, position=counts.get(place, 0)))
                counts[place] = counts.get(place, 0) + 1
                break
        else:
            refused.append(rule)
    return loaded, refused


def saved_rules(text: str) -> dict[tuple[str, str], list[str]]:
    """The rules of a save text by table and chain."""
    found: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    table = ""
    for line in text.splitlines():
        if line.startswith("*"):
            table = line[1:]
        elif line.startswith("-A "):
            _, chain, *rule = line.split(" ", 2)
            found[table, chain].append("".join(rule))
    return found


def _program(family: Family, backend: str) -> str:
    return f"{'ip6tables' if family == 'ip6' else 'iptables'}-{backend}"


def _saved(family: Family, backend: str) -> str:
    argv = [f"{_program(family, backend)}-save"]
    return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60).stdout


def _run(argv: list[str], *, check: bool = False) -> int:
    try:
        return subprocess.run(argv, capture_output=True, check=check, timeout=60).returncode
    except FileNotFoundError:
        return 1
