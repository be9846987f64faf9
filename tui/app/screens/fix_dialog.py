"""The question before a repair, wherever it is asked for: the commands and their undo."""

from __future__ import annotations

from dnet_tui.diagnostics.report.finding import Finding
from dnet_tui.tui.app.model.messages import FixConfirmed
from dnet_tui.tui.app.present import confirm
from dnet_tui.tui.app.screens.base import ModeScreen
from dnet_tui.tui.app.screens.dialog import Dialog


def ask_to_fix(screen: ModeScreen, finding: Finding) -> None:
    """Show what would be done, and post :class:`FixConfirmed` where that is wanted."""

    def answered(yes: bool | None) -> None:  # noqa: FBT001  Textual calls it with the dialog's result
        if yes:
            screen.post_message(FixConfirmed(finding))

    screen.app.push_screen(Dialog(f"Fix {finding.check}", confirm.fix(finding), question="apply"), answered)
