"""What to do where the networks' own options keep two places apart.  Pure."""

from __future__ import annotations

from dnet_tui.diagnostics.context.host_context import INFERRED, HostContext
from dnet_tui.diagnostics.operations.by_hand import ByHand
from dnet_tui.diagnostics.operations.engine import ConnectContainer
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.trace.endpoints import TraceEndpoint
from dnet_tui.diagnostics.trace.trace import Trace
from dnet_tui.inspect.model import Container, Network
from dnet_tui.inspect.model.engine_kinds.others import NETNS
from dnet_tui.inspect.model.engine_kinds.registry import traits_of

_BY_DESIGN = "by design"
_PLAIN = NETNS.kind
"""What a named namespace that no engine made has for its engine: `net connect` plugs it in itself."""


def is_by_design(trace: Trace) -> bool:
    """Whether a trace ends where the networks' options have it end."""
    return trace.why.startswith(_BY_DESIGN)


def whose_design(case: HostContext, trace: Trace) -> str:
    """Whose networks they are, in words; empty where none is known."""
    here = next(iter((*networks_of(case, trace.source), *networks_of(case, trace.target))), None)
    if here is None:
        return ""
    if not _command(here):
        return "the administrator of this host, by the options of its networks"
    return f"{here.engine}, by the options of its networks"


def networks_of(case: HostContext, place: TraceEndpoint) -> list[Network]:
    """The networks that a place is on."""
    return [net for net in case.networks if any(item.namespace == place.namespace for item in case.everyone(net))]


def by_networks(case: HostContext, trace: Trace) -> Remedy | None:
    """What to ask an engine for, or to decide where there is none; None where the networks don't keep the two apart."""
    source, target = trace.source.container, trace.target.container
    here, there = networks_of(case, trace.source), networks_of(case, trace.target)
    if source is None or not is_by_design(trace) or not here:
        return None
    if target is None:
        return _a_way_out(source, here[0])
    if there and not {net.id for net in here} & {net.id for net in there}:
        return _connected(source, target, here[0], there[0])
    note = f"Recreate network {here[0].name} with icc on, or put the two on a network of their own"
    return Remedy(summary=f"Let containers of {here[0].name} talk to each other", risk="manual", note=note)


def _connected(source: Container, target: Container, here: Network, there: Network) -> Remedy:
    if target.engine == _PLAIN and not _command(here) and not _command(there):
        return Remedy(
            summary=f"Connect {target.name} to {here.name}, the network of {source.name}, if the two are meant to meet",
            steps=(ByHand(argv=("dnet-tui", "net", "connect", here.name, target.name)),),
            risk="manual",
            note=f"{here.name} and {there.name} are kept apart by design; it shows what it would do, and asks",
        )
    if not _command(here) or target.engine != here.engine:
        return Remedy(
            summary=f"Let {source.name} and {target.name} meet, if they are meant to",
            risk="manual",
            note=f"{here.name} and {there.name} are kept apart by design, and no engine can be asked to connect the "
            "two: give one of them a second interface on the other's bridge, or accept this flow by a rule of your own",
        )
    step = ConnectContainer(engine=here.engine, network=here.name, container=target.name)
    return Remedy(
        summary=f"Connect {target.name} to {here.name}, the network of {source.name}",
        steps=(step,),
        undo=(step.inverse(),),
        risk="ask",
        persists=True,
        note=f"Then ask for it by its name, or by its address on {here.name}; its other addresses stay apart",
    )


def _a_way_out(source: Container, here: Network) -> Remedy:
    command = _command(here)
    internal = f"Network {here.name} is internal by choice"
    summary = f"Connect {source.name} to a network that leads out"
    if not command:
        note = f"{internal}; no engine can be asked: give {source.name} a second interface, on a bridge that leads out"
        return Remedy(summary=summary, risk="manual", note=note)
    first = next(iter(traits_of(here.engine).default_networks), "")
    steps = (ByHand(argv=(command, "network", "connect", first, source.name)),) if first else ()
    return Remedy(summary=summary, steps=steps, risk="manual", persists=True, note=internal)


def _command(network: Network) -> str:
    """The command line of a network's engine; empty for a network that no engine has told of."""
    return "" if network.engine == INFERRED else traits_of(network.engine).command
