"""The kernel was replaced, and the running one has lost its modules.

What it finds
    There is no folder of modules for the running kernel, but one for another,
    and the running one does load modules.  It is an error where an engine
    could not start a container (or itself) because the kernel lacked
    something, and else information.

Why it matters
    What isn't loaded yet can't be any more: the first container after the
    update fails with "operation not supported" (no veth), or a rule can't be
    written because a table or a target is missing.

How we know
    ``/lib/modules`` of the host, the running kernel's name, the list of loaded
    modules; and the engine's words: the container's last error, or the last
    words of a daemon that ended.

Remedy
    Restart the machine.  Where that must wait, install the modules of the
    running kernel again.

When it is harmless
    While all that containers need is loaded already; that a kernel which has
    everything built in has no such folder is normal and isn't found.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.subjects.startup_failures import START_UP, failed_starts, names_of, of_failures
from dnet_tui.diagnostics.operations.by_hand import ByHand
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Subject

ID = "kernel-not-rebooted"
_LACKING = ("veth-unsupported", "no-raw-table", "no-xt-masq", "icc-no-brnf")


def find(ctx: CheckContext) -> Iterator[Finding]:
    """One finding for the host."""
    host = ctx.case.snapshot.host
    if host.modules_present is not False:
        return
    failed = [item for item in failed_starts(ctx.case, *_LACKING) if item.stands]
    yield Finding(
        check=ID,
        severity="error" if failed else "info",
        subject=Subject(kind="host", name=f"kernel {host.kernel}"),
        summary=f"The running kernel {host.kernel} has no modules to load any more"
        + (f": {names_of(failed)} could not be started" if failed else ""),
        symptoms=START_UP if failed else (),
        evidence=(
            *of_failures(failed),
            Evidence(
                source="ls /lib/modules", what=f"modules of {host.kernel}", value="not there", expected="modules.dep"
            ),
        ),
        remedy=Remedy(
            summary="Restart the machine, so that it runs the kernel that is installed",
            steps=(ByHand(argv=("systemctl", "reboot")),),
            risk="manual",
            persists=True,
        ),
    )


CHECK = Check(
    id=ID,
    title="The running kernel has its modules",
    severity="error",
    doc=__doc__,
    find=find,
    explains=("no-raw-table", "no-xt-masq", "icc-no-brnf"),
)
