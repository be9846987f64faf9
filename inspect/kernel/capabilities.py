"""Which of root's privileges this process has, and how to say that one is missing.

Being root is not enough: a container, a sandbox or a service's
CapabilityBoundingSet takes single ones away.  Sources: capabilities(7),
proc(5) (``CapEff`` in /proc/PID/status), linux/capability.h.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from dnet_tui.inspect.kernel.netns import read_small

CAP_NET_ADMIN = 12
CAP_SYS_PTRACE = 19
CAP_SYS_ADMIN = 21

_NAMES = {CAP_NET_ADMIN: "CAP_NET_ADMIN", CAP_SYS_PTRACE: "CAP_SYS_PTRACE", CAP_SYS_ADMIN: "CAP_SYS_ADMIN"}
_AS_ROOT = "run as root (sudo dnet-tui …)"


class Missing(NamedTuple):
    """Why something is refused, and what to do about it."""

    reason: str
    hint: str


def has_capability(number: int) -> bool:
    """Whether the calling thread has it.

    Raises:
        OSError: /proc isn't there.
    """
    return bool(parse_effective(read_small("/proc/thread-self/status")) >> number & 1)


def parse_effective(raw: bytes) -> int:
    """The effective capabilities in a /proc/PID/status, one bit each; 0 where they aren't told."""
    for line in raw.splitlines():
        name, _, value = line.partition(b":")
        if name == b"CapEff":
            try:
                return int(value, 16)
            except ValueError:
                return 0
    return 0


def explain_refusal(capability: int, otherwise: str) -> Missing:
    """Why the kernel refused what takes a capability.

    Args:
        capability: the one that it takes.
        otherwise: the reason where this process has it all the same.
    """
    name = _NAMES[capability]
    try:
        if has_capability(capability):
            return Missing(otherwise, "")
    except OSError:
        return Missing(f"{name} is needed", _AS_ROOT)
    if os.geteuid() != 0:
        return Missing(f"{name} is missing, which root has", _AS_ROOT)
    hint = f"run dnet-tui where root has {name}: a container, a sandbox or a service's settings took it away here"
    return Missing(f"{name} is missing, though this is root", hint)
