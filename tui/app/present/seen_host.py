"""The view over the snapshot on show, made once: each key looks things up in it, and a big host has many things.

What was not read is listed as nothing: what shows it says so from the gaps.
"""

from __future__ import annotations

from dnet_tui.inspect.model import Snapshot
from dnet_tui.inspect.model.coverage.gaps import listed
from dnet_tui.inspect.model.view import View

_last: list[tuple[Snapshot, View]] = []
"""That on show, and the next one: a worker makes it while the other is still looked at."""


def seen_host(snapshot: Snapshot) -> View:
    """Return the view over a snapshot; those over the last two snapshots that were asked for are kept."""
    for kept, view in _last:
        if kept is snapshot:
            return view
    view = View(listed(snapshot))
    _last[:] = [*_last[-1:], (snapshot, view)]
    return view


def keep_only(snapshot: Snapshot | None) -> None:
    """Let go of the views over other snapshots than the one that is on show now."""
    _last[:] = [(kept, view) for kept, view in _last if kept is snapshot]
