"""A guided check as data: the published contract of ``why --format json``.  Pure.

The contract is these types; ``docs/why.schema.json`` is generated from them.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from dnet_tui.diagnostics.guided.why import Why
from dnet_tui.diagnostics.operations.remedy import Remedy, commands

FORMAT = 1
"""Version of ``why --format json``."""


class StepData(msgspec.Struct, frozen=True, kw_only=True):
    """One step, in the packet's order; ``looked_at`` is the command that shows the same to a person."""

    title: str
    outcome: Literal["ok", "stop", "unknown"]
    place: str
    section: str
    looked_at: str
    found: list[str]


class FixData(msgspec.Struct, frozen=True, kw_only=True):
    """What to do: argument vectors, and those that take them back.  ``manual`` is for a person to decide."""

    summary: str
    risk: Literal["safe", "ask", "manual"]
    steps: list[list[str]]
    undo: list[list[str]]
    note: str


class WhyData(msgspec.Struct, frozen=True, kw_only=True):
    """The guided check of one flow, format 1.  ``passes`` is null where it can't be told."""

    format: int
    source: str = msgspec.field(name="from")
    target: str = msgspec.field(name="to")
    flow: str
    passes: bool | None
    end: str
    received_by: str
    steps: list[StepData]
    cause: str
    owner: str
    fix: FixData | None
    findings: list[str]


def why_data(answer: Why) -> Any:
    """The answer as JSON-ready data."""
    trace = answer.trace
    return msgspec.to_builtins(
        WhyData(
            format=FORMAT,
            source=trace.source.label,
            target=trace.target.label,
            flow=trace.forward.start.tuple_text(),
            passes=answer.passes,
            end=trace.verdict,
            received_by=trace.received_by,
            steps=[
                StepData(
                    title=step.title,
                    outcome=step.outcome,
                    place=step.place,
                    section=step.section,
                    looked_at=step.looked_at,
                    found=list(step.found),
                )
                for step in answer.steps
            ],
            cause=answer.cause,
            owner=answer.owner,
            fix=_fix(answer.remedy) if answer.remedy is not None else None,
            findings=[item.check for item in answer.findings],
        )
    )


def _fix(remedy: Remedy) -> FixData:
    return FixData(
        summary=remedy.summary,
        risk=remedy.risk,
        steps=[list(words) for words in commands(remedy.steps)],
        undo=[list(words) for words in commands(remedy.undo)],
        note=remedy.note,
    )
