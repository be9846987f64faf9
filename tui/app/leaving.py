"""How the app ends: at once, but for a change of the host that is under way."""

from __future__ import annotations

import os
import sys
import threading
import time

from dnet_tui.tui.app.workers import HostApp

_FAREWELL = 0.5
"""Seconds that reading and thinking get to end in when the app does."""


def leave(app: HostApp, code: int) -> int:
    """Return the exit code; or end at once, where a thread still computes what nobody will see.

    A change of the host is waited for, whatever takes it so long.
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
    return code
