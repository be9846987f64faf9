"""What is dnet-tui's alone: tables of nftables, files, units.  Dispatched here, done beside it."""

from __future__ import annotations

from pathlib import Path
from typing import assert_never

from dnet_tui.actions.changes import boot_files, nft_tables, trace_tables
from dnet_tui.actions.host_access import HostAccess
from dnet_tui.actions.journal.captured_state import (
    AnyState,
    FileState,
    NftTableState,
    TraceTableState,
    UnitState,
    as_state,
    maybe_state,
)
from dnet_tui.actions.plans.boot_files import EnableUnit, WriteFile
from dnet_tui.actions.plans.nft_table import AddNftTable, DeleteNftTable
from dnet_tui.actions.plans.operations import AddTraceTable

OwnObject = AddTraceTable | AddNftTable | DeleteNftTable | WriteFile | EnableUnit


def prepare(action: OwnObject, host: HostAccess, root: Path) -> AnyState:
    """See :class:`dnet_tui.actions.execution.execute.Executor`."""
    match action:
        case AddTraceTable():
            return trace_tables.prepare(action, host)
        case AddNftTable() | DeleteNftTable():
            return nft_tables.prepare(action, host)
        case WriteFile():
            return boot_files.prepare(action, root)
        case EnableUnit():
            return UnitState()
        case _:
            assert_never(action)


def perform(action: OwnObject, captured: AnyState, host: HostAccess, root: Path) -> AnyState:
    """See :class:`dnet_tui.actions.execution.execute.Executor`."""
    match action:
        case AddTraceTable():
            return trace_tables.perform(action, host)
        case AddNftTable() | DeleteNftTable():
            return nft_tables.perform(action, host)
        case WriteFile():
            return boot_files.perform(action, as_state(captured, FileState), root)
        case EnableUnit():
            return boot_files.enable(action, host)
        case _:
            assert_never(action)


def revert(action: OwnObject, captured: AnyState | None, after: AnyState | None, host: HostAccess, root: Path) -> str:
    """See :class:`dnet_tui.actions.execution.execute.Executor`."""
    match action:
        case AddTraceTable():
            as_state(captured, TraceTableState)
            return trace_tables.revert(action, host)
        case AddNftTable() | DeleteNftTable():
            table = as_state(captured, NftTableState)
            return nft_tables.revert(action, table, maybe_state(after, NftTableState), host)
        case WriteFile():
            return boot_files.revert(action, as_state(captured, FileState), root)
        case EnableUnit():
            return boot_files.disable(action, host)
        case _:
            assert_never(action)
