"""Probes: real packets that confirm or contradict what the model says, as data, and their judgement.  Pure.

A probe is predicted by the packet walk before it is sent.  Afterwards the two
are compared: silence of somebody who may well be silent proves nothing, a
probe that could not be sent proves nothing, everything else agrees or
contradicts.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

Method = Literal["ping", "tcp", "dns"]
"""``ping``: one ICMP echo request.  ``tcp``: one connection, closed at once.  ``dns``: one query over UDP."""

Prediction = Literal["answered", "refused", "blocked", "unknown"]
"""What the walk says: ``blocked`` does not get there or its answer does not get back, whoever says so."""

PREDICTIONS: dict[Prediction, str] = {
    "answered": "an answer",
    "refused": "refused: no process listens there",
    "blocked": "no answer",
    "unknown": "can't be told",
}
"""The predictions in words."""

ProbeAnswer = Literal["answered", "refused", "timeout", "unreachable", "not-sent"]
"""What the packets said."""

Judgement = Literal["agrees", "contradicts", "proves-nothing", "not-sent"]


class ProbeStruct(msgspec.Struct, frozen=True, kw_only=True):
    """Base of what is known of a probe."""


class PlannedProbe(ProbeStruct, frozen=True, kw_only=True):
    """One probe, as it is planned.

    ``kind`` is the flow's, in the words of the findings' symptoms.
    ``namespace`` is where it starts; ``hops`` is how many routers it may pass
    (its TTL is one more).  ``by`` says what decides the prediction, and
    ``confirms`` names the check that says the same, both empty where nothing
    stands in the way.  ``risk`` says why it must not be sent; empty when it may.
    """

    kind: str
    source: str
    target: str
    namespace: str
    method: Method
    address: str
    port: int = 0
    query: str = ""
    hops: int = 1
    prediction: Prediction
    rejected: bool = False
    """For ``blocked``: whether somebody says so, with an ICMP error or a reset."""
    by: str = ""
    confirms: str = ""
    risk: str = ""
    expected: bool = True
    """Whether what it tries ought to pass."""
    receiver: str = ""
    """The namespace in which somebody takes it, by the walk; empty where nobody does."""
    stranger: str = ""
    """Who takes it where that isn't who was meant, and by what it is led there; in words."""

    @property
    def key(self) -> tuple[str, str, str, int]:
        """What makes it the same probe in another plan."""
        return self.namespace, self.method, self.address, self.port

    @property
    def label(self) -> str:
        """The probe in words: ``web → api, tcp 80``."""
        what = f"{self.method} {self.port}" if self.method == "tcp" else self.method
        return f"{self.source} → {self.target}, {what}"


class Sent(ProbeStruct, frozen=True, kw_only=True):
    """What came of a probe; ``seconds`` until it was known, ``note`` says more."""

    answer: ProbeAnswer
    seconds: float = 0.0
    note: str = ""
    by: str = ""
    """The address and port that answered, as the host's connection tracking has it; empty where it doesn't tell."""
    receiver: str = ""
    """The namespace that has that address."""


class Probed(ProbeStruct, frozen=True, kw_only=True):
    """A probe, what came of it, and how that fits the model.  ``reason`` says why it proves nothing."""

    probe: PlannedProbe
    sent: Sent
    judgement: Judgement
    reason: str = ""


def judge(results: Iterable[tuple[PlannedProbe, Sent]], host: str) -> tuple[Probed, ...]:
    """Compare every probe with its prediction.  ``host`` is the host's namespace, whose probes vouch for others."""
    every = tuple(results)
    vouched = {
        (probe.method, probe.address, probe.port)
        for probe, sent in every
        if probe.namespace == host and sent.answer == "answered"
    }
    return tuple(_judged(probe, sent, vouched) for probe, sent in every)


def _judged(probe: PlannedProbe, sent: Sent, vouched: set[tuple[Method, str, int]]) -> Probed:
    judgement, reason = _compare(probe, sent, talks=(probe.method, probe.address, probe.port) in vouched)
    return Probed(probe=probe, sent=sent, judgement=judgement, reason=reason)


def _compare(probe: PlannedProbe, sent: Sent, *, talks: bool) -> tuple[Judgement, str]:
    """The judgement; ``talks``: the host itself got an answer from there, so silence means something."""
    if sent.answer == "not-sent":
        return "not-sent", sent.note
    if probe.prediction == "unknown":
        return "proves-nothing", f"the model can't tell: {probe.by}"
    if sent.answer == "answered" and sent.receiver and probe.receiver and sent.receiver != probe.receiver:
        return "contradicts", f"{sent.by} answered, which the model does not expect"
    if sent.answer == "timeout" and probe.method != "tcp" and not talks:
        return "proves-nothing", f"{probe.target} may ignore it: the host itself has no answer from there"
    return ("agrees" if _fits(probe, sent.answer) else "contradicts"), ""


def _fits(probe: PlannedProbe, answer: ProbeAnswer) -> bool:
    if probe.prediction == "blocked":
        # An error on its way back may be lost in turn, but nobody refuses what is dropped without a word.
        return answer in {"timeout", "unreachable"} or (answer == "refused" and probe.rejected)
    return answer == probe.prediction
