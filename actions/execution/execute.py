"""Executing typed operations: capture, make, take back.

Three verbs per operation, dispatched here and done beside it:

* ``prepare`` looks, checks that the change still fits, and returns what is
  there; it changes nothing;
* ``perform`` makes the change and returns how it turned out;
* ``revert`` takes it back, whatever part of it was made.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, TypeVar, assert_never

from dnet_tui.actions.changes import boot_files, bridges, docker_networks, programs, rules, sysctls, trace_tables
from dnet_tui.actions.execution.preflight import require_feasible, require_programs
from dnet_tui.actions.host_access import HostAccess, LocalHost
from dnet_tui.actions.journal.captured_state import (
    AnyState,
    BridgeState,
    DockerNetworkState,
    FileState,
    ProgramState,
    RuleState,
    SysctlState,
    TraceTableState,
    UnitState,
)
from dnet_tui.actions.journal.entries import RecordedChange
from dnet_tui.actions.plans.boot_files import EnableUnit, WriteFile
from dnet_tui.actions.plans.operations import AddTraceTable, AnyAction
from dnet_tui.actions.plans.plan import PlanStep
from dnet_tui.diagnostics.operations.base import ProgramOperation
from dnet_tui.diagnostics.operations.bridge import CreateBridge, DeleteBridge
from dnet_tui.diagnostics.operations.by_hand import ByHand
from dnet_tui.diagnostics.operations.engine_network import CreateDockerNetwork, RemoveDockerNetwork
from dnet_tui.diagnostics.operations.kernel import SetSysctl
from dnet_tui.diagnostics.operations.rule import DeleteRule, InsertRule
from dnet_tui.inspect.errors import ActionFailedError


class Executor(Protocol):
    """What :mod:`dnet_tui.actions.execution.apply` and :mod:`dnet_tui.actions.execution.undo` drive."""

    def preflight(self, steps: Sequence[PlanStep]) -> None:
        """See that every step could be made, before the first is."""

    def prepare(self, step: PlanStep) -> AnyState:
        """Capture what is there; change nothing."""

    def perform(self, action: AnyAction, captured: AnyState) -> AnyState:
        """Make the change."""

    def revert(self, change: RecordedChange, *, resumed: bool) -> str:
        """Take the change back and say so; ``resumed``: an earlier undo of the entry was cut short."""


class HostExecutor:
    """Executes on the host, in the calling thread's network namespace."""

    def __init__(self, host: HostAccess | None = None, root: Path = Path("/")) -> None:
        self._host = host or LocalHost()
        self._root = root

    def preflight(self, steps: Sequence[PlanStep]) -> None:
        """See :class:`Executor`."""
        require_programs(steps, self._host)
        require_feasible(steps, self._host, self._root)

    def prepare(self, step: PlanStep) -> AnyState:
        """See :class:`Executor`."""
        action = step.action
        match action:
            case SetSysctl():
                return sysctls.prepare(action, self._host)
            case InsertRule() | DeleteRule():
                return rules.prepare(action, self._host)
            case CreateBridge() | DeleteBridge():
                return bridges.prepare(action, self._host)
            case CreateDockerNetwork() | RemoveDockerNetwork():
                return docker_networks.prepare(action)
            case AddTraceTable():
                return trace_tables.prepare(action, self._host)
            case WriteFile():
                return boot_files.prepare(action, self._root)
            case EnableUnit():
                return UnitState()
            case ByHand():
                raise _not_ours(action)
            case ProgramOperation():
                return programs.prepare(step, self._host)
            case _:
                assert_never(action)

    def perform(self, action: AnyAction, captured: AnyState) -> AnyState:
        """See :class:`Executor`."""
        match action:
            case SetSysctl():
                return sysctls.perform(action, _as(captured, SysctlState), self._host)
            case InsertRule() | DeleteRule():
                return rules.perform(action, _as(captured, RuleState), self._host)
            case CreateBridge() | DeleteBridge():
                return bridges.perform(action, _as(captured, BridgeState))
            case CreateDockerNetwork() | RemoveDockerNetwork():
                return docker_networks.perform(action)
            case AddTraceTable():
                return trace_tables.perform(action, self._host)
            case WriteFile():
                return boot_files.perform(action, _as(captured, FileState), self._root)
            case EnableUnit():
                return boot_files.enable(action, self._host)
            case ByHand():
                raise _not_ours(action)
            case ProgramOperation():
                programs.perform(action, self._host)
                return captured
            case _:
                assert_never(action)

    def revert(self, change: RecordedChange, *, resumed: bool) -> str:
        """See :class:`Executor`."""
        action, captured, after = change.action, change.captured, change.after
        match action:
            case SetSysctl():
                state = _as(captured, SysctlState)
                return sysctls.revert(action, state, _maybe(after, SysctlState), self._host, resumed=resumed)
            case InsertRule() | DeleteRule():
                return rules.revert(action, _as(captured, RuleState), _maybe(after, RuleState), self._host)
            case CreateBridge() | DeleteBridge():
                return bridges.revert(action, _as(captured, BridgeState), _maybe(after, BridgeState), self._host)
            case CreateDockerNetwork() | RemoveDockerNetwork():
                network = _as(captured, DockerNetworkState)
                return docker_networks.revert(action, network, _maybe(after, DockerNetworkState))
            case AddTraceTable():
                _as(captured, TraceTableState)
                return trace_tables.revert(action, self._host)
            case WriteFile():
                return boot_files.revert(action, _as(captured, FileState), self._root)
            case EnableUnit():
                return boot_files.disable(action, self._host)
            case ByHand():
                raise _not_ours(action)
            case ProgramOperation():
                stated = _as(captured, ProgramState)
                return programs.revert(
                    action, stated, self._host, covered=change.step.covered, resumed=resumed, unsure=after is None
                )
            case _:
                assert_never(action)


def _not_ours(action: ByHand) -> ActionFailedError:
    return ActionFailedError(f"this is for a person to do: {action.text}")


S = TypeVar("S", bound=AnyState)


def _as(state: AnyState | None, kind: type[S]) -> S:
    if not isinstance(state, kind):
        msg = f"the journal holds {type(state).__name__} where {kind.__name__} belongs"
        raise ActionFailedError(msg, "it was written by another version; undo by@host, see `dnet-tui journal`")
    return state


def _maybe(state: AnyState | None, kind: type[S]) -> S | None:
    return None if state is None else _as(state, kind)
