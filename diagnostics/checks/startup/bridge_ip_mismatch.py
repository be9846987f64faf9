"""A network can't be set up because its bridge has another address first.

What it finds
    The engine's log says that a bridge's address "does not match requested
    configuration", and a bridge of the host still has that address before
    all others of its subnet: an error where the daemon itself ended over it,
    and a warning where it went on without that network.

Why it matters
    Docker refuses the network; where it is the default one, the daemon does
    not start at all, and with it no container.

How we know
    The engine's log, and the bridge's addresses in the kernel's order: the
    engine takes the first within the network's subnet for the gateway
    (moby, drivers/bridge/setup_verify_linux.go and setup_ipv4_linux.go).

Remedy
    Remove the foreign address from the bridge, by whatever put it there
    (NetworkManager, networkd, a script), or give the network that gateway.

When it is harmless
    When the network isn't wanted any more: the log keeps the line for a day.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address, ip_network

from dnet_tui.diagnostics.checks.framework.check import Check
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.subjects.startup_failures import START_UP, failed_starts, of_failures
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.operations.address import AddAddress, DeleteAddress
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Subject
from dnet_tui.inspect.model import Address, Link, LinkRef

ID = "bridge-ip-mismatch"


def find(ctx: CheckContext) -> Iterator[Finding]:
    """One finding per bridge."""
    done: set[str] = set()
    for failed in failed_starts(ctx.case, ID):
        have, want = failed.failure.have, failed.failure.want
        found = _first(ctx.case, have, want)
        if found is None or found[0].name in done:
            continue
        bridge, address = found
        done.add(bridge.name)
        yield Finding(
            check=ID,
            severity="error" if failed.stands else "warning",
            subject=Subject(kind="bridge", name=bridge.name),
            summary=f"{failed.engine} can't set up the network on {bridge.name}: the bridge has {address.address} "
            f"where it wants {want}",
            symptoms=START_UP,
            evidence=(
                *of_failures((failed,)),
                Evidence(
                    source="ip address", what=f"{bridge.name}, first of its subnet", value=address.cidr, expected=want
                ),
            ),
            remedy=_remedy(bridge, address, want),
        )


def _remedy(bridge: Link, address: Address, want: str) -> Remedy:
    take = DeleteAddress(link=bridge.name, cidr=address.cidr)
    return Remedy(
        summary=f"Remove {address.cidr} from {bridge.name}, and put {want} there",
        # Without promote_secondaries the kernel takes the other addresses of the subnet away with the first.
        steps=(
            take,
            AddAddress(link=bridge.name, cidr=f"{want}/{address.prefixlen}", replace=True),
        ),
        undo=(take.inverse(),),
        risk="manual",
        note="Then create the network, or start the engine; who else manages the bridge must leave it alone",
    )


def _first(case: HostContext, have: str, want: str) -> tuple[Link, Address] | None:
    """The bridge that still has the address, and which one is first in its subnet if that isn't the wanted one.

    None where a network wants it there now.
    """
    host = case.view.host
    for bridge in case.view.bridges():
        if host is None or _is_gateway(case, bridge.name, have):
            continue
        held = case.view.addresses_of(LinkRef(namespace=host.id, ifindex=bridge.ifindex))
        found = next((item for item in held if item.address == have), None)
        if found is None:
            continue
        subnet = ip_network(found.cidr, strict=False)
        within = [item for item in held if ip_address(item.address) in subnet]
        if _differ(want, within[0].address):
            return bridge, within[0]
    return None


def _differ(one: str, two: str) -> bool:
    """Whether two addresses aren't the same; False where one isn't an address."""
    try:
        return ip_address(one) != ip_address(two)
    except ValueError:
        return False


def _is_gateway(case: HostContext, bridge: str, address: str) -> bool:
    network = case.view.network_of_bridge(bridge)
    return network is not None and any(subnet.gateway == address for subnet in network.subnets)


CHECK = Check(
    id=ID,
    title="Bridges have the addresses that their networks want",
    severity="error",
    doc=__doc__,
    find=find,
)
