"""Plans that make named namespaces and plug them into a plain network: veth, address, routes, resolv.conf.  Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence

import msgspec

from dnet_tui.actions.networks.attach import (
    ConnectRequest,
    check_addresses,
    connect_plan,
    free_address,
    free_name,
    plugged,
    used_addresses,
)
from dnet_tui.actions.networks.request import NAME, Request
from dnet_tui.actions.plans.boot_files import WriteFile
from dnet_tui.actions.plans.plan import Plan, PlanStep
from dnet_tui.diagnostics.operations.bridge import CreateBridge
from dnet_tui.diagnostics.operations.link import DeleteVeth
from dnet_tui.diagnostics.operations.netns_scope import AddNamespace, DeleteNamespace
from dnet_tui.inspect.errors import UsageError
from dnet_tui.inspect.model import Container, Link, Namespace, Network, Snapshot, Subnet, Unread, known_items
from dnet_tui.inspect.model.engine_kinds.others import LINUX, NETNS
from dnet_tui.inspect.model.view import View
from dnet_tui.inspect.text.sanitize import clean

UNDO_NOTE = "undo deletes the namespaces that are made here, with whatever has been put into them by then"


def attach_plan(snapshot: Snapshot, request: ConnectRequest) -> Plan:
    """Return the plan that makes a named namespace a member of a plain network; it is made if it isn't there.

    Raises:
        UsageError: There is no such plain network, the name doesn't fit, or an address doesn't.
        CannotInspectError: The namespace was not seen.
    """
    name = request.container
    if _there(snapshot, name):
        return connect_plan(snapshot, request)
    found = [
        item
        for item in known_items(snapshot.networks)
        if request.network in (item.name, item.id) and item.engine == LINUX.kind
    ]
    if len(found) != 1:
        known = ", ".join(clean(item.name) for item in known_items(snapshot.networks) if item.engine == LINUX.kind)
        msg = f"there is no plain network named {clean(request.network)}"
        raise UsageError(msg, f"plain networks here: {known or 'none'}")
    check_addresses(snapshot, found[0], request.addresses)
    steps = tuple(namespace_steps(snapshot, found[0], (name,), request.addresses))
    return Plan(
        title=f"make the namespace {name} and connect it to {clean(found[0].name)}",
        steps=steps,
        notes=(UNDO_NOTE, *names_note(snapshot)),
    )


def with_namespaces(snapshot: Snapshot, plan: Plan, request: Request) -> Plan:
    """The plan that makes a plain network, with the namespaces that were asked for plugged into it.

    Raises:
        UsageError: See :func:`namespace_steps`.
    """
    bridge = next(action for action in plan.operations if isinstance(action, CreateBridge))
    subnets = tuple(
        Subnet(cidr=str(ipaddress.ip_interface(cidr).network), gateway=cidr.partition("/")[0])
        for cidr in bridge.addresses
    )
    network = Network(
        id=f"new:{request.name}",
        name=request.name,
        engine=LINUX.kind,
        bridge=bridge.name,
        subnets=subnets,
        internal=request.internal,
        mtu=request.mtu,
    )
    steps = tuple(namespace_steps(snapshot, network, request.namespaces))
    notes = (*plan.notes, UNDO_NOTE, *names_note(snapshot))
    title = f"{plan.title}, and the namespaces {', '.join(request.namespaces)}"
    return msgspec.structs.replace(plan, title=title, steps=(*plan.steps, *steps), notes=notes)


def namespace_steps(
    snapshot: Snapshot, network: Network, names: Sequence[str], addresses: Sequence[str] = ()
) -> Iterator[PlanStep]:
    """What makes named namespaces and plugs them into ``network``, whose bridge is there by then.

    Raises:
        UsageError: A name doesn't fit or is taken, or there are more of them than addresses.
    """
    view = View(snapshot)
    used = used_addresses(snapshot, network)
    links = {link.name for link in view.host.links} if view.host is not None else set()
    for number, name in enumerate(names):
        if not NAME.fullmatch(name):
            hint = "letters, digits, '_', '.' and '-', up to 63, starting with a letter or a digit"
            raise UsageError(f"{clean(name)!r} is not a name for a namespace", hint)
        if _there(snapshot, name) or name in names[:number]:
            raise UsageError(f"there is a namespace {name} already", "`dnet-tui net connect` plugs it in")
        given = list(addresses)
        for subnet in network.subnets:
            net = ipaddress.ip_network(subnet.cidr, strict=False)
            if not any(ipaddress.ip_address(item) in net for item in given):
                given.append(free_address(used, net))
        used |= set(given)
        link = free_name(f"v{name}"[:15], links)
        links.add(link)
        yield PlanStep(action=AddNamespace(name=name), undo=(DeleteNamespace(name=name),))
        empty = Namespace(id=f"new:{name}", inode=0, kind="named", names=(name,), links=(Link(ifindex=1, name="lo"),))
        container = Container(id=f"{NETNS.kind}:{name}", name=name, engine=NETNS.kind, netns=empty.id)
        first, *rest = plugged(link, network, container, empty, given)
        yield PlanStep(action=first, undo=(DeleteVeth(link=link),))
        yield from (PlanStep(action=operation, covered=True) for operation in rest)
        text = resolv_conf(snapshot)
        if text:
            yield PlanStep(action=WriteFile(path=f"/etc/netns/{name}/resolv.conf", content=text))


def resolv_conf(snapshot: Snapshot) -> str:
    """What `ip netns exec` shows as resolv.conf: the host's servers, but none at a loopback address.  "": none left."""
    resolver = snapshot.host.resolver
    if resolver is None or isinstance(resolver, Unread):
        return ""
    servers = [item for item in resolver.servers if _is_reachable(item)]
    if not servers:
        return ""
    return "# Written by dnet-tui.\n" + "".join(f"nameserver {item}\n" for item in servers)


def names_note(snapshot: Snapshot) -> tuple[str, ...]:
    """What to know of names where there is no server to write down."""
    if resolv_conf(snapshot):
        return ()
    return ("names can't be looked up there: this host's own resolver is at a loopback address, or not known",)


def _is_reachable(text: str) -> bool:
    try:
        return not ipaddress.ip_address(text.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _there(snapshot: Snapshot, name: str) -> bool:
    return any(name in ns.names for ns in known_items(snapshot.namespaces))
