"""Keeps account of which chains of nftables were changed, so that only those need to be read again.

The kernel tells every change of a namespace's ruleset, and closes each
transaction with the generation that it made.  An account without a hole from
one generation to another names everything that differs between the two.
Where it has one (notifications were lost, or the listening began too late),
it says so, and everything must be read.

Nothing is changed by it: a socket listens, and is looked into when the
question comes.  What nobody asks for waits in the kernel up to a limit, and is
lost beyond it.

Source: net/netfilter/nf_tables_api.c, ``nf_tables_commit`` (the generation is
counted up, the changes are told, then ``nf_tables_gen_notify``); netlink(7)
for ENOBUFS.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from typing import NamedTuple

from dnet_tui.inspect.kernel.netlink import attributes, messages
from dnet_tui.inspect.kernel.nfnetlink_tables import FAMILIES, NftSocket
from dnet_tui.inspect.model.firewall import TableFamily
from dnet_tui.inspect.text.encoding import text

_NETLINK_NETFILTER = 12
_NFTABLES = 10  # NFNL_SUBSYS_NFTABLES
_GROUP = 7  # NFNLGRP_NFTABLES
_SOL_NETLINK, _ADD_MEMBERSHIP = 270, 1
_SO_RCVBUFFORCE = 33
_WAITING = 4 << 20
"""Bytes that may wait in the kernel: some thousands of changes."""
_PIECE = 1 << 17
_NEW_CHAIN, _DEL_CHAIN, _NEW_RULE, _DEL_RULE, _NEW_GENERATION = 3, 5, 6, 8, 15
_TABLE, _RULE_CHAIN, _RULE_HANDLE, _CHAIN_NAME, _GENERATION_ID = 1, 2, 3, 3, 1
"""Attributes; the table's name has the same number in all messages."""
_HEAD = 4
"""Bytes of struct nfgenmsg."""
_MOST_KEPT = 4096
"""Generations that are kept."""


class Touch(NamedTuple):
    """Something that changed.  Without a ``chain`` anything of the table may have; without a ``table``, anything.

    ``rule`` is the handle of a rule that came or went; one that takes another's place may have the other's handle.
    """

    family: TableFamily | None = None
    table: str = ""
    chain: str = ""
    rule: int = 0


def parse_events(data: bytes) -> Iterator[Touch | int]:
    """What one datagram tells: what was touched, and at a transaction's end the generation it made.  Pure."""
    for code, _flags, _sequence, body in messages(data):
        if code >> 8 != _NFTABLES:
            continue
        kind = code & 0xFF
        found = attributes(body, _HEAD)
        if kind == _NEW_GENERATION:
            yield int.from_bytes(found.get(_GENERATION_ID, b""), "big")
            continue
        family = FAMILIES.get(body[0]) if body else None
        table = text(found.get(_TABLE, b""))
        if family is None or not table:
            yield Touch()
        elif kind in {_NEW_RULE, _DEL_RULE}:
            handle = int.from_bytes(found.get(_RULE_HANDLE, b""), "big")
            yield Touch(family, table, text(found.get(_RULE_CHAIN, b"")), handle)
        elif kind in {_NEW_CHAIN, _DEL_CHAIN}:
            yield Touch(family, table, text(found.get(_CHAIN_NAME, b"")))
        else:
            yield Touch(family, table)


class ChangeLog:
    """What changed, by the generation it made.  Pure."""

    def __init__(self, start: int) -> None:
        self._start = start
        self._open: set[Touch] = set()
        self._closed: dict[int, frozenset[Touch]] = {}

    def add(self, data: bytes) -> None:
        """Enter what a datagram tells."""
        for item in parse_events(data):
            if isinstance(item, Touch):
                self._open.add(item)
                continue
            self._closed[item] = frozenset(self._open)
            self._open.clear()
        while len(self._closed) > _MOST_KEPT:
            self._closed.pop(next(iter(self._closed)))

    def between(self, since: int, until: int) -> frozenset[Touch] | None:
        """Everything touched after generation ``since`` up to ``until``; None where the account has a hole."""
        if since < self._start or not 0 <= until - since <= len(self._closed):
            return None
        parts = [self._closed.get(generation) for generation in range(since + 1, until + 1)]
        found: set[Touch] = set()
        for part in parts:
            if part is None:
                return None
            found |= part
        return frozenset(found)


class RuleEvents:
    """The account of the namespace whose thread makes it.  Close it in the end; closing twice does no harm."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._account: ChangeLog | None = None
        self.cookie: int | None = None
        """The kernel's name for the namespace; None before Linux 5.14, or when nothing is listened to."""

    def listen(self) -> None:
        """Begin, unless it has begun.  Where the kernel doesn't allow it, there is no account."""
        if self._socket is not None:
            return
        with contextlib.suppress(OSError):
            self._open()

    def _open(self) -> None:
        sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_NETFILTER)
        try:
            sock.settimeout(0)
            with contextlib.suppress(OSError):  # as root of the machine; others make do with what they get
                sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _WAITING)
            sock.bind((0, 0))
            sock.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, _GROUP)
            with NftSocket() as nft:
                # What made this generation may have been told in part before anybody listened.
                self._account, self.cookie = ChangeLog(nft.generation()), nft.cookie()
        except OSError:
            sock.close()
            raise
        self._socket = sock

    def between(self, since: int, until: int) -> frozenset[Touch] | None:
        """Everything touched after generation ``since`` up to ``until``; None when that can't be told."""
        if self._socket is None or self._account is None:
            return None
        try:
            while True:
                self._account.add(self._socket.recv(_PIECE))
        except BlockingIOError:
            return self._account.between(since, until)
        except OSError:  # ENOBUFS: some were lost
            self.close()
            self.listen()
            return None

    def close(self) -> None:
        """Stop listening."""
        sock, self._socket, self._account = self._socket, None, None
        if sock is not None:
            sock.close()

    def __del__(self) -> None:
        self.close()
