"""The first process of a private host: keeps its namespaces alive and ends with its owner.

Run by ``unshare`` as PID 1 of the new namespaces.  Standard library only, as
it starts without site-packages.  It touches nothing but its own mount and UTS
namespaces.

Descriptor 0 is one end of a socket pair whose other end only the owner holds:
``ready`` is said over it, and its end-of-file, however the owner died, ends
this process.  When PID 1 of a PID namespace ends, the kernel kills all the
others in it, and mounts and network namespaces go with the last of them
(pid_namespaces(7)).
"""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import struct
import sys
from pathlib import Path

SIOCGIFFLAGS = 0x8913
SIOCSIFFLAGS = 0x8914
IFF_UP = 0x1

HIDDEN = ("/var/lib/containers", "/var/lib/cni", "/var/lib/docker", "/var/lib/containerd", "/var/lib/dnet-tui")
"""The machine's own state of engines and of this tool: never to be seen, or "repaired", from the private host."""

MARKER = "/run/dnet-tui-private-host"
"""Exists only inside: whoever builds or breaks a host looks for it first."""


def mount_tmpfs(path: str) -> None:
    """Mount an empty tmpfs over ``path`` in this mount namespace; raises OSError with the exit status."""
    argv = ["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", path]
    _, status = os.waitpid(os.posix_spawnp("mount", argv, os.environ), 0)
    if status:
        raise OSError(f"mount of a tmpfs on {path} failed")


def raise_loopback() -> None:
    """Set ``lo`` up in this network namespace (netdevice(7))."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        request = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack("16sH14x", fcntl.ioctl(sock, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | IFF_UP))


def prepare(hostname: str) -> None:
    """Give the new namespaces a name, an empty ``/run`` and a working loopback."""
    socket.sethostname(hostname)
    mount_tmpfs("/run")
    Path("/run/netns").mkdir()
    for path in HIDDEN:
        if Path(path).is_dir():
            mount_tmpfs(path)
    raise_loopback()
    Path(MARKER).touch()


def main() -> int:
    """Prepare the namespaces, say so, and hold them until the owner goes."""
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)  # a terminal's Ctrl-C is the owner's to handle
    with socket.socket(fileno=0) as lifeline:
        try:
            prepare(sys.argv[1])
        except OSError as error:
            print(error, file=sys.stderr)
            return 1
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # orphans are reaped by the kernel
        lifeline.send(b"ready")
        while lifeline.recv(16):
            pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
