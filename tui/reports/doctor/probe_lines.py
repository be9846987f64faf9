"""What real packets said, in words for the text and the Markdown report.  Pure."""

from __future__ import annotations

from collections.abc import Iterable

from dnet_tui.diagnostics.flows.probes import PREDICTIONS, Probed
from dnet_tui.inspect.text.sanitize import clean

_LIMIT = 1024


def probes_line(probes: Iterable[Probed]) -> str:
    """How the probes ended, in one sentence."""
    every = [item.judgement for item in probes]
    sent = len(every) - every.count("not-sent")
    parts = [f"{every.count('agrees')} as the model says"]
    if wrong := every.count("contradicts"):
        parts.append(f"{wrong} CONTRADICTING THE MODEL")
    if open_ := every.count("proves-nothing"):
        parts.append(f"{open_} proving nothing")
    unsent = f"; {every.count('not-sent')} not sent" if "not-sent" in every else ""
    return f"{sent} sent: {', '.join(parts)}{unsent}."


def probe_line(item: Probed) -> str:
    """``web → api, tcp 80: answered in 0.4 ms``, and what that confirms, contradicts or leaves open."""
    probe, sent = item.probe, item.sent
    if item.judgement == "not-sent":
        return clean(f"{probe.label}: not sent: {item.reason}", _LIMIT)
    what = f"answered in {sent.seconds * 1000:.1f} ms" if sent.answer == "answered" else sent.answer
    if sent.note:
        what += f" ({sent.note})"
    if sent.answer == "answered" and probe.stranger:
        what += f", but by {probe.stranger}, not by {probe.target}"
    if item.judgement == "contradicts" and item.reason:
        return clean(f"{probe.label}: {what}; CONTRADICTING THE MODEL: {item.reason}", _LIMIT)
    if item.judgement == "contradicts":
        by = f" ({probe.by})" if probe.by else ""
        return clean(f"{probe.label}: {what}; THE MODEL EXPECTS {PREDICTIONS[probe.prediction]}{by}", _LIMIT)
    if item.judgement == "proves-nothing":
        return clean(f"{probe.label}: {what}; proves nothing: {item.reason}", _LIMIT)
    if probe.confirms:
        return clean(f"{probe.label}: {what}, which confirms {probe.confirms}", _LIMIT)
    return clean(f"{probe.label}: {what}" + (", as it should" if probe.prediction == "blocked" else ""), _LIMIT)
