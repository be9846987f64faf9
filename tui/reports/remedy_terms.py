"""On what terms a repair is had, in words: whose it is to apply, whether it lasts, and by which command.  Pure."""

from __future__ import annotations

from dnet_tui.diagnostics.operations.remedy import Remedy

_RISKS = {"safe": "safe to apply", "ask": "asks before it is applied", "manual": "to be done by hand"}


def terms(remedy: Remedy) -> str:
    """Whose a repair is to apply, and whether it lasts."""
    risk = _RISKS[remedy.risk]
    if remedy.overrides is not None:
        changes = f"it changes what {remedy.overrides.whose} decided"
        risk = changes if remedy.summary.lower().startswith("yours to decide") else f"yours to decide: {changes}"
    return "; ".join(filter(None, (risk, persistence(remedy))))


def fix_command(check: str, remedy: Remedy) -> str:
    """The command that applies a check's remedy; empty where that is to be done by hand."""
    override = " --override-owner" if remedy.overrides is not None else ""
    return f"dnet-tui fix {check}{override}" if remedy.risk != "manual" else ""


def persistence(remedy: Remedy) -> str:
    """Whether a repair outlives a reboot, in words; empty where nothing is changed that could be lost."""
    if remedy.fades:
        return "lost at a reboot"
    return "outlives a reboot" if remedy.persists and remedy.risk != "manual" else ""
