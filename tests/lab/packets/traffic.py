"""Real traffic between the places of a lab host, and how it went.

A probe runs in the *network* namespace of its source only, with the machine's
own Python: nothing of a container is ever executed.  ``ok`` means that the
right one answered, shown by what it said.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Literal

from lab.machines.hosts import LabHost

PROBER = str(Path(__file__).with_name("prober.py"))
LIMIT = 1.5
"""Seconds a probe waits for an answer.  It takes a few milliseconds, so this is patience with a busy machine."""

SILENCE = 0.5
"""Seconds after which silence is believed, where silence is what the test expects."""


class Went(Enum):
    """How a probe went: the right answer, an active refusal (RST, port unreachable), silence, or no way there."""

    OK = "ok"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True)
class Probe:
    """One probe.

    ``source`` is a container's name, ``host`` or ``outside``.  ``to`` is an
    address or a container's name (its first address of ``family``).
    ``answers`` is who must answer over TCP; by default the container that
    ``to`` names.
    """

    source: str
    to: str
    port: int = 0
    proto: Literal["tcp", "udp", "icmp", "dns"] = "tcp"
    answers: str = ""
    sport: int = 0
    """The port that a UDP probe is sent from; 0 for any."""
    family: Literal["ip", "ip6"] = "ip"


def went(host: LabHost, probe: Probe, limit: float = LIMIT) -> Went:
    """Send a probe and return how it went; AssertionError when the wrong one answered or the prober failed."""
    known = host.addresses if probe.family == "ip" else host.addresses6
    address = known.get(probe.to, probe.to)
    arguments = [probe.proto, address, str(probe.port), str(limit), probe.answers or probe.to, str(probe.sport)]
    argv = [*host.enter(probe.source), sys.executable, "-I", "-S", PROBER, *arguments]
    # The time limit is the prober's; this one only guards against a hang.
    result = host.sandbox.run(argv, timeout=limit * 5 + 10)
    words = result.stdout.decode().strip()
    assert result.returncode == 0, f"{probe}: {result.stderr.decode()}"
    assert not words.startswith("wrong"), f"{probe}: {words}"
    return Went(words)


def expect(host: LabHost, wanted: Mapping[Probe, Went]) -> None:
    """Send all probes at once and assert that each went as wanted; the error shows those that did not."""

    def send(probe: Probe) -> Went:
        limit = SILENCE if wanted[probe] is Went.TIMEOUT else LIMIT
        seen = went(host, probe, limit)
        if seen is Went.UNREACHABLE and wanted[probe] in {Went.OK, Went.TIMEOUT}:
            # The kernel may just be giving up a neighbour that an earlier probe made it ask for: now it asks anew.
            return went(host, probe, limit)
        return seen

    with ThreadPoolExecutor(max_workers=12) as pool:
        seen = dict(zip(wanted, pool.map(send, wanted), strict=True))
    wrong = {probe: result for probe, result in seen.items() if result is not wanted[probe]}
    words = [f"{probe}: wanted {wanted[probe].value}, went {result.value}" for probe, result in wrong.items()]
    assert not wrong, "\n".join(words)
