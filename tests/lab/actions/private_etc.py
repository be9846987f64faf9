"""An /etc of a lab host's own: what is written there never reaches the machine."""

from __future__ import annotations

from lab.machines.hosts import LabHost


def own_etc(host: LabHost) -> None:
    """An /etc of the host's own, with a name server that isn't on a loopback address."""
    host.run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/mnt")
    host.run("cp", "-a", "/etc", "/mnt/etc")
    host.run("rm", "-rf", "/mnt/etc/netns")
    host.run("mount", "--bind", "/mnt/etc", "/etc")
    host.run("rm", "-f", "/etc/resolv.conf")
    host.run("tee", "/etc/resolv.conf", stdin=b"nameserver 127.0.0.53\nnameserver 192.0.2.53\n")
