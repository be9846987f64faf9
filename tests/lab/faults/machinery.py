"""What every case of the fault matrix goes through, and what is written down of it.

A case is put into a healthy host, must break the traffic it is known to
break, must be named first by the doctor with all its consequences folded
beneath it, is repaired where that can be done, and leaves the host as it was.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from shutil import which
from typing import Any, Literal

from dnet_tui.actions.demo.requirements import search_path
from lab.machines.hosts import LabHost, python_argv
from lab.packets.plans import Traffic, plan_of
from lab.packets.traffic import expect

Argv = tuple[str, ...]

_SETTLES = 2.5
"""Seconds after which a link's state has settled: the kernel looks at most once a second (``linkwatch``)."""

Repaired = Literal["yes", "by hand", "not tried", "no", "-"]
"""``by hand``: the commands shown were run as a person would, and helped.  ``not tried``: only a person could."""


NOT_INJECTABLE = frozenset(
    {
        ("DemoHost", "aardvark-conflict"),
        ("DemoHost", "app-listen"),
        ("DemoHost", "ctr-no-ip"),
        ("DemoHost", "dns-nat-gone"),
        ("DemoHost", "dns-none"),
        ("DemoHost", "dns-upstream"),
        ("DemoHost", "ip6-fwd-off"),
        ("DemoHost", "nat-jump-missing"),
        ("DemoHost", "proxy-mismatch"),
        ("DemoHost", "rpf-multinet"),
        ("DemoHost", "stale-dnat"),
        ("DemoHost", "udp-stale-ct"),
        ("DockerHost", "aardvark-conflict"),
        ("DockerHost", "ctr-wrong-gw-idle"),
        ("DockerHost", "dns-none"),
        ("DockerHost", "dns-upstream"),
        ("DockerHost", "ip6-fwd-off"),
        ("DockerHost", "nfcall-drop"),
        ("DockerHost", "udp-stale-ct"),
        ("PodmanHost", "ctr-wrong-gw-idle"),
        ("PodmanHost", "dns-nat-gone"),
        ("PodmanHost", "dns-none"),
        ("PodmanHost", "dns-upstream"),
        ("PodmanHost", "fwd-jump-missing"),
        ("PodmanHost", "input-drop"),
        ("PodmanHost", "ip6-fwd-off"),
        ("PodmanHost", "nfcall-drop"),
        ("PodmanHost", "proxy-mismatch"),
        ("PodmanHost", "rpf-multinet"),
        ("PodmanHost", "user-chain-drop"),
        ("SixDocker", "user-chain-drop-6"),
        ("SixPodman", "fwd-jump-missing-6"),
        ("SixPodman", "isolation-missing-6"),
        ("SixPodman", "user-chain-drop-6"),
    }
)
"""Kinds of host and the faults that can't be put into them, for reasons that ``Case.cannot`` gives; no others."""


def everywhere(_: LabHost) -> str:
    """Say that a case can be put into any host."""
    return ""


def nothing(_: LabHost) -> Traffic:
    """Say that no probe goes otherwise."""
    return {}


@dataclass(frozen=True, kw_only=True)
class Case:
    """One fault.

    ``put`` puts it into a host and takes it out again.  ``traffic`` says
    which probes then go otherwise than on the healthy host, ``cured`` which
    of them a repair rightly leaves so.  ``cannot`` says why the fault can't
    be put into a host, empty when it can.  ``named`` is the check that names
    it where that isn't ``id``; ``also`` are checks whose findings beside it
    are true as well.
    """

    id: str
    put: Callable[[LabHost], AbstractContextManager[None]]
    traffic: Callable[[LabHost], Traffic]
    cured: Callable[[LabHost], Traffic] = nothing
    cannot: Callable[[LabHost], str] = everywhere
    named: str = ""
    also: frozenset[str] = frozenset()
    anew: frozenset[str] = frozenset()
    """How the names of those parts of the state begin that a repair by hand makes anew, so that they differ after."""
    passes: bool = False
    """Whether it heals for good once it is repaired: undoing the repair does not bring its symptoms back."""

    @property
    def check(self) -> str:
        """The check whose finding must come first."""
        return self.named or self.id


@dataclass
class Row:
    """What became of a case on one host; ``why`` says it in words where it went wrong or could not be tried."""

    id: str
    injectable: bool = True
    broke: bool = False
    detected: bool = False
    first: bool = False
    folded: bool = False
    repaired: Repaired = "-"
    restored: bool = False
    why: str = ""

    @property
    def good(self) -> bool:
        """Whether all went as it must, or it could not be tried for a reason."""
        done = self.broke and self.detected and self.first and self.folded and self.restored and self.repaired != "no"
        return done or not self.injectable


