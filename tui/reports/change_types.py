"""The types of what changes, ``journal``, ``checks`` and ``capture --drops`` print as JSON.  They only grow."""

from __future__ import annotations

from typing import TypedDict

from dnet_tui.actions.journal.captured_state import AnyState
from dnet_tui.actions.plans.operations import AnyAction


class WrittenFileData(TypedDict):
    """A file that a change writes, with all that stands in it."""

    path: str
    content: str


class ChangeData(TypedDict):
    """A change that was made, or with ``--dry-run`` would be, format 1.

    ``commands`` and ``undo`` are lines as a shell would want them typed.
    ``files`` are what it writes to keep a change over a reboot.
    ``entry`` is the journal's, null where nothing was done.
    """

    format: int
    title: str
    commands: list[str]
    undo: list[str]
    files: list[WrittenFileData]
    notes: list[str]
    persists: bool
    entry: str | None
    verified: str


class JournalChangeData(TypedDict):
    """One step of an entry: what was captured before it, how it turned out, and the commands that take it back."""

    operation: AnyAction
    text: str
    commands: list[list[str]]
    before: AnyState | None
    after: AnyState | None
    undo: list[list[str]]
    taken_back: bool


class JournalData(TypedDict):
    """One entry of the journal; ``elsewhere`` says why it isn't of this host as it is now, empty where it is.

    ``lost_at_reboot`` is true where it is in force and nothing keeps it over a reboot.
    """

    id: str
    time: str
    title: str
    status: str
    reason: str
    unreadable: str
    netns: int
    elsewhere: str
    lost_at_reboot: bool
    changes: list[JournalChangeData]


class ListedCheckData(TypedDict):
    """One check that doctor runs; ``title`` says what is right when it finds nothing."""

    id: str
    severity: str
    title: str


class DropData(TypedDict):
    """A packet that a rule dropped; ``number`` is 0 for a chain's policy, null for a rule that wasn't read."""

    time: str
    src: str
    src_name: str | None
    dst: str
    dst_name: str | None
    proto: str
    sport: int | None
    dport: int | None
    dropped_in: str
    table: str
    chain: str
    number: int | None
    rule: str | None
    owner: str | None
