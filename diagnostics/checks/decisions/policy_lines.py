"""The list of every rule that decides over containers' packets, for ``doctor --policy``.  Pure."""

from __future__ import annotations

from dnet_tui.diagnostics.checks.decisions.asked_counters import counted
from dnet_tui.diagnostics.checks.decisions.asked_rules import every_rule
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.report.report import PolicyLine


def policy_lines(ctx: CheckContext) -> tuple[PolicyLine, ...]:
    """Every such rule, those that have counted something first; of a firewall that was not read none."""
    found: list[PolicyLine] = []
    with ctx.case.noting():
        for item in every_rule(ctx.case):
            line = PolicyLine(
                owner=item.owner,
                effect=item.effect,
                place=item.place,
                text=item.rule.text,
                packets=item.rule.packets,
                counted=counted(ctx, (item,)),
                sender=item.sender,
                packet=item.packet.tuple_text() if item.packet is not None else "",
            )
            found.append(line)
    return tuple(sorted(found, key=lambda line: (-(line.packets or 0), line.owner.name, line.place)))
