"""Before the first change of a plan: whether all that its steps need is there.  Pure but for the look."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from dnet_tui.actions.host_access import HostAccess
from dnet_tui.actions.plans.operations import AddTraceTable, AnyAction
from dnet_tui.actions.plans.plan import PlanStep
from dnet_tui.diagnostics.operations.base import ProgramOperation
from dnet_tui.diagnostics.operations.bridge import CreateBridge, DeleteBridge
from dnet_tui.diagnostics.operations.by_hand import ByHand
from dnet_tui.diagnostics.operations.engine_network import CreateDockerNetwork, RemoveDockerNetwork
from dnet_tui.diagnostics.operations.kernel import SetSysctl
from dnet_tui.diagnostics.operations.rule import PROGRAMS, DeleteRule, InsertRule
from dnet_tui.inspect.errors import ActionFailedError


def required_programs(action: AnyAction) -> tuple[str, ...]:
    """The programs without which an operation can't be made.

    Kernel parameters are written by their files, bridges over netlink, and
    Docker's networks through its API: those need none.
    """
    match action:
        case InsertRule() | DeleteRule():
            program = PROGRAMS.get((action.backend, action.family))
            return (program, f"{program}-save") if program is not None else ()
        case AddTraceTable():
            return ("nft",)
        case ProgramOperation():
            return action.programs()
        case SetSysctl() | CreateBridge() | DeleteBridge() | CreateDockerNetwork() | RemoveDockerNetwork() | ByHand():
            return ()
        case _:
            assert_never(action)


def require_programs(steps: Iterable[PlanStep], host: HostAccess) -> None:
    """Refuse a plan that would stop half-way for want of a program, the one that takes a step back included.

    Raises:
        ActionFailedError: Programs are missing; the message names them and the step that needs the first.
    """
    missing: dict[str, str] = {}
    for step in steps:
        for action in (step.action, *step.undo):
            for program in required_programs(action):
                if not host.has(program):
                    missing.setdefault(program, action.text)
    if missing:
        names, first = ", ".join(missing), next(iter(missing.values()))
        verb = "is" if len(missing) == 1 else "are"
        msg = f"{names} {verb} not installed, which the plan needs to {first}"
        raise ActionFailedError(msg, f"install what brings {names}, then try again: nothing was changed")
