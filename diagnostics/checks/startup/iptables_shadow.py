"""Docker now runs an iptables of another backend than the one that holds its rules.

What it finds
    The program that ``iptables`` is to the running dockerd writes to one
    backend, and all of Docker's chains stand in the other.

Why it matters
    Docker runs the same path for every change.  When
    ``update-alternatives`` turns that path to the other backend, or another
    iptables is installed over it, the next container's rules go to where no
    chain of Docker's is: "No chain/target/match by that name", published
    ports that fail, rules that are never taken away.

How we know
    dockerd's own PATH in its own file system, with the links followed to the
    program (found by looking, it isn't run), and the chains named DOCKER in
    iptables-nft and iptables-legacy.  Both tables were read.  Source:
    ``detectIptables`` of libnetwork for the one look-up in PATH.

Remedy
    Turn the link back, or restart Docker so that all its rules are written to
    the backend that it uses now; then clear the other one's.

When it is harmless
    Where the links don't tell which backend a program serves, or Docker's
    chains stand in both, or in none, nothing is said here; nor where
    firewalld runs, for then Docker has it write the rules.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.context import iptables_layout
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.operations.engine import ReloadEngineRules
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Subject
from dnet_tui.inspect.model import Engine, known_items
from dnet_tui.inspect.model.engine_kinds.docker import PORTS_CHAIN
from dnet_tui.inspect.model.engine_kinds.registry import traits_of

ID = "iptables-shadow"

_IPTABLES = frozenset({"iptables-nft", "iptables-legacy"})
_SINGLE = frozenset({"", "iptables", "firewalld"})
"""What Docker says of its firewall where it writes by iptables; empty before it says so."""


def find(ctx: CheckContext) -> Iterator[Finding]:
    """One finding per engine."""
    case = ctx.case
    if iptables_layout.unread(case) or case.snapshot.firewalld is not None:
        return  # while firewalld runs Docker has it write the rules (passthrough over D-Bus), whatever its PATH holds
    homes = _homes(case)
    for engine in known_items(case.snapshot.engines):
        if _writes(engine) and homes and engine.iptables_backend not in homes:
            yield _finding(engine, homes)


def _writes(engine: Engine) -> bool:
    """Whether a daemon that runs here writes rules, by a program of which the backend is known."""
    runs = (
        traits_of(engine.name).ports_chain == PORTS_CHAIN
        and engine.reachable
        and not engine.rootless
        and engine.netns is None
    )
    return runs and engine.iptables_backend != "" and engine.iptables is not False and engine.firewall in _SINGLE


def _homes(case: HostContext) -> set[str]:
    """Where chains of Docker's are; a table that only nft could show is iptables-nft's."""
    return {
        table.backend if table.backend in _IPTABLES else "iptables-nft"
        for family in ("ip", "ip6")
        for table in iptables_layout.tables(case, family)
        if any(chain.name == PORTS_CHAIN or chain.name.startswith(f"{PORTS_CHAIN}-") for chain in table.chains)
    }


def _finding(engine: Engine, homes: set[str]) -> Finding:
    there = ", ".join(sorted(homes))
    return Finding(
        check=ID,
        severity="warning",
        subject=Subject(kind="host", name=engine.name),
        summary=f"{engine.name} would write its next rules by {engine.iptables_backend}, but its chains are in {there}",
        symptoms=("start-up", "published"),
        evidence=(
            Evidence(
                source="dockerd's PATH",
                what=engine.iptables_program,
                value=engine.iptables_backend,
                expected=there,
            ),
            Evidence(source=there, what="Docker's chains", value="present", expected=f"in {engine.iptables_backend}"),
        ),
        remedy=Remedy(
            summary="Turn iptables back to the backend of Docker's rules, or restart Docker",
            steps=(ReloadEngineRules(engine=engine.name),),
            risk="manual",
            note="update-alternatives --config iptables turns the link.  After a restart the old backend's rules stay: "
            "clear them, or both are applied",
        ),
    )


CHECK = Check(
    id=ID,
    title="Docker's iptables serves the backend that holds its rules",
    severity="warning",
    doc=__doc__,
    find=find,
)
