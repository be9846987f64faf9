"""nft has put rules into iptables' own table, and iptables refuses to work with it.

What it finds
    An engine failed with "table `filter' is incompatible, use 'nft' tool"; or
    a table of iptables holds rules that nft wrote and iptables can't show.

Why it matters
    iptables-nft keeps its rules in the nftables tables ``ip filter``,
    ``ip nat`` and so on, and refuses to list a table in which it finds a rule
    that it wouldn't have written.  An engine that lists its chains there
    before it writes to them fails, with the container or by itself.

How we know
    The engine's own words: they stand while it is down, and count for a
    running one while iptables still refuses the table.  That it does was seen
    when the rules were read.  Which constructs are refused depends on
    iptables' version: 1.8.9 refuses nft's ``ct state`` and ``log``, takes
    sets for rules without a match, and doesn't mind other base chains.

Remedy
    Give those rules a table with a name of its own (``table inet my_filter``)
    in the file that loads them, /etc/nftables.conf mostly; then take them out
    of iptables' table.

When it is harmless
    As long as the engine doesn't fail it is information: recent iptables
    looks at no more than the chain that it is asked for.  The kernel applies
    such rules like any others; ``nft list ruleset`` shows them truly.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.subjects.startup_failures import (
    START_UP,
    FailedStart,
    failed_starts,
    names_of,
    of_failures,
)
from dnet_tui.diagnostics.context import iptables_layout
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.operations.by_hand import ByHand
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Severity, Subject
from dnet_tui.inspect.model import Family
from dnet_tui.inspect.model.firewall import Table

ID = "iptables-incompatible"

_TABLES = frozenset({"filter", "nat", "mangle", "raw", "security"})
_FAMILIES: tuple[Family, ...] = ("ip", "ip6")


def find(ctx: CheckContext) -> Iterator[Finding]:
    """One finding for all that failed, or one for the tables that iptables refuses."""
    refused = _refused(ctx.case)
    starts = [item for item in failed_starts(ctx.case, ID) if item.stands or refused]
    if starts or refused:
        yield _finding(refused, starts)


def _refused(case: HostContext) -> list[Table]:
    """Tables of iptables that hold an engine's chains, and that only nft could read."""
    return [
        table
        for family in _FAMILIES
        for table in iptables_layout.tables(case, family)
        if table.backend == "nftables"
        and table.name in _TABLES
        and any(chain.name.startswith(iptables_layout.ENGINE_CHAINS) for chain in table.chains)
    ]


def _finding(refused: list[Table], starts: list[FailedStart]) -> Finding:
    severity: Severity = "error" if any(item.stands for item in starts) else "warning" if starts else "info"
    names = ", ".join(f"{table.family} {table.name}" for table in refused)
    failed = f", and {names_of(starts)} failed over it" if starts else ""
    return Finding(
        check=ID,
        severity=severity,
        subject=Subject(kind="host", name=names or "iptables"),
        summary=f"iptables refuses the table {names}: nft wrote rules into it{failed}"
        if names
        else f"iptables refused a table that nft wrote rules into{failed}",
        symptoms=START_UP if starts else (),
        evidence=(
            *of_failures(starts),
            *(
                Evidence(
                    source="nft list ruleset",
                    what=f"table {table.family} {table.name}",
                    value="rules that iptables can't show, beside the engine's",
                    expected="none but iptables' own",
                )
                for table in refused
            ),
        ),
        remedy=_remedy(refused),
    )


def _remedy(refused: list[Table]) -> Remedy:
    tables = [(table.family, table.name) for table in refused] or [("ip", "filter")]
    return Remedy(
        summary="Move the rules that nft wrote into a table with a name of its own",
        steps=tuple(ByHand(argv=("nft", "-a", "list", "table", family, name)) for family, name in tables),
        risk="manual",
        note="Look in /etc/nftables.conf for a table called filter, nat or raw.  After the change let the engine write "
        "its rules again",
    )


CHECK = Check(
    id=ID,
    title="iptables' tables hold nothing that it refuses",
    severity="error",
    doc=__doc__,
    find=find,
)
