"""A container shares the network of another one that is no longer there.

What it finds
    A running container with ``network_mode: container:ID`` (Compose's
    ``service:NAME``) whose partner was removed, re-created or restarted: it
    sits in the network namespace that the partner left behind, which has no
    interface but ``lo``.

Why it matters
    The engine removes the interfaces with the partner.  The sidecar runs on
    without any network, its ports and those of the namespace answer nobody,
    and the new partner, which has a namespace of its own, looks innocent.

How we know
    The engine's word for whose network it uses, the list of containers, both
    network namespaces, and the links in that of the sidecar.

Remedy
    A partner that was only restarted: restart the sidecar.  One that was
    re-created: re-create the sidecar too, as its definition holds the id of a
    container that is gone (``docker compose up -d --force-recreate NAME``).

When it is harmless
    Never while the sidecar needs a network.  While its partner is stopped on
    purpose, it has none by design; that is only a warning.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.operations.engine import RestartContainers
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.finding import Affected, Evidence, Finding, Subject
from dnet_tui.inspect.model import Container, Namespace
from dnet_tui.inspect.model.engine_kinds.registry import traits_of

ID = "sidecar-stranded"

_SHORT = 12


def find(ctx: CheckContext) -> Iterator[Finding]:
    """One finding per sidecar."""
    case = ctx.case
    containers = tuple(case.snapshot.containers)
    by_id = {item.id: item for item in containers}
    for container in containers:
        ns = case.view.namespaces.get(container.netns or "")
        if container.mode != "container" or not container.running or ns is None or ns.kind == "host":
            continue
        partner = by_id.get(container.joined or "")
        with case.noting():
            lives = partner is not None and partner.running and partner.netns in {None, container.netns}
            if not lives and _is_bare(ns):
                yield _finding(container, partner, ns)


def _is_bare(ns: Namespace) -> bool:
    """Whether a namespace has no interface by which anybody could be reached."""
    return all(link.kind == "loopback" or not link.up for link in ns.links)


def _finding(container: Container, partner: Container | None, ns: Namespace) -> Finding:
    name = container.name
    if partner is None:
        what = f"recreate {name}: it still uses the network of a removed container"
        state = f"{container.joined[:_SHORT]}, which is gone" if container.joined else "a container that is gone"
        note = f"With Compose: `docker compose up -d --force-recreate {name}`. A restart fails, as it asks for that one"
    elif not partner.running:
        what = f"{name} has no network: it uses that of {partner.name}, which is stopped"
        state = f"{partner.name}, which is stopped"
        note = f"Start {partner.name}, then restart {name}"
    else:
        what = f"restart {name}: it still uses the network that {partner.name} had before it was started anew"
        state = f"{partner.name}, whose namespace is {partner.netns} now"
        note = "Its program is stopped and started again"
    restarts = partner is not None and partner.running and traits_of(container.engine).command
    steps = (RestartContainers(engine=container.engine, names=(name,)),) if restarts else ()
    return Finding(
        check=ID,
        severity="warning" if partner is not None and not partner.running else "error",
        subject=Subject(kind="container", name=name),
        summary=what,
        symptoms=("egress", "published", "names"),
        evidence=(
            Evidence(source=container.engine, what=f"network mode of {name}", value=f"that of {state}"),
            Evidence(
                source="ip link",
                what=f"in {name} ({ns.id})",
                value=", ".join(link.name for link in ns.links) or "nothing",
                expected="an interface on a network",
            ),
        ),
        remedy=Remedy(
            summary=f"{'Restart' if restarts else 'Recreate'} {name}"
            if restarts or partner is None
            else f"Start {partner.name}",
            steps=steps,
            risk="manual",
            persists=True,
            note=note,
        ),
        affects=(Affected(kind="container", name=name),),
    )


CHECK = Check(
    id=ID,
    title="Containers that share a network share one that exists",
    severity="error",
    doc=__doc__,
    find=find,
    anywhere=True,
)
