"""Keys in their order: the next one is looked at when all that the one before it led to has been done.

Textual hands a key to the widget that has the focus, and runs its binding when
the key has bubbled up from there; meanwhile the following key is handed out
already, to what had the focus then.  Who types ``/quiet`` in one go would so
leave the app with the ``q``.  Here keys queue up, and each waits until the
messages of the one before it have passed all the widgets' queues.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque

from textual import events
from textual.app import App
from textual.message_pump import MessagePump

_ROUNDS = 3
"""How often a key's consequences may be handed on: a field tells its form, that the screen, and that the app."""

_PATIENCE = 0.3
"""Seconds after which the next key is looked at in any case: a widget that is being removed answers no more."""


_ANSWER = 0.12
"""Seconds in which a key is answered, also by a screen that is made anew."""


class OrderedKeys(App[None]):
    """An app that looks at one key at a time."""

    def __init__(self) -> None:
        super().__init__()
        self._typed: deque[events.Key | events.Paste] = deque()
        self._under_way: events.Key | events.Paste | None = None
        self._giving_up: asyncio.TimerHandle | None = None
        self._key_at = 0.0

    def is_too_early(self, key: str) -> bool:
        """Whether a key has to wait for something that is still being done."""
        del key
        return False

    def is_left_alone(self, seconds: float) -> bool:
        """Whether no key came for so long."""
        return not self._typed and time.monotonic() - self._key_at >= seconds

    def wanted_for_keys(self) -> float:
        """For how many seconds from now a key that came needs the processor; any thread may ask."""
        return max(0.0, self._key_at + _ANSWER - time.monotonic())

    async def on_event(self, event: events.Event) -> None:
        """Let keys and pasted text queue up."""
        if isinstance(event, events.Key | events.Paste):
            self._key_at = time.monotonic()
            if not event.is_forwarded:
                self._typed.append(event)
                await self.next_key()
                return
            await super().on_event(event)
            if event is self._under_way:
                self._let_settle(event)
            return
        await super().on_event(event)

    async def next_key(self) -> None:
        """Look at the next key, unless one is under way or it is too early for it."""
        while self._typed and self._under_way is None:
            event = self._typed[0]
            if isinstance(event, events.Key) and self.is_too_early(event.key):
                return
            self._typed.popleft()
            self._under_way = event
            loop = asyncio.get_running_loop()
            self._giving_up = loop.call_later(_PATIENCE, self._finish, event)
            target = self.focused or self.screen
            await super().on_event(event)
            if not event.is_forwarded:  # a priority binding had it
                self._let_settle(event)
            else:
                self._follow(event, target)

    def _follow(self, event: events.Key | events.Paste, node: MessagePump | None) -> None:
        """Wait behind the key in a widget's queue: whether that kept it, or handed it on."""

        def passed() -> None:
            if event is not self._under_way:
                return
            if event._stop_propagation:  # noqa: SLF001  Textual has no other way to ask
                self._let_settle(event)
            elif node is not None and node._parent is not self:  # noqa: SLF001  as above
                self._follow(event, node._parent)  # noqa: SLF001  as above

        if node is not None and node is not self:
            node.call_later(passed)

    def _let_settle(self, event: events.Key | events.Paste, rounds: int = _ROUNDS) -> None:
        """Pass through the queues of all that has to do with the focus, again and again, then take the next key."""
        if event is not self._under_way:
            return
        if not rounds:
            self._finish(event)
            return
        start = self.focused or self.screen
        nodes: list[MessagePump] = [node for node in start.ancestors_with_self if node is not self]

        def go_on(place: int) -> None:
            if place < len(nodes):
                nodes[place].call_later(go_on, place + 1)
            else:
                self.call_later(self._let_settle, event, rounds - 1)

        go_on(0)

    def _finish(self, event: events.Key | events.Paste) -> None:
        if event is not self._under_way:
            return
        self._under_way = None
        if self._giving_up is not None:
            self._giving_up.cancel()
        if self._typed:
            self.call_later(self.next_key)
