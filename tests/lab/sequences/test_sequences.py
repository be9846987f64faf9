"""A sample of the random sequences; script/sequences makes as many as are asked for."""

from __future__ import annotations

from lab.actions.test_fix_and_undo import picture, undo
from lab.machines.hosts import DemoHost
from lab.machines.requirements import require_lab
from lab.sampling import commits
from lab.sequences.sequences import sequences


def test_a_table_that_one_entry_brought_goes_with_the_last_rule_in_it(demo_host: DemoHost) -> None:
    before = picture(demo_host)
    for words in (
        ("port", "publish", "api", "9003:80", "--localhost"),
        ("route", "add", "10.61.0.0/24", "via", "203.0.113.1"),
        ("port", "publish", "web", "9004:80", "--localhost"),
    ):
        ran = demo_host.dnet(*words, "--yes")
        assert ran.returncode == 0, ran.stderr.decode()
    assert "table ip raw" in picture(demo_host)["tables"]
    for entry in ("1", "3", "2"):
        undo(demo_host, entry)
    assert picture(demo_host) == before


def test_random_sequences_are_undone_in_a_random_order() -> None:
    require_lab()
    told = sequences(2, commits() * 2)
    assert told.broken == []
