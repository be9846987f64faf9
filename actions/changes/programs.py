"""Operations that are made by running their own commands: links, addresses, routes, an engine's own client.

How each is taken back is stated beside it in the plan, made exact by a look
at the host just before, and kept in the journal.
"""

from __future__ import annotations

from collections.abc import Sequence

from dnet_tui.actions.changes.already_there import require_new
from dnet_tui.actions.changes.links.link_identity import exact_undo, gone_with_its_link, indexes, under_todays_names
from dnet_tui.actions.changes.links.veth_extras import exact_pair
from dnet_tui.actions.host_access import HostAccess
from dnet_tui.actions.journal.captured_state import ProgramState
from dnet_tui.actions.plans.plan import PlanStep, line
from dnet_tui.diagnostics.operations.base import ProgramOperation
from dnet_tui.diagnostics.operations.by_hand import Command
from dnet_tui.diagnostics.operations.engine import ReloadEngineRules, RestartContainers
from dnet_tui.diagnostics.operations.link import DeleteVeth
from dnet_tui.diagnostics.operations.remedy import ByProgram
from dnet_tui.inspect.errors import ActionFailedError
from dnet_tui.inspect.text.sanitize import clean

TIME_LIMIT = 60.0
"""Seconds a command may take."""


class CommandRefusedError(ActionFailedError):
    """An operation's only command ended by itself and failed: it was not made, not even in part."""


_IN_PARTS = (Command, RestartContainers, ReloadEngineRules)
"""What may have been made in part although its command failed."""


def prepare(step: PlanStep, host: HostAccess) -> ProgramState:
    """Keep what takes the operation back, as exactly as the host knows it, and which links it speaks of."""
    undo = tuple(item for item in step.undo if isinstance(item, ProgramOperation))
    action = step.action
    if not isinstance(action, ProgramOperation):
        return ProgramState(undo=undo)
    require_new(action, host)
    if len(undo) < 2 and not step.covered:
        exact = exact_undo(action, undo[0] if undo else None, host)
        undo = (exact,) if isinstance(exact, ByProgram) else ()
    if isinstance(action, DeleteVeth):
        undo = exact_pair(undo, host)
    links = indexes(action, host)
    return ProgramState(undo=undo, links=links)


def perform(action: ProgramOperation, host: HostAccess) -> None:
    """Run the operation's commands.

    Raises:
        CommandRefusedError: Its only command failed, which then did nothing.
        ActionFailedError: One isn't there, took too long or failed; those after it were not run.
    """
    commands = action.commands()
    whole = len(commands) == 1 and not isinstance(action, _IN_PARTS)
    for words in commands:
        ran = host.run(words, limit=TIME_LIMIT)
        if ran.code != 0:
            said = clean(" ".join((ran.err or ran.out).split()))
            msg = f"`{line(words)}` failed (exit code {ran.code}): {said}"
            raise CommandRefusedError(msg) if whole else ActionFailedError(msg)


def revert(
    action: ProgramOperation,
    captured: ProgramState,
    host: HostAccess,
    *,
    covered: bool,
    resumed: bool,
    unsure: bool = False,
) -> str:
    """Run what takes the operation back; after an undo that was cut short, past what fails by now.

    Args:
        action: what was done.
        captured: what takes it back.
        host: to run it with.
        covered: it is taken back together with an operation before it.
        resumed: an earlier undo was cut short.
        unsure: nobody lived to say whether it was made: what isn't there then needn't be taken back.

    Returns:
        What was done, in a few words.

    Raises:
        ActionFailedError: No undo is known, or a command failed; the message says which were run and which not.
    """
    if not captured.undo:
        made = "; ".join(line(words) for words in action.commands())
        together = f"`{made}` is taken back together with a command before it"
        return together if covered else f"no undo is known for `{made}`: look at it by hand"
    if gone := gone_with_its_link(action, captured.links, host):
        return f"{clean(gone)} is gone, and with it what was changed: `{_shown(captured.undo[0])}` is not needed"
    notes: list[str] = []
    for number, stated in enumerate(captured.undo, start=1):
        back = under_todays_names(stated, captured.links, host)
        try:
            perform(back, host)
        except ActionFailedError as error:
            if (unsure or resumed) and _is_absent(error):
                notes.append(f"`{_shown(back)}`: it isn't there")
                continue
            rest = [f"`{_shown(item)}`" for item in captured.undo[number:]]
            if rest and resumed:  # the first time it may have succeeded
                notes.append(f"{error.message}; an earlier undo may have run it")
                continue
            raise _cut_short(error, notes, rest) from error
        notes.append(_shown(back))
    return "; ".join(notes)


_ABSENT = (
    "Cannot find device",
    "No such device",
    "No such process",
    "No such file or directory",
    "Cannot assign requested address",
    "does not exist",
    "is not connected to",
)
"""How ip(8), bridge(8), nft(8) and engines say that what should be taken away isn't there."""


def _is_absent(error: ActionFailedError) -> bool:
    return isinstance(error, CommandRefusedError) and any(words in error.message for words in _ABSENT)


def _cut_short(error: ActionFailedError, done: Sequence[str], rest: Sequence[str]) -> ActionFailedError:
    account = f"; done before: {'; '.join(done)}" if done else ""
    account += f"; not run after it: {', '.join(rest)}" if rest else ""
    return ActionFailedError(f"{error.message}{account}", error.hint)


def _shown(action: ProgramOperation) -> str:
    return "; ".join(line(words) for words in action.commands())
