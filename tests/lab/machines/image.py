"""The image of the lab's containers, made without a registry: busybox and links to it."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from shutil import which

from dnet_tui.actions.demo.requirements import search_path
from dnet_tui.inspect.errors import ActionFailedError

IMAGE = "lab/busybox:1"
APPLETS = ("sh", "ping", "httpd", "nc", "wget", "ip", "sleep", "echo", "cat")

SLEEP = ("/bin/sleep", "100000")
HTTPD = ("/bin/httpd", "-f", "-p", "80", "-h", "/etc")
"""Answers over HTTP with /etc/hostname, which the engine writes: so an answer tells who gave it."""

Containers = dict[str, tuple[tuple[str, ...], tuple[str, ...]]]
"""Options of ``run`` and the command, by the container's name."""


def image_tar() -> bytes:
    """Return a tar of the root file system, as ``import`` takes it."""
    busybox = which("busybox", path=search_path())
    if busybox is None:
        raise ActionFailedError("busybox is not installed")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.add(Path(busybox).resolve(), arcname="bin/busybox")
        for applet in APPLETS:
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
    return buffer.getvalue()


def run_arguments(name: str, options: tuple[str, ...], command: tuple[str, ...], cgroup: str = "") -> list[str]:
    """Return the arguments of ``docker`` or ``podman`` that start a container."""
    words = ["run", "--detach", f"--name={name}", "--stop-timeout=0"]
    if cgroup:
        words.append(f"--cgroup-parent=/{cgroup}")  # absolute: podman would nest it in that of conmon
    if not any(option.startswith(("--network=container:", "--network=host")) for option in options):
        words.append(f"--hostname={name}")  # these two share another's host name
    return [*words, *options, IMAGE, *command]
