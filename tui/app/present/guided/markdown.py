"""A guided check as Markdown, to paste into a ticket.  Pure."""

from __future__ import annotations

import re
import shlex

from dnet_tui.diagnostics.operations.remedy import commands
from dnet_tui.tui.app.model.guided import GuidedView, Proof
from dnet_tui.tui.app.present.guided import proof as proofs
from dnet_tui.tui.app.present.guided import result
from dnet_tui.tui.app.present.styled_text import plain
from dnet_tui.tui.reports.doctor.report_markdown import code
from dnet_tui.tui.reports.doctor.report_markdown import plain as escaped
from dnet_tui.tui.reports.remedy_terms import terms

_UNNAMED = re.compile(r"[^A-Za-z0-9.]+")
_MARKS = {"ok": "ok", "stop": "**stops here**", "unknown": "can't be told"}


def file_name(guided: GuidedView) -> str:
    """Return a name for the file: of plain letters, whatever the places are called."""
    taken = guided.answered.snapshot.taken_at if guided.answered is not None else ""
    ends = "-".join(_UNNAMED.sub("-", part).strip("-.")[:40] for part in (guided.wish.source, guided.wish.target))
    return f"dnet-tui-{ends.strip('-') or 'flow'}-{_UNNAMED.sub('', taken)[:15]}.md"


def text(guided: GuidedView) -> str:
    """Return the check with a final line break; what comes from the host is escaped or in code spans."""
    answered = guided.answered
    if answered is None:
        return ""
    first = guided.was or answered
    answer = first.why
    lines = [f"# {escaped(result.title(answered))}", "", code(answer.trace.forward.start.tuple_text()), ""]
    lines += [f"On {escaped(answered.snapshot.host.hostname)}, {escaped(answered.snapshot.taken_at)}.", ""]
    lines += [f"**{escaped(result.verdict(answer)[0])}**", ""]
    if answer.cause:
        lines += [f"- Cause: {escaped(answer.cause)}"]
    if answer.owner:
        lines += [f"- Decided by: {escaped(answer.owner)}"]
    lines += ["", "## Steps", ""]
    for step in answer.steps:
        lines.append(f"1. {escaped(step.place)}: {escaped(step.title)}: {_MARKS[step.outcome]}")
        lines += [f"   - {code(found)}" for found in step.found]
    lines += _seen("Seen", guided.before or guided.proof)
    if answer.remedy is not None and answer.passes is not True:
        lines += ["", "## Fix", "", f"{escaped(answer.remedy.summary)} ({escaped(terms(answer.remedy))})", ""]
        lines += [f"- {code(shlex.join(words))}" for words in commands(answer.remedy.steps)]
        lines += [f"- undo: {code(shlex.join(words))}" for words in commands(answer.remedy.undo)]
        lines += [f"- {escaped(answer.remedy.note)}"] if answer.remedy.note else []
    if guided.was is not None:
        lines += _seen("After the fix", guided.proof)
        lines += ["", f"**{escaped(result.verdict(answered.why)[0])}**"]
        again = result.stops_again(guided)
        lines += ["", escaped(again)] if again else []
    return "\n".join(lines).rstrip() + "\n"


def _seen(heading: str, proof: Proof) -> list[str]:
    counted = [f"- {escaped(plain(para.line))}" for para in proofs.counted(proof)]
    probes = [f"- {escaped(item.text)}" for item in proof.probes]
    return ["", f"## {heading}", "", *(counted + probes or ["No packet was seen."])]
