"""The app's forms on this host: what a filled-in one comes to, and making it, as the commands of the same name do."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from dnet_tui.inspect.errors import UsageError
from dnet_tui.inspect.model import Snapshot
from dnet_tui.tui.app.model.forms import FORMS, Draft, FormKind, PlannedChange, flag

if TYPE_CHECKING:
    from dnet_tui.actions.plans.plan import Plan

# ruff: noqa: PLC0415  the actions are imported in the worker, when a form is filled in


def plan_change(snapshot: Snapshot, draft: Draft) -> PlannedChange:
    """Return what a draft comes to.

    Raises:
        DnetError: A field doesn't fit the host, or not what it is for; the hint says what would.
    """
    from dnet_tui.actions.plans.plan import command_lines, undo_lines

    plan = _plan(snapshot, draft)
    return PlannedChange(
        draft=draft,
        plan=plan,
        title=plan.title,
        commands=command_lines(plan),
        undo=undo_lines(plan),
        notes=plan.notes,
        persists=plan.persists,
    )


def make_change(planned: PlannedChange, take: Callable[[], Snapshot]) -> list[str]:
    """Make what was shown and confirmed, if the host as ``take`` reads it now still wants the same; say what was done.

    Raises:
        DnetError: Another plan fits the host now, or a step failed.
    """
    from dnet_tui.actions.execution.apply import apply_plan
    from dnet_tui.actions.execution.execute import HostExecutor
    from dnet_tui.actions.journal.journal import state_folder

    draft = planned.draft
    entry = apply_plan(planned.plan, HostExecutor(), state_folder(), lambda: _plan(take(), draft))
    told = [planned.title, *(f"written by {writer}" for writer in entry.writers)]
    told += _verified(draft, take).splitlines()
    return [*told, f"u (or `dnet-tui undo {entry.id}`) takes it back"]


def _plan(snapshot: Snapshot, draft: Draft) -> Plan:
    from dnet_tui.actions.plans.binding import anchored

    return anchored(_PLANS[draft.kind](snapshot, draft), snapshot)


def _flag(draft: Draft, name: str) -> bool:
    field = next(item for item in FORMS[draft.kind].fields if item.id == name)
    wanted = flag(draft, field)
    if wanted is None:
        raise UsageError(f"{field.label} is a matter of yes or no", "write yes or no, or leave it empty")
    return wanted


def _network(snapshot: Snapshot, draft: Draft) -> Plan:
    from dnet_tui.actions.host_access import LocalHost
    from dnet_tui.actions.networks.engine_networks import create_plan, default_engine
    from dnet_tui.actions.networks.native_rules import uses_native
    from dnet_tui.actions.networks.request import Request
    from dnet_tui.actions.networks.subnets import by_family

    subnet4, subnet6 = by_family(draft.words("subnet"), "the subnet")
    gateway4, gateway6 = by_family(draft.words("gateway"), "the gateway")
    mtu = draft.value("mtu")
    if mtu and not (mtu.isascii() and mtu.isdecimal()):
        raise UsageError("the MTU is a number of bytes", "1500 is usual")
    request = Request(
        name=draft.value("name"),
        engine=draft.value("engine") or default_engine(snapshot),
        subnet=subnet4,
        gateway=gateway4,
        subnet6=subnet6,
        gateway6=gateway6,
        internal=_flag(draft, "internal"),
        icc=_flag(draft, "icc"),
        masquerade=_flag(draft, "masquerade"),
        isolated=_flag(draft, "isolated"),
        mtu=int(mtu) if mtu else None,
        bridge_name=draft.value("bridge"),
    )
    return create_plan(snapshot, request, native=uses_native(LocalHost()))


def _connection(snapshot: Snapshot, draft: Draft) -> Plan:
    from dnet_tui.actions.networks.attach import ConnectRequest, connect_plan

    request = ConnectRequest(
        network=draft.value("network"),
        container=draft.value("container"),
        addresses=draft.words("address"),
        aliases=draft.words("alias"),
    )
    return connect_plan(snapshot, request)


def _port(snapshot: Snapshot, draft: Draft) -> Plan:
    from dnet_tui.actions.host_access import LocalHost
    from dnet_tui.actions.networks.native_rules import uses_native
    from dnet_tui.actions.ports.publish import parse_port, publish_plan

    request = parse_port(draft.value("container"), draft.value("port"), localhost=_flag(draft, "localhost"))
    return publish_plan(snapshot, request, native=uses_native(LocalHost()))


def _route(snapshot: Snapshot, draft: Draft) -> Plan:
    from dnet_tui.actions.host_access import LocalHost
    from dnet_tui.actions.networks.native_rules import uses_native
    from dnet_tui.actions.routes.host_route import add_plan, parse_route

    request = parse_route(draft.value("subnet"), ("via", draft.value("gateway")), draft.words("network"))
    return add_plan(snapshot, request, native=uses_native(LocalHost()))


_PLANS: dict[FormKind, Callable[[Snapshot, Draft], Plan]] = {
    "network": _network,
    "connection": _connection,
    "port": _port,
    "route": _route,
}


def _verified(draft: Draft, take: Callable[[], Snapshot]) -> str:
    """What a look at the host says of what came of it; empty where the commands don't look either."""
    if draft.kind == "port":
        from dnet_tui.actions.ports.publish import parse_port
        from dnet_tui.actions.ports.reached import reached

        return reached(take(), parse_port(draft.value("container"), draft.value("port")))
    if draft.kind == "route":
        from dnet_tui.actions.routes.host_route import parse_route
        from dnet_tui.actions.routes.routed import routed

        return routed(take(), parse_route(draft.value("subnet"), ("via", draft.value("gateway"))).subnet)
    return ""
