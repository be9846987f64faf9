"""What a check says: findings, evidence and outcomes.  Pure data.

The shapes follow the published ``doctor --format json`` contract.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.inspect.model.rule_writers.owner import DecisionOwner

Severity = Literal["error", "warning", "info"]
"""``error``: traffic is broken; ``warning``: will break, or is exposed; ``info``: worth knowing."""

Outcome = Literal["ok", "found", "unknown", "not-applicable", "crashed"]

SYMPTOMS: dict[str, str] = {
    "egress": "container → internet",
    "same-network": "container ↔ container, same network",
    "cross-network": "container ↔ container, other network",
    "host-to-container": "host → container",
    "container-to-host": "container → host",
    "published": "outside → published port",
    "host-to-published": "host → published port",
    "container-to-published": "container → published port of this host",
    "guests": "guest ↔ guest on a bridge of the host",
    "names": "names don't resolve",
    "ipv6": "IPv6 only",
    "start-up": "a container, a network or the engine does not start",
    "exposure": "reachable where it should not be",
}
"""The symptoms a finding can name, with the words a person uses for them."""


class ReportStruct(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of the values in a report."""


class Subject(ReportStruct, frozen=True, kw_only=True):
    """What a finding is about: ``kind`` is host, network, bridge, container, port, rule, sysctl or link."""

    kind: str
    name: str


class FlowName(ReportStruct, frozen=True, kw_only=True):
    """A flow as a finding names it.  ``wanted_by`` is who says that it ought to pass."""

    label: str
    source: str
    target: str
    proto: str
    port: int | None
    wanted_by: DecisionOwner | None = None


class Evidence(ReportStruct, frozen=True, kw_only=True):
    """One observation: where it was read, what it is, its value and what was expected.

    ``owner`` is whose rule it is, where it is one; ``flows`` are those that it
    speaks of.
    """

    source: str
    what: str
    value: str
    expected: str = ""
    owner: DecisionOwner | None = None
    flows: tuple[FlowName, ...] = ()


class Affected(ReportStruct, frozen=True, kw_only=True):
    """Whom a finding hits: a container or network by its name, or a published port as ``8080/tcp``."""

    kind: Literal["container", "network", "port"]
    name: str


class Finding(ReportStruct, frozen=True, kw_only=True):
    """A fault, with its proof and its remedy.  ``caused_by`` is the check whose fault brought this one about.

    ``owner`` is who made the rule that decides, where a rule does; ``flows``
    are all those that it concerns, as far as they were walked.
    """

    check: str
    severity: Severity
    subject: Subject
    summary: str
    symptoms: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    remedy: Remedy | None = None
    caused_by: str | None = None
    affects: tuple[Affected, ...] = ()
    owner: DecisionOwner | None = None
    flows: tuple[FlowName, ...] = ()


class CheckResult(ReportStruct, frozen=True, kw_only=True):
    """How one check ended; ``reason`` says why for every outcome but ``ok`` and ``found``."""

    id: str
    outcome: Outcome
    reason: str = ""
