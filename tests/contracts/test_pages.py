"""The generated pages say what the code says now, and the schema describes a real report."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from dnet_tui.diagnostics.checks.catalogue import CATALOGUE
from dnet_tui.diagnostics.checks.run_checks import run_checks
from dnet_tui.tui.reports.doctor.report_json import DoctorData, doctor_data
from dnet_tui.tui.reports.published.pages import pages
from unit.builders.factories import docker_like_snapshot
from unit.diagnostics.checks.cases.rules import FAULTS

DOCS = Path(__file__).parents[2] / "docs"
PAGES = pages(CATALOGUE)


@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_is_up_to_date(name: str) -> None:
    assert (DOCS / name).read_text() == PAGES[name], "run script/docs"


def test_no_page_is_left_of_a_check_that_is_gone() -> None:
    made = {name.removeprefix("checks/") for name in PAGES}
    assert {path.name for path in (DOCS / "checks").glob("*.md")} <= made


@pytest.mark.parametrize("fault", FAULTS)
def test_a_report_fits_its_published_types(fault: str) -> None:
    data = doctor_data(run_checks(FAULTS[fault]()))
    assert msgspec.to_builtins(msgspec.convert(data, DoctorData)) == data


def test_a_report_with_a_missing_key_does_not_fit() -> None:
    data = doctor_data(run_checks(docker_like_snapshot()))
    del data["summary"]
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(data, DoctorData)
