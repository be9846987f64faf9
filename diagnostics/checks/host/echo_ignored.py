"""Containers, or the host itself, that answer no ping because a kernel parameter says so.

What it finds
    ``icmp_echo_ignore_all`` is 1 in a container's namespace, or in the host's:
    the kernel drops every echo request that gets there.

Why it matters
    A ping that isn't answered is taken for a network that is broken, though
    all else gets through.

How we know
    The kernel parameters of each namespace, for IPv4 and IPv6.

Remedy
    Who set it decides.  Try a port instead of a ping, or set the parameter to
    0 there.

When it is harmless
    It is information: nothing but echoes is left out.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.framework.evidence import of_sysctl
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.finding import Affected, Finding, Subject
from dnet_tui.diagnostics.walk.stages.receive import ECHO_IGNORED
from dnet_tui.inspect.model.rule_writers.owner import ADMINISTRATOR

ID = "echo-ignored"
_SHOWN = 4


def find(ctx: CheckContext) -> Iterator[Finding]:
    """One finding for all containers, and one for the host."""
    silent = {
        name: keys
        for space, name in _places(ctx.case).items()
        if (keys := [key for _, key in ECHO_IGNORED.values() if _is_set(ctx.case, space, key)])
    }
    names = [name for name in silent if name]
    if names:
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        verb = "answers" if len(names) == 1 else "answer"
        yield _finding(", ".join(names[:_SHOWN]) + more, verb, {name: silent[name] for name in names})
    if "" in silent:
        yield _finding("The host", "answers", {"": silent[""]})


def _places(case: HostContext) -> dict[str, str]:
    """The namespaces of containers on networks, each with its name; the host's without one."""
    found = {member.namespace: member.container.name for net in case.networks for member in case.everyone(net)}
    return {case.view.host.id: "", **found} if case.view.host is not None else found


def _is_set(case: HostContext, space: str, key: str) -> bool:
    known: list[str | None] = []
    with case.noting():
        known.append(case.view.namespaces[space].sysctls.get(key))
    return known == ["1"]


def _finding(who: str, verb: str, silent: dict[str, list[str]]) -> Finding:
    names = [name for name in silent if name]
    return Finding(
        check=ID,
        severity="info",
        subject=Subject(kind="container", name=names[0]) if names else Subject(kind="host", name="echo"),
        summary=f"{who} {verb} no ping: echo requests are left out there",
        symptoms=("same-network",) if names else ("container-to-host",),
        evidence=tuple(
            of_sysctl(f"{key} in {name}" if name else key, "1", "0, where pings should be answered")
            for name, keys in list(silent.items())[:_SHOWN]
            for key in keys
        ),
        remedy=Remedy(summary="Yours to decide: try a port instead of a ping, or set it to 0 there", risk="manual"),
        affects=tuple(Affected(kind="container", name=name) for name in names),
        owner=ADMINISTRATOR,
    )


CHECK = Check(
    id=ID,
    title="Pings are answered",
    severity="info",
    doc=__doc__,
    find=find,
    hidden_by=("sysctls",),
)
