"""How fast the app is on a terminal: the first useful paint, keys, keys while it reads or captures, idling, memory.

``script/bench app`` builds private hosts (50 containers with 500 rules; 1,000
with 20,000; the demo with a flood of packets), runs ``dnet-tui`` there on a
pseudo-terminal of 80x24 and presses keys as a person would.  A key is
answered when the cursor's mark is written anew; the first useful paint is the
first that has a container's name.  Its peer is an empty app of the same
toolkit, started in the same minute: ``ratio`` is to that.  Each figure is told
at its best and its median: the best is what the program can do, the median
what it did on this machine with its other work.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import platform
import pty
import re
import select
import signal
import statistics
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from capture import NOBODY, flood
from doctor import complete

from dnet_tui.actions.demo.host import start_demo
from dnet_tui.actions.demo.requirements import require
from dnet_tui.actions.demo.sandbox import Sandbox
from dnet_tui.inspect.kernel.netns import NsHandle, run_in

HERE = Path(__file__).resolve().parent
CLI = [sys.executable, "-P", "-m", "dnet_tui.tui.main"]
EMPTY = "from textual.app import App; from textual.widgets import Static; "
EMPTY += "App.compose = lambda self: [Static('container c0')]; App().run()"
PEER = [sys.executable, "-P", "-c", EMPTY]
SMALL, LARGE = (50, 5, 500), (1000, 20, 20_000)
RATE = 20_000
IDLE = 60.0
AT_REST = 10.0
"""Seconds without a change on the screen: the host's own links settle for some seconds, which is news to the app."""
_ESCAPES = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[PX^_][^\x1b]*\x1b\\|[@-Z\\-_])")
_TICK = os.sysconf("SC_CLK_TCK")


Pressed = list[float]
"""A key: seconds until it was answered, the same without the wait for a free processor, and those of work."""


class Terminal:
    """A program on a pseudo-terminal."""

    def __init__(self, argv: list[str]) -> None:
        self.began = time.perf_counter()
        self.pid, self.fd = pty.fork()
        if not self.pid:
            os.environ.update(TERM="xterm-256color", LINES="24", COLUMNS="80")
            os.execvp(argv[0], argv)  # noqa: S606 - no shell is wanted
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.written = bytearray()

    def read(self, seconds: float) -> bytes:
        """Return what it writes next, nothing when that takes longer."""
        ready, _, _ = select.select([self.fd], [], [], max(seconds, 0.0))
        if not ready:
            return b""
        try:
            new = os.read(self.fd, 1 << 16)
        except OSError:  # it ended
            raise RuntimeError(self.text()[-400:]) from None
        self.written += new
        return new

    def text(self) -> str:
        """Return all that was written, without what only moves and colours."""
        return _ESCAPES.sub(b"", bytes(self.written)).decode(errors="replace")

    def until(self, true: Callable[[str], bool], seconds: float) -> float:
        """Wait until what is written is as wanted; return the time since it was started."""
        end = time.perf_counter() + seconds
        while not true(self.text()):
            if time.perf_counter() > end:
                raise TimeoutError(self.text()[-400:])
            self.read(0.05)
        return time.perf_counter() - self.began

    def quiet(self, seconds: float, limit: float = 90.0) -> None:
        """Wait until it has written nothing for a while."""
        end = time.perf_counter() + limit
        while self.read(seconds) and time.perf_counter() < end:
            pass

    def key(self, key: str, answered: bytes, limit: float = 20.0) -> Pressed:
        """Press a key; return the seconds until ``answered`` is written."""
        self.written.clear()
        used, waited = self.scheduled()
        began = time.perf_counter()
        os.write(self.fd, key.encode())
        while answered not in _ESCAPES.sub(b"", bytes(self.written)):
            self.read(limit - (time.perf_counter() - began))
            if time.perf_counter() - began > limit:
                raise TimeoutError(self.text()[-400:])
        took = time.perf_counter() - began
        used_now, waited_now = self.scheduled()
        return [took, max(took - (waited_now - waited), 0.0), used_now - used]

    def scheduled(self) -> tuple[float, float]:
        """Return the seconds that its main thread was run, and those that it waited for a processor to be free."""
        words = Path(f"/proc/{self.pid}/task/{self.pid}/schedstat").read_text().split()
        return int(words[0]) / 1e9, int(words[1]) / 1e9

    def processor_time(self) -> float:
        """Return the seconds that all its threads were run."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICK

    def memory(self) -> tuple[float, float, float]:
        """Return what it holds now, that without what other programs hold as well, and what it held at the most, in MB.

        At the most is the process's own: while it examines a big host, a copy of it holds more beside it.
        """
        status = Path(f"/proc/{self.pid}/status").read_text() + Path(f"/proc/{self.pid}/smaps_rollup").read_text()
        found = (re.search(rf"{name}:\s+(\d+)", status) for name in ("VmRSS", "Pss", "VmHWM"))
        return tuple(int(item[1]) / 1024 if item else 0.0 for item in found)  # type: ignore[return-value]

    def end(self) -> None:
        """End it."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)