@contextmanager
def commanded(host: LabHost, inject: Sequence[Argv], restore: Sequence[Argv]) -> Iterator[None]:
    """Run the commands that put a fault in, and at the end those that take it out."""
    for argv in inject:
        host.run(*argv)
    try:
        yield
    finally:
        for argv in restore:
            host.run(*argv)


def doctor(host: LabHost, *arguments: str) -> dict[str, Any]:
    """Return the doctor's report on a host; one in which an engine was late, on a busy machine, is made again."""
    for _ in range(5):
        result = host.dnet("doctor", "--format", "json", *arguments)
        assert result.stdout, result.stderr.decode()
        report: dict[str, Any] = json.loads(result.stdout)
        if not any(" within " in gap["reason"] for gap in report["gaps"] if gap["section"] == "engine"):
            break
    return report


def serious(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the errors and warnings of a report, in its order."""
    return [finding for finding in report["findings"] if finding["severity"] != "info"]


def roots(report: Mapping[str, Any]) -> list[str]:
    """Return the checks whose findings nothing else explains."""
    return [finding["check"] for finding in serious(report) if finding["caused_by"] is None]


def prove(host: LabHost, case: Case) -> Row:
    """Take a healthy host through a case; AssertionError when a step does not go as it must.

    What went wrong *after* the fault was put in is in the row instead, so
    that one table can show all of it.
    """
    row = Row(id=case.id)
    reason = case.cannot(host)
    if reason:
        row.injectable, row.why = False, reason
        return row
    plan = plan_of(host)
    expect(host, plan.healthy)
    healthy = doctor(host)
    assert (serious(healthy), healthy["summary"]["verdict"]) == ([], "healthy"), "the host must be healthy first"
    before = state(host)
    with case.put(host):
        broken = {**plan.healthy, **case.traffic(host)}
        _try(row, "broke", lambda: expect(host, broken))
        _judge(row, case, doctor(host))
        if row.detected:
            _try(row, "", lambda: _repair(host, case, row, broken, {**plan.healthy, **case.cured(host)}))
    anew = tuple(case.anew) if row.repaired == "by hand" else ()
    differences = [item for item in settled(host, before) if not item.startswith(anew)]
    row.restored = not differences
    row.why = "; ".join(filter(None, (row.why, *differences)))
    expect(host, plan.healthy)
    return row


def _judge(row: Row, case: Case, report: Mapping[str, Any]) -> None:
    found = serious(report)
    checks = [finding["check"] for finding in found]
    row.detected = case.check in checks
    row.first = bool(found) and found[0]["check"] == case.check and bool(found[0]["evidence"])
    strangers = [check for check in roots(report) if check != case.check and check not in case.also]
    row.folded = row.detected and not strangers
    if not (row.first and row.folded):
        words = [f"{item['check']}" + (f" ← {item['caused_by']}" if item["caused_by"] else "") for item in found]
        row.why = f"the doctor says: {', '.join(words) or 'healthy'}"


def _repair(host: LabHost, case: Case, row: Row, broken: Traffic, cured: Traffic) -> None:
    """Apply the finding's remedy, see traffic and doctor content, and take it back."""
    report = doctor(host)
    finding = next((item for item in serious(report) if item["check"] == case.check), None)
    assert finding is not None, f"named once, then no more: {json.dumps(report)}"
    remedy = finding["remedy"]
    row.repaired = "-"
    if remedy is None:
        return
    if remedy["risk"] == "manual":
        row.repaired = "not tried"
        steps: list[list[str]] = remedy["steps"]
        if steps and all(which(step[0], path=search_path()) for step in steps) and not _needs_systemd(steps):
            row.repaired = "no"
            for step in steps:
                host.run(*step)
            expect(host, cured)
            assert roots(doctor(host)) == [], "still ill after the repair by hand"
            row.repaired = "by hand"
        return
    row.repaired = "no"
    ill = state(host)
    fixed = host.dnet("fix", case.check, "--yes")
    assert fixed.returncode == 0, fixed.stderr.decode() + fixed.stdout.decode()
    expect(host, cured)
    assert roots(doctor(host)) == [], "still ill after the repair"
    undone = host.dnet("undo", "--yes")
    assert undone.returncode == 0, undone.stderr.decode() + undone.stdout.decode()
    if not case.passes:
        assert settled(host, ill) == [], "undoing the repair does not bring back what was before"
        expect(host, broken)
    row.repaired = "yes"


def _needs_systemd(steps: list[list[str]]) -> bool:
    """Whether a remedy restarts a service: the lab's hosts have no init system."""
    return any(step[0] == "systemctl" for step in steps)


def _try(row: Row, flag: str, step: Callable[[], None]) -> None:
    """Do a step whose failure belongs into the table."""
    try:
        step()
    except AssertionError as error:
        row.why = "; ".join(filter(None, (row.why, str(error).split("\nassert ")[0])))
    else:
        if flag:
            setattr(row, flag, True)


def state(host: LabHost) -> dict[str, str]:
    """Return all that a fault, a repair or an undo may change, in words: rules, sysctls, links, addresses, routes.

    Counters, timers, learnt neighbours and IPv6 link-local addresses are left out: they change by themselves.
    """
    wanted = {
        "rules": ["iptables-nft-save"],
        "rules6": ["ip6tables-nft-save"],
        "tables": ["nft", "list", "tables"],
        "sysctls": ["sysctl", "-a", "-e", "-r", r"^net\.(ipv4\.(conf|ip_forward)|ipv6\.conf\..*forwarding|bridge)"],
    }
    for place in ("host", *sorted(host.addresses)):
        into = host.enter(place)
        wanted |= {
            f"links of {place}": [*into, "ip", "-j", "-d", "link"],
            f"addresses of {place}": [*into, "ip", "-j", "address"],
            f"routes of {place}": [*into, "ip", "-j", "route", "show", "table", "all"],
            f"policy of {place}": [*into, "ip", "-j", "rule"],
            f"IPv6 policy of {place}": [*into, "ip", "-j", "-6", "rule"],
            f"neighbours of {place}": [*into, "ip", "-j", "neigh", "show", "nud", "permanent"],
        }
    result = host.run(*python_argv(_COLLECT), stdin=json.dumps(wanted).encode())
    seen: dict[str, str] = json.loads(result.stdout)
    return seen


def settled(host: LabHost, before: Mapping[str, str]) -> list[str]:
    """Return what is not as it was, given the kernel's second to note that a link has a carrier again."""
    deadline = time.monotonic() + _SETTLES
    while (differences := differing(before, state(host))) and time.monotonic() < deadline:
        time.sleep(0.2)
    return differences


def settled_state(host: LabHost) -> dict[str, str]:
    """Return the state of a host that may just have been started, once it no longer changes."""
    seen = state(host)
    while settled(host, seen):
        seen = state(host)
    return seen


def differing(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Return what is not as it was, line by line."""
    found = []
    for name in before:
        old, new = before[name].splitlines(), after.get(name, "").splitlines()
        if old != new:
            changes = [f"-{line}" for line in old if line not in new] + [f"+{line}" for line in new if line not in old]
            found.append(f"{name} changed: {' '.join(changes)[:600] or 'the order'}")
    return found


_COLLECT = r"""
import json, re, subprocess, sys

# Timers, what the kernel notes only later, and the link-local addresses that come and go with duplicate detection.
RESTLESS = {"tentative", "operstate", "bridge_id", "root_id", "designated_bridge", "designated_root"}

def moves(key, value):
    local = key in {"dst", "local"} and json.dumps(value).startswith(('"fe80', '"ff00'))
    return local or key.endswith("_timer") or key in RESTLESS

def calm(value):
    if isinstance(value, dict):
        if value.get("linkinfo", {}).get("info_kind") == "bridge":
            value = {**value, "address": "as its ports have it"}
        left = {key: calm(item) for key, item in value.items() if not moves(key, item)}
        return left if left.keys() & {"dst", "local"} or not value.keys() & {"dst", "local"} else None
    return [item for item in map(calm, value) if item is not None] if isinstance(value, list) else value

def collect(name, argv):
    text = subprocess.run(argv, capture_output=True, text=True).stdout
    if "-j" in argv:
        items = calm(json.loads(text or "[]"))
        if name.startswith("addresses"):
            # IPv4's order says which address is the primary one; IPv6's is that of their making.
            for item in items:
                item.get("addr_info", []).sort(key=lambda at: (at["family"] == "inet6") * at["local"])
            items = [{key: item.get(key) for key in ("ifname", "addr_info")} for item in items]
        return "\n".join(sorted(json.dumps(item, sort_keys=True) for item in items if item))
    lines = [re.sub(r"\[\d+:\d+\]", "", line) for line in text.splitlines() if not line.startswith("#")]
    return "\n".join(sorted(lines) if name == "tables" else lines)

wanted = json.load(sys.stdin)
json.dump({name: collect(name, argv) for name, argv in wanted.items()}, sys.stdout)
"""


def prove_or_say_why(host: LabHost, case: Case) -> None:
    """Assert that a case goes as it must; one that can't be put into this kind of host must be known as such."""
    row = prove(host, case)
    if not row.injectable:
        assert row.why, "what can't be put into a host says why"
        assert (type(host).__name__, case.id) in NOT_INJECTABLE, f"{case.id} is new here: {row.why}"
        return
    assert row.good, row
