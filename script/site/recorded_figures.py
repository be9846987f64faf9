"""What is known of the walk and the doctor in figures, counted from the recorded results of the tests.

Nothing here is typed in: the recorded packets are judged again, the rest is counted.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from dnet_tui.diagnostics.checks.catalogue import CATALOGUE
from dnet_tui.diagnostics.explain import match_catalogue
from lab.differential import scenario
from lab.packets import sized_walks
from lab.recordings import fault_records
from unit.diagnostics.checks.cases.every import every

ROOT = Path(__file__).resolve().parents[2]


def table() -> str:
    """All figures as a table."""
    rows = (packets(), sizes(), faults(), cases(), situations(), matches())
    return "\n".join(["| recorded | figures |", "|---|---|", *(f"| {what} | {said} |" for what, said in rows)])


def packets() -> tuple[str, str]:
    """Packets whose fate the kernel told, and whether the walk says the same now."""
    found: Counter[str] = Counter()
    for name in scenario.names():
        kept = scenario.load(name)
        found.update(item.result for item in scenario.judge(kept.probes, kept.seen))
    hosts = len(scenario.names())
    told = ", ".join(
        f"{found[word]} {word.replace('agrees', 'agree')}" for word in sorted({"agrees", "unknown", "wrong", *found})
    )
    return f"packets on {hosts} hosts, the walk beside the kernel", told


def sizes() -> tuple[str, str]:
    """Packets of sizes around an MTU."""
    every_one = [sized_walks.load(name) for name in sized_walks.names()]
    sent = sum(len(seen.probes) for seen in every_one)
    judged = [sized_walks.judged(seen) for seen in every_one]
    wrong, unsure = (sum(len(item[word]) for item in judged) for word in ("wrong", "unsure"))
    told = f"{sent - wrong - unsure} agree, {unsure} unknown, {wrong} wrong"
    return f"packets of sizes around an MTU, on {len(every_one)} hosts", told


def faults() -> tuple[str, str]:
    """Faults on kinds of hosts, and how many of them are named first."""
    records = {name: fault_records.load(name) for name in fault_records.names()}
    made = [(fault, told) for record in records.values() for fault, told in record.faults.items() if told]
    healthy = sum(record.faults[fault_records.HEALTHY] == () for record in records.values())
    first = sum(told[0].caused_by is None for _, told in made)
    kinds = len({fault for fault, _ in made})
    told = (
        f"{len(made)} hosts: {first} with a root cause first; {healthy} of {len(records)} healthy hosts without finding"
    )
    return f"{kinds} faults, each put into up to {len(records)} kinds of hosts with real engines", told


def cases() -> tuple[str, str]:
    """Hosts built by hand: those with a check's fault, and those that only look like it."""
    known = every()
    fires, misses = (sum(len(getattr(item, kind)) for item in known.values()) for kind in ("fires", "near_misses"))
    return (
        f"{len(CATALOGUE)} checks, on hosts built for each",
        f"{fires} with the fault, {misses} that only look like it",
    )


def situations() -> tuple[str, str]:
    """Reported situations by what the doctor makes of them."""
    text = (ROOT / "docs" / "situations.md").read_text()
    words = ("named first", "named", "silent", "wrong")
    rows = re.findall(r"^\| .*https://.*\| (named first|named|silent|wrong) \|", text, re.MULTILINE)
    return "situations from public threads", ", ".join(f"{rows.count(word)} {word}" for word in words)


def matches() -> tuple[str, str]:
    """Matches, targets, expressions and statements by how they are decided."""
    tables = (
        match_catalogue.IPTABLES_MATCHES,
        match_catalogue.IPTABLES_TARGETS,
        match_catalogue.NFT_EXPRESSIONS,
        match_catalogue.NFT_STATEMENTS,
    )
    found = Counter(str(row.how) for rows in tables for row in rows.values())
    what = "matches, targets, expressions and statements of iptables and nftables"
    return what, ", ".join(f"{found[word]} {word}" for word in ("decided", "hedged", "unknown"))
