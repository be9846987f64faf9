"""Without a userland proxy, bridged packets have to pass iptables, and they don't.

What it finds
    Docker runs with ``userland-proxy: false``, and
    ``net.bridge.bridge-nf-call-iptables`` is 0 or br_netfilter is not loaded,
    while containers share a network with one that publishes a port.

Why it matters
    A container that calls its neighbour by the host's address and published
    port gets the answer straight over the bridge, from an address it never
    called, and refuses it: the call times out.  From outside all works.

How we know
    The daemon's setting, the kernel's switch and the bridge's own.

Remedy
    Load br_netfilter and set the switch to 1.  That makes bridged packets
    pass FORWARD too, for every bridge of the host.

When it is harmless
    With the userland proxy (the default) the switch isn't needed; it is not
    reported then.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.framework.evidence import of_sysctl
from dnet_tui.diagnostics.checks.subjects.userland_proxy_off import calls_iptables, port_words, published_without_proxy
from dnet_tui.diagnostics.operations.kernel import LoadModule, SetSysctl
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Subject

ID = "nfcall-off-noproxy"
_KEY = "net.bridge.bridge-nf-call-iptables"


def find(ctx: CheckContext) -> Iterator[Finding]:
    """One finding for the host."""
    hit = [
        found
        for found in published_without_proxy(ctx.case)
        if found.neighbours and found.network.icc is not False and not calls_iptables(ctx.case, found.item.bridge)
    ]
    if not hit:
        return
    value = ctx.case.sysctl(_KEY)
    ports = ", ".join(f"{found.item.name} ({port_words(found.ports)})" for found in hit[:4])
    load = () if value is not None else (LoadModule(name="br_netfilter"),)
    yield Finding(
        check=ID,
        severity="error",
        subject=Subject(kind="sysctl", name=_KEY),
        summary="Containers can't reach published ports of their neighbours: bridged packets don't pass iptables",
        symptoms=("same-network",),
        evidence=(
            of_sysctl(_KEY, value if value is not None else "absent (br_netfilter is not loaded)", "1"),
            Evidence(source=hit[0].network.engine, what="userland-proxy", value="false"),
            Evidence(source=hit[0].network.engine, what="published by", value=ports),
        ),
        remedy=Remedy(
            summary="Let bridged packets pass iptables",
            steps=(*load, SetSysctl(key=_KEY, value="1")),
            undo=(SetSysctl(key=_KEY, value="0"),),
            risk="ask",
            note="It concerns every bridge of the host, those of virtual machines too; "
            "or run Docker with its userland proxy",
        ),
    )


CHECK = Check(
    id=ID,
    title="Bridged packets pass iptables where no proxy runs",
    severity="error",
    doc=__doc__,
    find=find,
)
