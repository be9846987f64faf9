"""Reads the sysctls that decide over container traffic, in the calling thread's namespace.

/proc/sys/net shows the network namespace of the *thread* that looks a name
up, so this needs no mount.  A file that isn't there is absent from the
answer (IPv6 or br_netfilter not loaded); one that can't be read is counted.

Sources: Documentation/networking/ip-sysctl.rst, nf_conntrack-sysctl.rst.
"""

from __future__ import annotations

import os

import msgspec

from dnet_tui.inspect.legible import storable, text

_ROOT = "/proc/sys/net"

_SINGLE = (
    "ipv4/ip_forward",
    "ipv4/ip_nonlocal_bind",
    "ipv4/ip_unprivileged_port_start",
    "bridge/bridge-nf-call-iptables",
    "bridge/bridge-nf-call-ip6tables",
    "bridge/bridge-nf-call-arptables",
    "netfilter/nf_conntrack_count",
    "netfilter/nf_conntrack_max",
)
_PER_DEVICE = {
    "ipv4/conf": (
        "forwarding",
        "rp_filter",
        "route_localnet",
        "accept_local",
        "arp_ignore",
        "arp_announce",
        "proxy_arp",
        "accept_redirects",
    ),
    "ipv6/conf": ("forwarding", "disable_ipv6", "accept_ra", "proxy_ndp"),
}


class Sysctls(msgspec.Struct, frozen=True, kw_only=True):
    """The values by dotted name, and the names that are there but could not be read, with the reason."""

    values: dict[str, str]
    unreadable: dict[str, str]


def read_sysctls() -> Sysctls:
    """Read them all.  Never raises for a single file."""
    values: dict[str, str] = {}
    unreadable: dict[str, str] = {}
    for path in _paths():
        try:
            values[dotted(path)] = _read(f"{_ROOT}/{path}")
        except FileNotFoundError:
            continue  # not in this kernel, or the device went away meanwhile
        except OSError as error:
            unreadable[dotted(path)] = error.strerror or str(error)
    return Sysctls(values=values, unreadable=unreadable)


def _paths() -> list[str]:
    paths = list(_SINGLE)
    for folder, names in _PER_DEVICE.items():
        try:
            devices = sorted(os.listdir(f"{_ROOT}/{folder}"))  # noqa: PTH208 - thousands of entries on a busy host
        except OSError:
            continue
        paths.extend(f"{folder}/{device}/{name}" for device in devices for name in names)
    return paths


def _read(path: str) -> str:
    """A sysctl's value without its line break.  Plain descriptors: this runs a dozen times per device."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return text(os.read(fd, 4096)).strip()
    finally:
        os.close(fd)


def dotted(path: str) -> str:
    """The dotted name of a file below /proc/sys/net; a dot in a device's name becomes ``/``, as sysctl(8) writes it."""
    return "net." + ".".join(part.replace(".", "/") for part in storable(path).split("/"))
