"""The kernel has no iptables target MASQUERADE, without which Docker does not start.

What it finds
    A container (or the daemon) whose last start failed with "Extension
    MASQUERADE revision 0 not supported", on a host on which no iptables rule
    masquerades.

Why it matters
    Docker's iptables backend masquerades every network; without the target
    the daemon refuses its default network and ends.

How we know
    The engine's words: the last words of a daemon that ended, or a
    container's last error, which a good start clears; and the host's rules.

Remedy
    Load or build the kernel's module (``xt_MASQUERADE``,
    CONFIG_NETFILTER_XT_TARGET_MASQUERADE).  Docker 29 can do without, by its
    nftables backend (``firewall-backend``: ``nftables``).

When it is harmless
    Never while Docker is wanted here.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.subjects.missing_kernel_features import masquerades, unresolved_failures
from dnet_tui.diagnostics.checks.subjects.startup_failures import START_UP, names_of, of_failures
from dnet_tui.diagnostics.operations.kernel import LoadModule, UnloadModule
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Subject

ID = "no-xt-masq"


def find(ctx: CheckContext) -> Iterator[Finding]:
    """One finding for the host."""
    failed = unresolved_failures(ctx.case, ID)
    if not failed or masquerades(ctx.case):
        return
    yield Finding(
        check=ID,
        severity="error",
        subject=Subject(kind="host", name="target MASQUERADE"),
        summary=f"{names_of(failed)} could not be started: the kernel has no iptables target MASQUERADE",
        symptoms=START_UP,
        evidence=(
            *of_failures(failed),
            Evidence(source="iptables-save", what="rules with MASQUERADE", value="none", expected="Docker's"),
        ),
        remedy=Remedy(
            summary="Load the kernel's module for the target, then start Docker again",
            steps=(LoadModule(name="xt_MASQUERADE"),),
            undo=(UnloadModule(name="xt_MASQUERADE"),),
            risk="manual",
            note="To keep it, name the module in /etc/modules-load.d; a kernel built without needs another kernel",
        ),
    )


CHECK = Check(
    id=ID,
    title="The kernel has the iptables target MASQUERADE",
    severity="error",
    doc=__doc__,
    find=find,
)
