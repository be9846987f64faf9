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
from typing import Protocol, assert_never

from dnet_tui.actions.changes import (
    bridges,
    docker_networks,
    programs,
    rules,
    sysctls,
    tables_and_files,
)
from dnet_tui.actions.execution.preflight import require_feasible, require_programs
from dnet_tui.actions.host_access import HostAccess, LocalHost
from dnet_tui.actions.journal.captured_state import (
    AnyState,
    BridgeState,
    DockerNetworkState,
    ProgramState,
    RuleState,
    SysctlState,
    as_state,
    maybe_state,
)
from dnet_tui.actions.journal.entries import RecordedChange
from dnet_tui.actions.plans.boot_files import EnableUnit, WriteFile
from dnet_tui.actions.plans.nft_table import AddNftTable, DeleteNftTable
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

    def tidy(self, action: InsertRule, *, whole: bool) -> str:
        """Delete the chain of a rule that was taken out, or its ``whole`` table, if it is empty; says so."""


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
            case AddTraceTable() | AddNftTable() | DeleteNftTable() | WriteFile() | EnableUnit():
                return tables_and_files.prepare(action, self._host, self._root)
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
                return sysctls.perform(action, as_state(captured, SysctlState), self._host)
            case InsertRule() | DeleteRule():
                return rules.perform(action, as_state(captured, RuleState), self._host)
            case CreateBridge() | DeleteBridge():
                return bridges.perform(action, as_state(captured, BridgeState))
            case CreateDockerNetwork() | RemoveDockerNetwork():
                return docker_networks.perform(action)
            case AddTraceTable() | AddNftTable() | DeleteNftTable() | WriteFile() | EnableUnit():
                return tables_and_files.perform(action, captured, self._host, self._root)
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
                state = as_state(captured, SysctlState)
                return sysctls.revert(action, state, maybe_state(after, SysctlState), self._host, resumed=resumed)
            case InsertRule() | DeleteRule():
                return rules.revert(action, as_state(captured, RuleState), maybe_state(after, RuleState), self._host)
            case CreateBridge() | DeleteBridge():
                return bridges.revert(
                    action, as_state(captured, BridgeState), maybe_state(after, BridgeState), self._host
                )
            case CreateDockerNetwork() | RemoveDockerNetwork():
                network = as_state(captured, DockerNetworkState)
                return docker_networks.revert(action, network, maybe_state(after, DockerNetworkState))
            case AddTraceTable() | AddNftTable() | DeleteNftTable() | WriteFile() | EnableUnit():
                return tables_and_files.revert(action, captured, after, self._host, self._root)
            case ByHand():
                raise _not_ours(action)
            case ProgramOperation():
                stated = as_state(captured, ProgramState)
                return programs.revert(
                    action, stated, self._host, covered=change.step.covered, resumed=resumed, unsure=after is None
                )
            case _:
                assert_never(action)

    def tidy(self, action: InsertRule, *, whole: bool) -> str:
        """See :class:`Executor`."""
        return rules.tidy(action, self._host, whole=whole)


def _not_ours(action: ByHand) -> ActionFailedError:
    return ActionFailedError(f"this is for a person to do: {action.text}")
