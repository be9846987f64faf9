"""The view over the snapshot on show, made once: each key looks things up in it, and a big host has many things.

What was not read is listed as nothing: what shows it says so from the gaps.
"""

from __future__ import annotations

from dnet_tui.inspect.model import Snapshot
from dnet_tui.inspect.model.coverage.gaps import listed
from dnet_tui.inspect.model.view import View

_last: list[tuple[Snapshot, View]] = []


def seen_host(snapshot: Snapshot) -> View:
    """Return the view over a snapshot; the one over the last snapshot that was asked for is kept."""
    for kept, view in _last:
        if kept is snapshot:
            return view
    view = View(listed(snapshot))
    _last[:] = [(snapshot, view)]
    return view
