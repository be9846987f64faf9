"""A network with icc=false on a host without br_netfilter: nothing keeps its containers apart.

What it finds
    A Docker network asks that its containers can't reach each other, and the
    kernel has no ``net.bridge`` switches: br_netfilter isn't loaded.  Or a
    Docker that ended because it could not load it.

Why it matters
    The rule that drops such packets is in iptables (or in Docker's nftables
    tables of the same hook), and bridged packets only pass that by
    br_netfilter.  Docker refuses to create such a network, or to start with
    one ("cannot restrict inter-container communication"); where the module
    went away later, or the refusal was turned off
    (DOCKER_IGNORE_BR_NETFILTER_ERROR), nothing is restricted.

How we know
    The network's option, and that the switches are absent while the host's
    other ones were read; for a daemon that ended, its last words.  Source:
    ``setupIPv4BridgeNetFiltering`` in Docker's bridge driver.

Remedy
    Load the module: ``modprobe br_netfilter``.  Where that fails it isn't
    there for the running kernel: some distributions have it in a package of
    its own (kernel-modules-extra), or a reboot into the installed kernel is
    due.  Then restart Docker, which sets the switch.

When it is harmless
    With icc on, and the userland proxy, the module isn't needed.  On a network
    with one container there is nobody to be kept apart; that is only told.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.framework.evidence import of_sysctl
from dnet_tui.diagnostics.checks.subjects.isolation_rules import NF_CALL, has_no_switches, lacks_br_netfilter
from dnet_tui.diagnostics.checks.subjects.missing_kernel_features import unresolved_failures
from dnet_tui.diagnostics.checks.subjects.startup_failures import START_UP, names_of, of_failures
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.operations.kernel import LoadModule, UnloadModule
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Subject
from dnet_tui.inspect.model import Network

ID = "icc-no-brnf"
_ABSENT = "absent (br_netfilter is not loaded)"


def find(ctx: CheckContext) -> Iterator[Finding]:
    """One finding for the host: a start that failed, or else the networks that are open."""
    case = ctx.case
    failed = unresolved_failures(case, ID)
    if failed and has_no_switches(case):
        yield Finding(
            check=ID,
            severity="error",
            subject=Subject(kind="host", name="br_netfilter"),
            summary=f"{names_of(failed)} could not be started: br_netfilter isn't loaded",
            symptoms=START_UP,
            evidence=(*of_failures(failed), of_sysctl(NF_CALL, _ABSENT, "1")),
            remedy=_load(),
        )
        return
    networks = [network for network in case.networks if lacks_br_netfilter(case, network)]
    if networks:
        yield _open(case, networks)


def _open(case: HostContext, networks: list[Network]) -> Finding:
    shared = [network for network in networks if len(case.everyone(network)) > 1]
    names = ", ".join(network.name for network in networks)
    return Finding(
        check=ID,
        severity="warning" if shared else "info",
        subject=Subject(kind="network", name=names),
        summary=f"Containers of {names} are not kept apart: icc is off, and br_netfilter isn't loaded",
        symptoms=("exposure",),
        evidence=(
            of_sysctl(NF_CALL, _ABSENT, "1"),
            *(Evidence(source=network.engine, what=f"icc of {network.name}", value="false") for network in networks),
        ),
        remedy=_load(),
    )


def _load() -> Remedy:
    return Remedy(
        summary="Load br_netfilter",
        steps=(LoadModule(name="br_netfilter"),),
        undo=(UnloadModule(name="br_netfilter"),),
        risk="manual",
        note="Bridged packets of every bridge then pass FORWARD, those of virtual machines too. "
        "Write br_netfilter to /etc/modules-load.d to keep it, and restart Docker",
    )


CHECK = Check(
    id=ID,
    title="br_netfilter is loaded where icc=false needs it",
    severity="warning",
    doc=__doc__,
    find=find,
)
