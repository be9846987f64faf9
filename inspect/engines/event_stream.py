"""What an engine's event stream tells, from its bytes.  Pure: somebody else moves them.

Docker and Podman's compatible API answer ``GET /events`` with one JSON object
a line, for as long as both sides like.  Asked in HTTP/1.0 the answer has no
chunks: after its head come the lines, and nothing else.

Source: Docker Engine API (``/events``: types, actions), moby's daemon/events.
"""

from __future__ import annotations

import msgspec

from dnet_tui.inspect.model.change_events import Moved
from dnet_tui.inspect.text.json_access import fields, string

REQUEST = (
    b"GET /events?filters=%7B%22type%22%3A%5B%22container%22%2C%22network%22%2C%22daemon%22%5D%7D HTTP/1.0\r\n"
    b"Host: engine\r\nUser-Agent: dnet-tui\r\n\r\n"
)
"""What to send: ``filters={"type":["container","network","daemon"]}``."""

_LONGEST = 1 << 20
"""Bytes of a head or a line; one with more is no engine's."""

_EVERYDAY = ("exec_", "health_status", "top", "attach", "detach", "resize", "copy", "export", "commit", "archive-path",
             "extract-to-dir", "checkpoint", "mount", "unmount", "init", "sync", "prune", "pull", "push", "tag",
             "cleanup", "exec", "healthcheck")  # fmt: skip
"""How actions begin that change nothing of a network: health checks alone come every few seconds."""

_SECTIONS = {"container": "containers", "network": "networks", "daemon": "engine"}


class EventStream:
    """One connection's incoming side.  ``refused`` is the status line when the engine won't tell, else empty."""

    def __init__(self) -> None:
        self._waiting = b""
        self._in_head = True
        self.refused = ""

    def feed(self, data: bytes) -> frozenset[Moved]:
        """What it is news for."""
        self._waiting += data
        if self._in_head and not self._pass_head():
            return frozenset()
        *lines, self._waiting = self._waiting.split(b"\n")
        self._check_size()
        return frozenset(Moved(section) for line in lines if (section := _section(line)))

    def _pass_head(self) -> bool:
        head, end, rest = self._waiting.partition(b"\r\n\r\n")
        if not end:
            self._check_size()
            return False
        status = head.partition(b"\r\n")[0].decode("ascii", "replace")
        if not (status.startswith("HTTP/1.") and status[8:12] == " 200"):
            self.refused = status[:80]
            return False
        self._in_head, self._waiting = False, rest
        return True

    def _check_size(self) -> None:
        if len(self._waiting) > _LONGEST:
            self.refused = "its answer makes no sense"


def _section(line: bytes) -> str:
    """The section that an event is about; empty for everyday ones and for what isn't an event."""
    try:
        event = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    action = fields(event).get("Action") or fields(event).get("status") or ""
    if not isinstance(action, str) or action.startswith(_EVERYDAY):
        return ""
    return _SECTIONS.get(string(fields(event).get("Type")), "")
