"""How many examples a property is tried on: some while one works, many where a change is judged."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
"""Set by script/test, and so in CI."""

# How long an example takes is the machine's affair: a busy one is no failure.
PATIENT = [HealthCheck.too_slow]
settings.register_profile("thorough", max_examples=100, deadline=None, suppress_health_check=PATIENT)
settings.register_profile("quick", max_examples=25, deadline=None, suppress_health_check=PATIENT)


def examples(many: int) -> int:
    """``many`` where thoroughness is asked for, else a tenth, but no fewer than 15."""
    return many if THOROUGH else max(15, many // 10)
