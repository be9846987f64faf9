"""The JSON Schemas of everything that is printed as JSON, from the types that make it.  Pure.

``script/docs`` writes them to ``docs/``.  A schema's ``$id`` ends in the version of the format, the number in its
``format`` where it is an object that has one.
"""

from __future__ import annotations

from inspect import cleandoc
from typing import NamedTuple, TypedDict

import msgspec

from dnet_tui.diagnostics.difference.snapshots import DIFFERENCE_FORMAT, Difference
from dnet_tui.diagnostics.report.report import REPORT_FORMAT
from dnet_tui.diagnostics.trace.matrix import MATRIX_FORMAT, Matrix
from dnet_tui.tui.reports.capture.packet_json import PacketData, PointPacketData
from dnet_tui.tui.reports.change_types import ChangeData, DropData, JournalData, ListedCheckData
from dnet_tui.tui.reports.doctor.report_json import DoctorData
from dnet_tui.tui.reports.lists.rows.bridges import BridgeRow, NetworkRow
from dnet_tui.tui.reports.lists.rows.containers import ContainerRow, VethRow
from dnet_tui.tui.reports.lists.rows.ports import PublishedRow
from dnet_tui.tui.reports.rules.rules_types import RulesData
from dnet_tui.tui.reports.trace.trace_json import FORMAT as TRACE_FORMAT
from dnet_tui.tui.reports.trace.trace_types import PrintedTraceData
from dnet_tui.tui.reports.trace.why_json import FORMAT as WHY_FORMAT
from dnet_tui.tui.reports.trace.why_json import WhyData


class ListsData(TypedDict):
    """What ``ls --format json`` prints without saying what to list: one list per kind."""

    bridges: list[BridgeRow]
    networks: list[NetworkRow]
    containers: list[ContainerRow]
    veths: list[VethRow]
    ports: list[PublishedRow]


class Published(NamedTuple):
    """One format: the commands that print it, what it is, its version, and what it is made of (any of these)."""

    command: str
    about: str
    version: int
    kinds: tuple[object, ...]


_CHANGES = "net create, net rm, net connect, net disconnect, port publish, port unpublish, route add, route rm"
PUBLISHED: dict[str, Published] = {
    "doctor": Published("doctor", "the report", REPORT_FORMAT, (DoctorData,)),
    "why": Published("why", "the guided check of one flow", WHY_FORMAT, (WhyData,)),
    "ls": Published(
        "ls",
        "all lists, or the one that was asked for",
        1,
        (
            ListsData,
            list[BridgeRow],
            list[NetworkRow],
            list[ContainerRow],
            list[VethRow],
            list[PublishedRow],
        ),
    ),
    "rules": Published("rules", "tables, chains and rules with their sentences", 1, (RulesData,)),
    "trace": Published("trace FROM TO", "a packet and its answer", TRACE_FORMAT, (PrintedTraceData,)),
    "trace-matrix": Published("trace --matrix", "who reaches whom, every pair", MATRIX_FORMAT, (Matrix,)),
    "capture": Published(
        "capture", "each line: a packet at several points, or at one", 1, (PacketData, PointPacketData)
    ),
    "capture-drops": Published("capture --drops", "each line: a packet that was dropped", 1, (DropData,)),
    "snapshot-diff": Published("snapshot diff", "what changed", DIFFERENCE_FORMAT, (Difference,)),
    "change": Published(_CHANGES, "what was done, or would be", 1, (ChangeData,)),
    "journal": Published("journal", "the changes that dnet-tui made", 1, (list[JournalData],)),
    "checks": Published("checks", "the list of checks", 1, (list[ListedCheckData],)),
}


def schema(name: str) -> str:
    """One JSON Schema: the same text whatever Python writes it."""
    made = PUBLISHED[name]
    (parts, components) = msgspec.json.schema_components(made.kinds, ref_template="#/$defs/{name}")
    body = parts[0] if len(parts) == 1 else {"anyOf": list(parts)}
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:dnet-tui:schema:{name}:{made.version}",
        **body,
        "$defs": components,
    }
    return msgspec.json.format(msgspec.json.encode(_described(whole)), indent=2).decode() + "\n"


def _described(part: object) -> object:
    """Docstrings in a schema without their indentation, which Python 3.13 and later take away and earlier ones keep."""
    if isinstance(part, dict):
        return {
            key: cleandoc(value) if key == "description" and isinstance(value, str) else _described(value)
            for key, value in part.items()
        }
    if isinstance(part, list):
        return [_described(item) for item in part]
    return part
