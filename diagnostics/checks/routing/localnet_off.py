"""Published ports don't answer on the host's 127.0.0.1: the bridge doesn't route loopback addresses.

What it finds
    Docker runs with ``userland-proxy: false``, and ``route_localnet`` is 0 on
    the bridge of a container with a published port.

Why it matters
    Programs on the host itself that call ``127.0.0.1:PORT`` get no answer.
    The kernel does not send a packet with a loopback address over another
    device unless it is told to.

How we know
    The daemon's setting and the kernel's: the greater of ``conf.all`` and the
    bridge's own value counts.

Remedy
    Set ``route_localnet`` on the bridge to 1, as Docker does it.  It makes
    addresses of 127/8 reachable from the bridge as far as the firewall lets.

When it is harmless
    With the userland proxy (the default), which answers on 127.0.0.1 itself;
    it is not reported then.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.framework.evidence import of_sysctl
from dnet_tui.diagnostics.checks.subjects.userland_proxy_off import ProxylessPort, port_words, published_without_proxy
from dnet_tui.diagnostics.operations.kernel import SetSysctl
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Subject
from dnet_tui.diagnostics.walk.l3.routing import sysctl_name

ID = "localnet-off"
_ALL = "net.ipv4.conf.all.route_localnet"
_LOCAL = {"", "0.0.0.0", "127.0.0.1"}  # noqa: S104 - compared with, not bound to


def find(ctx: CheckContext) -> Iterator[Finding]:
    """One finding per bridge."""
    bridges: dict[str, list[ProxylessPort]] = {}
    for found in published_without_proxy(ctx.case):
        if any(port.host_ip in _LOCAL for port in found.ports):
            bridges.setdefault(found.network.bridge, []).append(found)
    for bridge, hit in bridges.items():
        key = f"net.ipv4.conf.{sysctl_name(bridge)}.route_localnet"
        if ctx.case.sysctl(key) != "0" or ctx.case.sysctl(_ALL) != "0":
            continue
        ports = ", ".join(f"{found.item.name} ({port_words(found.ports)})" for found in hit[:4])
        yield Finding(
            check=ID,
            severity="error",
            subject=Subject(kind="sysctl", name=key),
            summary=f"Ports published over {bridge} don't answer on the host's 127.0.0.1",
            symptoms=("host-to-container",),
            evidence=(
                of_sysctl(key, "0", "1"),
                Evidence(source=hit[0].network.engine, what="userland-proxy", value="false"),
                Evidence(source=hit[0].network.engine, what="published by", value=ports),
            ),
            remedy=Remedy(
                summary=f"Let {bridge} route loopback addresses",
                steps=(SetSysctl(key=key, value="1"),),
                undo=(SetSysctl(key=key, value="0"),),
                risk="ask",
                note="It opens 127/8 to the bridge as far as the firewall lets; "
                "calling the host by another of its addresses needs no change",
            ),
        )


CHECK = Check(
    id=ID,
    title="Bridges route loopback addresses where no proxy runs",
    severity="error",
    doc=__doc__,
    find=find,
)
