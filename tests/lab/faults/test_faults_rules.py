"""The fault matrix, rules and sysctls: named first, its consequences folded, repaired, and no trace of it left."""

from __future__ import annotations

from lab.faults.every_host import *  # noqa: F403 - pytest collects them here
from lab.faults.rules_family import RULES

CASES = RULES
