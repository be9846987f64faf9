"""Notices that the host's network changed, without ever asking.

One thread sleeps until the kernel or an engine tells something: rtnetlink's
groups, nftables' group, and the engines' event streams.  What it is told
*requests* a new look, debounced; the events themselves are not evidence and
aren't kept.  While nothing happens it uses no CPU at all.

No events come of: rules written by iptables-legacy, ipsets, kernel parameters
other than forwarding, ``rp_filter`` and ``proxy_arp`` of interfaces, sockets
that begin to listen, and what happens in namespaces that the host's never had
to do with.  A manual refresh sees those.

Nothing is changed by it: sockets only listen, and ``GET /events`` is the only
request.  Sources: netlink(7) (``NETLINK_LISTEN_ALL_NSID``), linux/rtnetlink.h,
linux/netfilter/nfnetlink.h.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import selectors
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from dnet_tui.inspect.engines.event_stream import REQUEST, EventStream
from dnet_tui.inspect.engines.protocol import EventSocket
from dnet_tui.inspect.engines.registry import ENGINES
from dnet_tui.inspect.model.change_events import ANY, OURS, Moved
from dnet_tui.inspect.watch.debounce import Debouncer
from dnet_tui.inspect.watch.event_filter import RouteFilter

_SOL_NETLINK = 270
_ADD_MEMBERSHIP = 1
_LISTEN_ALL_NSID = 8
_NETLINK_NETFILTER = 12
_NFTABLES_GROUP = 7

_ROUTE_GROUPS = (1, 3, 5, 7, 8, 9, 11, 19, 24, 25)
"""LINK, NEIGH, IPV4_IFADDR, _ROUTE, _RULE, IPV6_IFADDR, _ROUTE, _RULE, IPV4_NETCONF and IPV6_NETCONF."""

_PIECE = 1 << 16
_MOST_AT_ONCE = 256
"""Datagrams read in one go: in a storm the rest may overflow, which is news enough."""
_REST = 0.05
"""Seconds between two looks while a request is waiting to be due: a storm of events costs no more than that."""
_LOST = {"netlink": "links", "nftables": "firewall"}
"""What is asked for when notifications were lost."""

Notify = Callable[[frozenset[Moved]], None]


def find_engines() -> tuple[EventSocket, ...]:
    """The sockets of the engines that may be on this host, each once."""
    found: dict[str, EventSocket] = {}
    for engine in ENGINES:
        for item in engine.event_sockets(os.environ):
            found.setdefault(item.path, item)
    return tuple(found.values())


class HostEvents:
    """Listens from :meth:`start` to :meth:`close`, in the network namespace of the thread that starts it.

    ``notify`` is called in a thread of its own with what moved (the sections
    are those of :data:`dnet_tui.inspect.model.coverage.gaps.SECTIONS`).
    ``notes`` say what can't be listened to; nothing else fails because of it.
    """

    def __init__(
        self,
        notify: Notify,
        *,
        engines: Callable[[], Iterable[EventSocket]] = find_engines,
        debouncer: Debouncer | None = None,
    ) -> None:
        self._notify = notify
        self._engines = engines
        self._debouncer = debouncer or Debouncer()
        self._filter = RouteFilter()
        self._selector = selectors.DefaultSelector()
        self._listening: dict[str, socket.socket] = {}
        self._streams: dict[socket.socket, EventStream] = {}
        self._ours, self._theirs = socket.socketpair()
        self._closing = threading.Event()
        self._on_demand: set[str] = set()
        self._thread = threading.Thread(target=self._run, name="host events", daemon=True)
        self.notes: dict[str, str] = {}

    def start(self) -> HostEvents:
        """Begin to listen."""
        self._selector.register(self._theirs, selectors.EVENT_READ, "wake")
        self._listen("netlink", socket.NETLINK_ROUTE, _ROUTE_GROUPS)
        self._listen("nftables", _NETLINK_NETFILTER, (_NFTABLES_GROUP,))
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop listening.  Once it returned, ``notify`` isn't called any more.  Safe to repeat."""
        self._closing.set()
        with contextlib.suppress(OSError):
            self._ours.send(b"x")
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join()
        for sock in (*self._listening.values(), self._ours, self._theirs):
            sock.close()
        self._listening.clear()
        self._selector.close()

    # -- what is listened to ------------------------------------------------

    def _listen(self, name: str, protocol: int, groups: Iterable[int]) -> None:
        sock = None
        try:
            sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
            sock.settimeout(0)
            sock.bind((0, 0))
            with contextlib.suppress(OSError):  # needs CAP_NET_BROADCAST; without, the containers' own aren't heard
                sock.setsockopt(_SOL_NETLINK, _LISTEN_ALL_NSID, 1)
            for group in groups:
                sock.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, group)
        except OSError as error:
            if sock is not None:
                sock.close()
            self.notes[name] = f"no {name} events: {error.strerror}"
        else:
            self._keep(name, sock)

    def _keep(self, name: str, sock: socket.socket) -> None:
        self._listening[name] = sock
        self._selector.register(sock, selectors.EVENT_READ, name)

    def _connect_engines(self) -> None:
        """Listen to the engines that aren't listened to yet; one that isn't there may come later."""
        for engine in self._engines():
            if engine.path in self._listening or engine.path in self._on_demand:
                continue
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
            sock.settimeout(0)
            try:
                sock.connect(engine.path)
                if not engine.lasting and _is_started_on_demand(sock):
                    self._on_demand.add(engine.path)
                    sock.close()
                    continue
                sock.send(REQUEST)
            except OSError as error:
                sock.close()
                if error.errno not in (errno.ENOENT, errno.ECONNREFUSED):
                    self.notes[engine.path] = f"no events of the engine at {engine.path}: {error.strerror}"
                continue
            self.notes.pop(engine.path, None)
            self._streams[sock] = EventStream()
            self._keep(engine.path, sock)

    # -- the thread ---------------------------------------------------------

    def _run(self) -> None:
        self._connect_engines()
        while not self._closing.is_set():
            due = self._debouncer.due
            if due is None:
                ready = self._selector.select()
            else:
                # Only the wake-up counts meanwhile: what else comes is read in one go afterwards.
                select.select([self._theirs], [], [], max(0.0, min(_REST, due - time.monotonic())))
                ready = self._selector.select(0)
            if self._closing.is_set():
                return
            for key, _ in ready:
                if isinstance(key.fileobj, socket.socket) and key.data != "wake":
                    self._debouncer.add(time.monotonic(), self._read(str(key.data), key.fileobj))
            moved = self._debouncer.take(time.monotonic())
            if moved:
                self._notify(moved)
                self._connect_engines()  # an engine that has just come up makes itself felt in the kernel first

    def _read(self, name: str, sock: socket.socket) -> frozenset[Moved]:
        if sock in self._streams:
            return self._read_engine(name, sock)
        found: set[Moved] = set()
        for _ in range(_MOST_AT_ONCE):
            try:
                data, ancillary, _, _ = sock.recvmsg(_PIECE, 64)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    self._forget(name, sock)
                    self.notes[name] = f"no {name} events any more: {error.strerror}"
                return frozenset({Moved(_LOST[name], ANY)})
            if name == "nftables":
                found.add(Moved("firewall", _nsid(ancillary)))
            else:
                found |= self._filter.news(data, _nsid(ancillary))
        return frozenset(found)

    def _read_engine(self, name: str, sock: socket.socket) -> frozenset[Moved]:
        stream = self._streams[sock]
        try:
            data = sock.recv(_PIECE)
        except BlockingIOError:
            return frozenset()
        except OSError:
            data = b""
        if not data:
            self._forget(name, sock)
            return frozenset({Moved("engine")})
        found = stream.feed(data)
        if stream.refused:
            self._selector.unregister(sock)  # but it stays in the list, so that it isn't asked again and again
            self.notes[name] = f"no events of the engine at {name}: {stream.refused}"
        return found

    def _forget(self, name: str, sock: socket.socket) -> None:
        self._selector.unregister(sock)
        self._streams.pop(sock, None)
        self._listening.pop(name, None)
        sock.close()


def _nsid(ancillary: Iterable[tuple[int, int, bytes]]) -> int:
    """The namespace a notification came from, by the number ours knows it by."""
    for level, kind, data in ancillary:
        if level == _SOL_NETLINK and kind == _LISTEN_ALL_NSID and len(data) == 4:
            return int(struct.unpack("=i", data)[0])
    return OURS


def _is_started_on_demand(sock: socket.socket) -> bool:
    """Whether systemd listens for it: then the connection itself would start the engine, and keep it running."""
    raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid = struct.unpack("3i", raw)[0]
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").strip() == "systemd"
    except OSError:
        return True
