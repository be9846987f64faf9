"""iptables' own extension tests: what loads here is shown exactly, and most of it is decided or hedged."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest

from dnet_tui.diagnostics.explain.match_catalogue import IPTABLES_MATCHES, IPTABLES_TARGETS
from dnet_tui.inspect.errors import DnetError
from lab.extensions.cases import ExtensionRule, Family, rules
from lab.extensions.suite import run
from lab.machines.hosts import LAB_ID, LAB_VARIABLE
from lab.machines.requirements import decline, require_lab

SAMPLE = 80
_NOT_EXTENSIONS = frozenset({"standard", "iptables"})


def suite(family: Family) -> list[ExtensionRule]:
    """The rules, where their source can be had."""
    require_lab()
    try:
        return rules(family)
    except DnetError as error:
        decline(f"the source of iptables can't be had: {error.message}")


@pytest.mark.parametrize("family", ["ip", "ip6"])
def test_a_sample_of_the_suite_is_shown_exactly_and_decided(family: Family) -> None:
    seed = int(datetime.now(UTC).timestamp()) // 3600  # another sample every hour, and the same on every worker
    print(f"script/extension-suite --family {family} --sample {SAMPLE} {seed}")
    chosen = random.Random(seed).sample(suite(family), SAMPLE)  # noqa: S311 - no secret
    found, refused = run(chosen, {LAB_VARIABLE: LAB_ID})
    assert len(found) + refused == SAMPLE
    assert [item.why for item in found if not item.shown] == []
    sure = [item for item in found if item.said != "unknown"]
    assert len(sure) >= 0.8 * len(found), [item.rule.rule for item in found if item.said == "unknown"]


@pytest.mark.parametrize("family", ["ip", "ip6"])
def test_every_extension_is_in_the_table(family: Family) -> None:
    known = {*IPTABLES_MATCHES, *IPTABLES_TARGETS, *_NOT_EXTENSIONS}
    assert {rule.extension for rule in suite(family)} - known == set()
