"""How the app ends: at once, but for a change of the host that is under way."""

from __future__ import annotations

import os
import sys
import threading
import time

from dnet_tui.inspect.errors import UsageError
from dnet_tui.tui.app.guided_app import GuidedApp

_FAREWELL = 0.5
"""Seconds that reading and thinking get to end in when the app does."""


def leave(app: GuidedApp, code: int) -> int:
    """Return the exit code; or end at once, where a thread still computes what nobody will see.

    A change of the host is waited for, whatever takes it so long.

    Raises:
        UsageError: a saved snapshot was to be shown, and could not be read: whoever called learns it too.
    """
    app.end_changes()
    deadline = time.monotonic() + _FAREWELL
    own = threading.current_thread()
    for thread in threading.enumerate():
        if thread is not own and not thread.daemon:
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
    wrong = app.state.trouble
    if app.state.offline and app.state.snapshot is None and wrong is not None:
        raise UsageError(wrong.message, wrong.hint)
    return code
