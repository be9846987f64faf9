"""The pane beside a step: its packets at the two points it lies between."""

from __future__ import annotations

from collections.abc import Iterator

from textual.containers import Vertical
from textual.widget import Widget

from dnet_tui.tui.app.model.state import AppState
from dnet_tui.tui.app.present.guided import proof as proofs
from dnet_tui.tui.app.widgets.bar import Bar
from dnet_tui.tui.app.widgets.listing import Listing


class ProofPane(Vertical):
    """Counts at both points, and a line for each packet."""

    def __init__(self, *, id: str, classes: str) -> None:  # noqa: A002  Textual's name for it
        super().__init__(id=id, classes=classes)
        self.border_title = "Packets of this flow"
        self._shown: tuple[object, ...] = ()

    def compose(self) -> Iterator[Widget]:
        """Lay out the counts over the rows."""
        yield Bar(id="proof-status")
        yield Listing(id="proof-rows", follow=True)

    def show(self, state: AppState, *, possible: bool, sends: bool) -> None:
        """Show the packets beside the selected step."""
        if not self.query("#proof-rows"):
            self.call_after_refresh(self.show, state, possible=possible, sends=sends)
            return
        guided = state.guided
        if guided.answered is None:
            self.query_one("#proof-status", Bar).show(proofs.UNASKED)
            return
        pair = proofs.beside(guided.proof, guided.answered.links.at(guided.step))
        status = proofs.status(guided.proof, pair, possible=possible, offline=state.offline, sends=sends)
        self.query_one("#proof-status", Bar).show(status)
        key = (guided.proof.packets, guided.proof.points, pair)
        if key != self._shown:
            self._shown = key
            listing = self.query_one("#proof-rows", Listing)
            listing.show(proofs.rows(guided.proof, pair) if guided.proof.packets else (), listing.selected)