@contextmanager
def running(argv: list[str]) -> Iterator[Terminal]:
    """Run a program on a terminal, and end it."""
    terminal = Terminal(argv)
    try:
        yield terminal
    finally:
        terminal.end()


def first_paint(argv: list[str], words: str) -> tuple[float, float]:
    """Return the seconds from the start until words are on the screen, and those that it was run in them."""
    with running(argv) as terminal:
        return terminal.until(lambda text: words in text, 60), terminal.processor_time()


def small(runs: int, idle: float) -> dict[str, object]:
    """Measure on the small host."""
    first_paint(CLI, "c0")  # so that bytecode is there
    ours, peer = [], []
    for _ in range(runs):
        peer.append(first_paint(PEER, "c0"))
        ours.append(first_paint(CLI, "c0"))
    with running(CLI) as terminal:
        terminal.until(lambda text: "healthy" in text or "error" in text or "warning" in text, 60)
        terminal.quiet(AT_REST)
        terminal.written.clear()
        before = terminal.processor_time()
        terminal.quiet(idle, limit=idle)
        cpu, sent = terminal.processor_time() - before, len(terminal.written)
    return {
        "paint": [wall for wall, _ in ours],
        "empty": [wall for wall, _ in peer],
        "paint cpu": [used for _, used in ours],
        "empty cpu": [used for _, used in peer],
        "idle bytes": sent,
        "idle cpu": cpu,
        "idle": idle,
    }


def up_and_down(number: int) -> str:
    """The keys that move the cursor among the first rows: nothing scrolls, so that its mark is written each time."""
    return "j" if number % 16 < 8 else "k"


def large(keys: int) -> dict[str, object]:
    """Measure on the large host: keys at rest, keys while it is read and examined, memory."""
    with running(CLI) as terminal:
        first = terminal.until(lambda text: "c0" in text, 120)
        terminal.until(lambda text: "healthy" in text or "error" in text or "warning" in text, 300)
        terminal.quiet(AT_REST)
        memory, own, _ = terminal.memory()
        at_rest: list[Pressed] = []
        for number in range(keys):
            at_rest.append(terminal.key(up_and_down(number), b">"))
            terminal.quiet(0.05)
        terminal.written.clear()
        os.write(terminal.fd, b"r")
        terminal.until(lambda text: "reading" in text or "..." in text, 10)
        refreshing: list[Pressed] = []
        began, done = time.perf_counter(), False
        while not done:
            refreshing.append(terminal.key(up_and_down(len(refreshing)), b">"))
            end = time.perf_counter() + 0.05
            while (left := end - time.perf_counter()) > 0:
                terminal.read(left)
            # The clock of the snapshot comes back with the report.
            done = "Z" in terminal.text() and time.perf_counter() - began > 1
            done = done or time.perf_counter() - began > 60
        terminal.quiet(2.0)
        now, own_now, most = terminal.memory()
    return {
        "paint": [first],
        "keys": at_rest,
        "refreshing": refreshing,
        "memory": [round(item) for item in (memory, now, most)],
        "own memory": [round(item) for item in (own, own_now)],
    }


def captured(keys: int) -> dict[str, object]:
    """Measure on the demo, while packets are captured: the help, which covers the screen, is opened and closed."""
    neighbour = ["lladdr", "02:00:00:00:00:77", "dev", "eth0"]
    subprocess.run(["ip", "-n", "web", "neigh", "replace", NOBODY, *neighbour], check=True)
    path = "/run/netns/web"
    web = NsHandle(inode=Path(path).stat().st_ino, path=path)
    sent: list[float] = []

    def send() -> None:
        began = time.perf_counter()
        count = run_in(web, lambda: flood(8.0, RATE))
        sent.append(count / (time.perf_counter() - began))

    with running(CLI) as terminal:
        terminal.until(lambda text: "healthy" in text or "error" in text or "warning" in text, 60)
        terminal.key("/", b"filter /")
        os.write(terminal.fd, b"web\r")
        terminal.quiet(1.0)
        os.write(terminal.fd, b"5c")
        terminal.quiet(2.0)
        thread = threading.Thread(target=send)
        thread.start()
        time.sleep(1.5)
        took: list[Pressed] = []
        while thread.is_alive() and len(took) < keys:
            took.append(terminal.key("?", b"next panel"))
            os.write(terminal.fd, b"\x1b")
            end = time.perf_counter() + 0.15
            while (left := end - time.perf_counter()) > 0:
                terminal.read(left)
        thread.join()
        terminal.quiet(1.0)
        text = terminal.text()
    return {"keys": took, "rate": sent[0], "seen": text[-300:]}


