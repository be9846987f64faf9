"""How much a walk may spend on rules that are evaluated again and again.  Pure.

Chains can be nested so that each level is reached twice as often as the one
above it, and whoever holds CAP_NET_ADMIN in a container can write such rules.
What is linear in the size of a ruleset costs nothing here; only evaluating a
chain once more, for a packet that a rule has changed, does.
"""

from __future__ import annotations

REPEATED_RULES = 5_000
"""Rules that a walk may evaluate once more: some hundredths of a second, and far more than any ruleset in use needs."""


class BudgetSpentError(Exception):
    """The rules lead to more evaluations than a walk may make."""


class Budget:
    """What is left of a walk's repeated evaluations."""

    def __init__(self, rules: int = REPEATED_RULES) -> None:
        self.left = rules

    def spend(self, rules: int) -> None:
        """Take the cost of evaluating so many rules once more.

        Raises:
            BudgetSpentError: there isn't that much left.
        """
        self.left -= rules
        if self.left < 0:
            raise BudgetSpentError
