"""nftables' own expressions and statements: a sample, each judged by real packets; none is silently ignored."""

from __future__ import annotations

import random
from datetime import UTC, datetime

from lab.extensions.nft_rules import RULES
from lab.extensions.nft_suite import run
from lab.machines.hosts import LAB_ID, LAB_VARIABLE
from lab.machines.requirements import require_lab

SAMPLE = 80


def test_a_sample_of_the_rules_is_decided_rightly_hedged_or_unknown_by_name() -> None:
    require_lab()
    seed = int(datetime.now(UTC).timestamp()) // 3600  # another sample every hour
    print(f"script/extension-suite --nft --sample {SAMPLE} {seed}")
    chosen = random.Random(seed).sample(RULES, SAMPLE)  # noqa: S311 - no secret
    found, refused = run(chosen, {LAB_VARIABLE: LAB_ID})
    assert [answer for answer in found if answer.result == "wrong"] == []
    assert len(refused) < 0.3 * SAMPLE, refused
    unknown = {answer.rule for answer in found if answer.result == "unknown"}
    assert len(unknown) < 0.4 * SAMPLE, unknown