def inside(what: str, runs: int, idle: float) -> dict[str, object]:
    """Measure on the host this runs in."""
    if what == "capture":
        return captured(runs * 6)
    complete((SMALL if what == "small" else LARGE)[1])
    return small(runs, idle) if what == "small" else large(runs * 8)


def on_host(what: str, runs: int, idle: float) -> dict[str, object]:
    """Build a host, measure, take it away."""
    argv = [sys.executable, "-P", str(Path(__file__).resolve()), "--inside", what]
    argv += ["--runs", str(runs), "--idle", str(idle)]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])]),
    }
    if what == "capture":
        with start_demo() as place:
            return found_in(place.run(argv, timeout=300, check=True, environment=environment).stdout)
    with Sandbox.start("bench") as box:
        numbers = [str(number) for number in (SMALL if what == "small" else LARGE)]
        box.run([sys.executable, "-P", str(HERE / "big_host.py"), *numbers], timeout=300, check=True)
        time.sleep(5)  # the kernel is still busy with the links that came up
        return found_in(box.run(argv, timeout=900, check=True, environment=environment).stdout)


def found_in(text: str | bytes) -> dict[str, object]:
    """Return what was measured inside."""
    found: dict[str, object] = json.loads(text)
    return found


def spread(values: object, scale: float = 1000.0, unit: str = "ms") -> str:
    """Say a series: its best, its median, its worst."""
    if not isinstance(values, list):
        raise TypeError(values)
    best, middle, worst = min(values), statistics.median(values), max(values)
    digits = 0 if unit == "ms" else 2
    return (
        f"best {best * scale:.{digits}f}, median {middle * scale:.{digits}f}, worst {worst * scale:.{digits}f} {unit}"
    )


def middle(values: object) -> float:
    """Return a series' median."""
    if not isinstance(values, list):
        raise TypeError(values)
    return float(statistics.median(values))


def keys(values: object) -> str:
    """Say what keys took, with and without the wait for a processor."""
    if not isinstance(values, list):
        raise TypeError(values)
    took, alone, used = ([item[place] for item in values] for place in range(3))
    text = f"{spread(took)}; without the wait for a free processor {spread(alone)}"
    return f"{text}; work {statistics.median(used) * 1000:.0f} ms"


def main() -> int:
    """Measure and print; returns 0."""
    parser = argparse.ArgumentParser(description="Measure the app on a terminal, on live hosts.")
    parser.add_argument("what", nargs="*", choices=[[], "small", "large", "capture"], help="default: all of them")
    parser.add_argument("--runs", type=int, default=5, help="runs of each measurement (default 5)")
    parser.add_argument("--idle", type=float, default=IDLE, help="seconds of idling (default 60)")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        print(json.dumps(inside(options.inside, options.runs, options.idle)))
        return 0
    require("ip", "iptables-nft-save", "iptables-nft-restore")
    wanted = options.what or ["small", "large", "capture"]
    print(f"{os.cpu_count()} cores, Linux {platform.release()}, load {os.getloadavg()[0]:.2f}")
    for what in wanted:
        found = on_host(what, options.runs, options.idle)
        if what == "small":
            ours, peer, used = spread(found["paint"], 1.0, "s"), found["empty"], spread(found["paint cpu"], 1.0, "s")
            times = middle(found["paint"]) / middle(peer)
            print(f"50 containers, first useful paint: {ours} (aim: 0.7 s), {times:.2f} times an empty app")
            print(f"  work until then: {used}; the empty app's: {spread(found['empty cpu'], 1.0, 's')}")
            cost = f"{found['idle bytes']} bytes, {found['idle cpu']:.2f} s of work"
            print(f"idle for {found['idle']:.0f} s: {cost} (aim: 0, 0.1 s)")
        elif what == "large":
            print(f"1,000 containers, 20,000 rules: key to paint {keys(found['keys'])} (aim: 50 ms)")
            print(f"  while it is read and examined again: {keys(found['refreshing'])} (aim: 50 ms)")
            print(f"  memory once read, once read again, at the most: {found['memory']} MB (aim: 140 MB)")
            print(f"  of that its own (PSS), once read, once read again: {found['own memory']} MB")
            print(f"  first useful paint: {spread(found['paint'], 1.0, 's')}")
        else:
            print(f"{found['rate']:.0f} packets/s captured: key to paint {keys(found['keys'])} (aim: 100 ms)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
