"""Executing typed operations: capture, make, take back.

Three verbs per operation, dispatched here and done beside it:

* ``prepare`` looks, checks that the change still fits, and returns what is
  there; it changes nothing;
* ``perform`` makes the change and returns how it turned out;
* ``revert`` takes it back, whatever part of it was made.
"""

from __future__ import annotations

from typing import Protocol, TypeVar

from dnet_tui.actions.changes import bridges, docker_networks, rules, sysctls, trace_tables
from dnet_tui.actions.host_access import Hand, HostHand
from dnet_tui.actions.journal.captured_state import (
    AnyState,
    BridgeState,
    CommandState,
    DockerNetworkState,
    RuleState,
    SysctlState,
    TraceTableState,
)
from dnet_tui.actions.journal.entries import Change
from dnet_tui.actions.plans.operations import (
    AddTraceTable,
    AnyAction,
    CreateBridge,
    CreateDockerNetwork,
    DeleteBridge,
    RemoveDockerNetwork,
)
from dnet_tui.actions.plans.plan import Step, line
from dnet_tui.diagnostics.operations.remedy import Command, DeleteRule, InsertRule, SetSysctl
from dnet_tui.inspect.errors import ActionFailedError
from dnet_tui.inspect.text.sanitize import clean

COMMAND_LIMIT = 60.0
"""Seconds a remedy's command may take."""


class Executor(Protocol):
    """What :mod:`dnet_tui.actions.execution.apply` and :mod:`dnet_tui.actions.execution.undo` drive."""

    def prepare(self, step: Step) -> AnyState:
        """Capture what is there; change nothing."""

    def perform(self, action: AnyAction, prior: AnyState) -> AnyState:
        """Make the change."""

    def revert(self, change: Change, *, resumed: bool) -> str:
        """Take the change back and say so; ``resumed``: an earlier undo of the entry was cut short."""


class HostExecutor:
    """Executes on the host, in the calling thread's network namespace."""

    def __init__(self, hand: Hand | None = None) -> None:
        self._hand = hand or HostHand()

    def prepare(self, step: Step) -> AnyState:
        """See :class:`Executor`."""
        match step.action:
            case SetSysctl() as action:
                return sysctls.prepare(action, self._hand)
            case InsertRule() | DeleteRule() as action:
                return rules.prepare(action, self._hand)
            case CreateBridge() | DeleteBridge() as action:
                return bridges.prepare(action, self._hand)
            case CreateDockerNetwork() | RemoveDockerNetwork() as action:
                return docker_networks.prepare(action)
            case AddTraceTable() as action:
                return trace_tables.prepare(action, self._hand)
            case Command():
                return CommandState(undo=tuple(item for item in step.undo if isinstance(item, Command)))

    def perform(self, action: AnyAction, prior: AnyState) -> AnyState:
        """See :class:`Executor`."""
        match action:
            case SetSysctl():
                return sysctls.perform(action, _as(prior, SysctlState), self._hand)
            case InsertRule() | DeleteRule():
                return rules.perform(action, _as(prior, RuleState), self._hand)
            case CreateBridge() | DeleteBridge():
                return bridges.perform(action, _as(prior, BridgeState))
            case CreateDockerNetwork() | RemoveDockerNetwork():
                return docker_networks.perform(action)
            case AddTraceTable():
                return trace_tables.perform(action, self._hand)
            case Command():
                self._command(action)
                return prior

    def revert(self, change: Change, *, resumed: bool) -> str:
        """See :class:`Executor`."""
        prior, after = change.prior, change.after
        match change.action:
            case SetSysctl() as action:
                return sysctls.revert(
                    action, _as(prior, SysctlState), _maybe(after, SysctlState), self._hand, resumed=resumed
                )
            case InsertRule() | DeleteRule() as action:
                return rules.revert(action, _as(prior, RuleState), _maybe(after, RuleState), self._hand)
            case CreateBridge() | DeleteBridge() as action:
                return bridges.revert(action, _as(prior, BridgeState), _maybe(after, BridgeState), self._hand)
            case CreateDockerNetwork() | RemoveDockerNetwork() as action:
                return docker_networks.revert(action, _as(prior, DockerNetworkState), _maybe(after, DockerNetworkState))
            case AddTraceTable() as action:
                _as(prior, TraceTableState)
                return trace_tables.revert(action, self._hand)
            case Command() as action:
                state = _as(prior, CommandState)
                return self._take_back(action, state, covered=change.step.covered, resumed=resumed)

    def _command(self, action: Command) -> None:
        ran = self._hand.run(action.argv, limit=COMMAND_LIMIT)
        if ran.code != 0:
            said = clean(" ".join((ran.err or ran.out).split()))
            msg = f"`{line(action.argv)}` failed (exit code {ran.code}): {said}"
            raise ActionFailedError(msg)

    def _take_back(self, action: Command, prior: CommandState, *, covered: bool, resumed: bool) -> str:
        """Run the commands that take one back; after an undo that was cut short, past those that fail by now."""
        if not prior.undo:
            ran = line(action.argv)
            together = f"`{ran}` is taken back together with a command before it"
            return together if covered else f"no undo is known for `{ran}`: look at it by hand"
        notes: list[str] = []
        for number, command in enumerate(prior.undo, start=1):
            try:
                self._command(command)
            except ActionFailedError as error:
                rest = [f"`{line(item.argv)}`" for item in prior.undo[number:]]
                if rest and resumed:  # the first time it may have succeeded
                    notes.append(f"{error.message}; an earlier undo may have run it")
                    continue
                account = f"; done before: {'; '.join(notes)}" if notes else ""
                account += f"; not run after it: {', '.join(rest)}" if rest else ""
                raise ActionFailedError(f"{error.message}{account}", error.hint) from error
            notes.append(line(command.argv))
        return "; ".join(notes)


S = TypeVar("S", bound=AnyState)


def _as(state: AnyState | None, kind: type[S]) -> S:
    if not isinstance(state, kind):
        msg = f"the journal holds {type(state).__name__} where {kind.__name__} belongs"
        raise ActionFailedError(msg, "it was written by another version; undo by hand, see `dnet-tui journal`")
    return state


def _maybe(state: AnyState | None, kind: type[S]) -> S | None:
    return None if state is None else _as(state, kind)
