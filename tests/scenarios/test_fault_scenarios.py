"""Recorded faults of real hosts: the doctor says of each what it said when its repair was proved.

Recorded by ``script/faults record``; no host is needed to replay them.
"""

from __future__ import annotations

import pytest

from lab.recordings import fault_records as records
from lab.recordings.fault_records import HEALTHY

RECORDS = {name: records.load(name) for name in records.names()}
EVERY = [(name, fault) for name, record in RECORDS.items() for fault in record.faults]
LIMIT = 5_000_000
"""Bytes that all records together may take."""


@pytest.mark.parametrize(("name", "fault"), EVERY, ids=str)
def test_the_doctor_says_of_a_recorded_fault_what_it_must(name: str, fault: str) -> None:
    assert records.told(records.snapshot(name, fault)) == RECORDS[name].faults[fault]


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_has_the_healthy_host_and_a_root_cause_for_each_fault(name: str) -> None:
    faults = RECORDS[name].faults
    assert faults[HEALTHY] == ()
    for fault, told in faults.items():
        if fault != HEALTHY:
            assert told[0].caused_by is None
            assert {item.caused_by for item in told} <= {None, *(item.check for item in told)}


def test_there_are_records_of_every_kind_of_host() -> None:
    kinds = {"demo", "docker", "docker28", "podman"}
    assert kinds | {f"{name}-six" for name in kinds - {"demo"}} == set(RECORDS)


def test_the_records_are_small() -> None:
    assert sum(path.stat().st_size for path in records.FOLDER.iterdir()) < LIMIT
