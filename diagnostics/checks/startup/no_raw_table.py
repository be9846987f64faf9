"""The kernel has no iptables table ``raw``, which Docker 28 and later want.

What it finds
    A container (or the daemon) whose last start failed because iptables could
    not open the table ``raw``, on a host that still shows no such table.

Why it matters
    Since 28.0 Docker writes rules there against direct access to containers
    and to ports that are published on 127.0.0.1.  Without the table no
    container on a bridge that publishes a port starts (since 28.2: none).

How we know
    The engine's words: the container's last error, which a good start clears,
    or the last words of a daemon that ended; and the tables of the host.

Remedy
    Load or build the kernel's module (``iptable_raw``, CONFIG_IP_NF_RAW).  The
    daemon's environment DOCKER_INSECURE_NO_IPTABLES_RAW=1 goes without, and
    with it without that protection.

When it is harmless
    When the container isn't wanted any more.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.subjects.missing_kernel_features import iptables_tables, unresolved_failures
from dnet_tui.diagnostics.checks.subjects.startup_failures import START_UP, FailedStart, names_of, of_failures
from dnet_tui.diagnostics.operations.kernel import LoadModule, UnloadModule
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Subject

ID = "no-raw-table"


def find(ctx: CheckContext) -> Iterator[Finding]:
    """One finding for the host."""
    there = {table.family for table in iptables_tables(ctx.case, "raw")}
    failed = [item for item in unresolved_failures(ctx.case, ID) if _family(item) not in there]
    if not failed:
        return
    yield Finding(
        check=ID,
        severity="error",
        subject=Subject(kind="host", name="table raw"),
        summary=f"{names_of(failed)} could not be started: the kernel has no iptables table raw",
        symptoms=START_UP,
        evidence=(
            *of_failures(failed),
            Evidence(source="iptables-save", what="table raw", value="not there", expected="there"),
        ),
        remedy=Remedy(
            summary="Load the kernel's module for the table, then start the container again",
            steps=(LoadModule(name="iptable_raw"),),
            undo=(UnloadModule(name="iptable_raw"),),
            risk="manual",
            note="To keep it, name the module in /etc/modules-load.d; a kernel built without needs another kernel",
        ),
    )


def _family(failed: FailedStart) -> str:
    """The family whose table was missed: each has a module of its own."""
    return "ip6" if "ip6tables table" in failed.failure.text else "ip"


CHECK = Check(
    id=ID,
    title="The kernel has the iptables table raw",
    severity="error",
    doc=__doc__,
    find=find,
)
