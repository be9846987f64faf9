"""The app's part for rules that concern one thing: they are looked for in a worker, anew for each snapshot."""

from __future__ import annotations

from textual import on
from textual.worker import get_current_worker

from dnet_tui.inspect.errors import DnetError
from dnet_tui.inspect.model import Snapshot
from dnet_tui.tui.app.capture_app import CaptureApp
from dnet_tui.tui.app.model import messages as fact
from dnet_tui.tui.app.model import state as states
from dnet_tui.tui.app.model.state import ConcerningRules
from dnet_tui.tui.app.present import rules_about
from dnet_tui.tui.app.thread_work import in_thread


class RulesApp(CaptureApp):
    """An app that shows only the rules that concern something."""

    @on(fact.RulesAboutChosen)
    def rules_about_chosen(self, event: fact.RulesAboutChosen) -> None:
        """Look for them, or show all again."""
        self._become(states.look_at_rules_of(self.state, event.about, event.label))
        if event.about and self.state.snapshot is not None:
            self._find_rules(event.about, self.state.snapshot)

    @on(fact.RulesFound)
    def rules_found(self, event: fact.RulesFound) -> None:
        """Show them, unless something else is wanted by now."""
        if event.found.about == self.state.selection.about:
            self._become(states.changed(self.state, concerning=event.found))

    @in_thread("rules", exclusive=True)
    def _find_rules(self, about: str, snapshot: Snapshot) -> None:
        try:
            found = ConcerningRules(about=about, snapshot=snapshot, rows=rules_about.concerning(snapshot, about))
        except DnetError as error:
            found = ConcerningRules(about=about, snapshot=snapshot, trouble=error.message)
        if not get_current_worker().is_cancelled:
            self.post_message(fact.RulesFound(found))
