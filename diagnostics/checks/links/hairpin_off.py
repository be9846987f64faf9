"""A container can't reach its own published port: its bridge port is not in hairpin mode.

What it finds
    Docker runs with ``userland-proxy: false``, bridged packets pass iptables,
    and the port of a container that publishes something has ``hairpin off``.

Why it matters
    A container that calls itself by the host's address is led back to itself
    within the bridge.  A bridge sends no frame out of the port it came in by,
    except in hairpin mode.

How we know
    The daemon's setting, the kernel's switch, and the port's flag
    (``bridge -d link``).

Remedy
    ``bridge link set dev VETH hairpin on``, as Docker does it.

When it is harmless
    With the userland proxy (the default) hairpin off is correct, and where
    bridged packets don't pass iptables it isn't needed; neither is reported.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.subjects.bridge_attachments import of_link
from dnet_tui.diagnostics.checks.subjects.userland_proxy_off import calls_iptables, port_words, published_without_proxy
from dnet_tui.diagnostics.operations.bridge_port import SetPortFlag
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Subject

ID = "hairpin-off"


def find(ctx: CheckContext) -> Iterator[Finding]:
    """One finding per container."""
    for found in published_without_proxy(ctx.case):
        port = found.item.port
        if port.port is None or port.port.hairpin or not calls_iptables(ctx.case, found.item.bridge):
            continue
        yield Finding(
            check=ID,
            severity="error",
            subject=Subject(kind="container", name=found.item.name),
            summary=f"{found.item.name} can't reach its own published port: {port.name} is not in hairpin mode",
            symptoms=("same-network",),
            evidence=(
                of_link(f"{port.name} ({found.item.name})", "hairpin off", "hairpin on", source="bridge -d link"),
                Evidence(source=found.network.engine, what="userland-proxy", value="false"),
                Evidence(source=found.network.engine, what="published", value=port_words(found.ports)),
            ),
            remedy=Remedy(
                summary=f"Turn hairpin mode on for {port.name}",
                steps=(SetPortFlag(port=port.name, flag="hairpin", on=True),),
                undo=(SetPortFlag(port=port.name, flag="hairpin", on=False),),
                risk="safe",
                note="Docker sets it when the container starts; find what switched it off, or attached the veth anew",
            ),
        )


CHECK = Check(
    id=ID,
    title="Ports without a proxy are in hairpin mode",
    severity="error",
    doc=__doc__,
    find=find,
)
