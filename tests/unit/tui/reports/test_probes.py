"""What real packets said, in the text, the Markdown and the JSON report."""

from __future__ import annotations

import json

import msgspec
import pytest

from dnet_tui.diagnostics.flows.probes import PlannedProbe, Probed, Sent
from dnet_tui.diagnostics.report.report import Report
from dnet_tui.tui.reports.doctor.report_json import DoctorData, doctor_data
from dnet_tui.tui.reports.doctor.report_markdown import doctor_markdown
from dnet_tui.tui.reports.doctor.report_text import doctor_text
from dnet_tui.tui.reports.json_text import to_json
from dnet_tui.tui.reports.published.schemas import schema
from dnet_tui.tui.reports.terminal import OutputStyle
from unit.builders.report_factories import sample

PROBE = PlannedProbe(
    kind="same-network",
    source="web",
    target="api",
    namespace="net:[1]",
    method="tcp",
    address="10.10.0.3",
    port=80,
    prediction="answered",
)
BLOCKED = msgspec.structs.replace(PROBE, method="ping", port=0, prediction="blocked", by="rule 1", confirms="x-missing")
PROBES = (
    Probed(probe=PROBE, sent=Sent(answer="answered", seconds=0.00042), judgement="agrees"),
    Probed(probe=BLOCKED, sent=Sent(answer="timeout", seconds=1.0), judgement="agrees"),
    Probed(probe=PROBE, sent=Sent(answer="timeout", seconds=1.0), judgement="contradicts"),
    Probed(probe=PROBE, sent=Sent(answer="timeout"), judgement="proves-nothing", reason="api may ignore it"),
    Probed(probe=PROBE, sent=Sent(answer="not-sent", note="gone"), judgement="not-sent", reason="gone"),
)
LINES = [
    "4 sent: 2 as the model says, 1 CONTRADICTING THE MODEL, 1 proving nothing; 1 not sent.",
    "web → api, tcp 80: answered in 0.4 ms",
    "web → api, ping: timeout, which confirms x-missing",
    "web → api, tcp 80: timeout; THE MODEL EXPECTS an answer",
    "web → api, tcp 80: timeout; proves nothing: api may ignore it",
    "web → api, tcp 80: not sent: gone",
]


def probed(*probes: Probed) -> Report:
    return msgspec.structs.replace(sample(), probes=probes)


def test_the_text_tells_every_probe() -> None:
    section = doctor_text(probed(*PROBES), OutputStyle(200)).split("Probes\n")[1].split("\n\n")[0]
    assert [line.removeprefix("  - ") for line in section.splitlines()] == LINES


def test_markdown_tells_the_same_escaped() -> None:
    text = doctor_markdown(probed(*PROBES))
    assert "## Probes\n\n4 sent:" in text
    assert "- web → api, ping: timeout, which confirms x\\-missing" in text or "confirms x-missing" in text
    evil = msgspec.structs.replace(PROBE, target="![x](http://198.51.100.1/)")
    assert "![x](" not in doctor_markdown(probed(msgspec.structs.replace(PROBES[0], probe=evil)))


def test_without_probes_no_report_has_a_section_or_a_key() -> None:
    assert "Probes" not in doctor_text(sample(), OutputStyle())
    assert "Probes" not in doctor_markdown(sample())
    assert "probes" not in doctor_data(sample())


def test_json_has_them_at_the_end_and_fits_its_types() -> None:
    data = json.loads(to_json(doctor_data(probed(*PROBES))))
    assert list(data)[-1] == "probes"
    assert data["probes"][0] == {
        "kind": "same-network",
        "source": "web",
        "target": "api",
        "method": "tcp",
        "address": "10.10.0.3",
        "port": 80,
        "predicted": "answered",
        "answer": "answered",
        "seconds": 0.00042,
        "judgement": "agrees",
        "confirms": "",
        "reason": "",
        "answered_by": "",
    }
    assert data["probes"][4]["seconds"] is None
    assert msgspec.to_builtins(msgspec.convert(data, DoctorData)) == data


def test_no_probe_at_all_is_an_empty_list() -> None:
    assert doctor_data(probed())["probes"] == []
    assert "0 sent" in doctor_text(probed(), OutputStyle())


def test_the_schema_does_not_require_them() -> None:
    described = json.loads(schema("doctor"))["$defs"]["DoctorData"]
    assert "probes" in described["properties"]
    assert "probes" not in described["required"]


@pytest.mark.parametrize("name", ["\x1b[2Jevil", "\u202eevil"])
def test_escapes_in_a_name_are_made_harmless(name: str) -> None:
    evil = msgspec.structs.replace(PROBES[0], probe=msgspec.structs.replace(PROBE, target=name))
    for text in (
        doctor_text(probed(evil), OutputStyle()),
        doctor_markdown(probed(evil)),
        to_json(doctor_data(probed(evil))),
    ):
        assert text.replace("\n", "").isprintable()
