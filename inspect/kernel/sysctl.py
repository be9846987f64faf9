"""Reads the sysctls that decide over container traffic, in the calling thread's namespace.

/proc/sys/net shows the network namespace of the *thread* that looks a name
up, so this needs no mount.  A file that isn't there is absent from the
answer (IPv6 or br_netfilter not loaded); one that can't be read is counted.

A device's own settings come with the dump of links (IFLA_AF_SPEC), the very
numbers that the files show; only what isn't a link's is read from files.
Each file is opened below an open folder: with a thousand namespaces a walk
from the root passes a thousand entries of the same name.

Sources: Documentation/networking/ip-sysctl.rst, nf_conntrack-sysctl.rst,
linux/ip.h, linux/ipv6.h.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from functools import lru_cache

import msgspec

from dnet_tui.inspect.kernel.device_settings import DeviceSettings
from dnet_tui.inspect.text.encoding import storable, text

_ROOT = "/proc/sys/net"

_IP_SETTINGS = {
    "forwarding": 0,
    "proxy_arp": 2,
    "accept_redirects": 3,
    "send_redirects": 5,
    "rp_filter": 7,
    "log_martians": 10,
    "arp_filter": 12,
    "medium_id": 13,
    "disable_xfrm": 14,
    "disable_policy": 15,
    "arp_announce": 17,
    "arp_ignore": 18,
    "arp_accept": 20,
    "accept_local": 22,
    "src_valid_mark": 23,
    "proxy_arp_pvlan": 24,
    "route_localnet": 25,
    "ignore_routes_with_linkdown": 28,
}
"""Per-device settings of IPv4, with their place in the kernel's array (IPV4_DEVCONF_* less one)."""

_IP6_SETTINGS = {
    "forwarding": 0,
    "hop_limit": 1,
    "mtu": 2,
    "accept_ra": 3,
    "proxy_ndp": 22,
    "disable_ipv6": 26,
    "ignore_routes_with_linkdown": 39,
    "disable_policy": 48,
    "force_forwarding": 59,
}
"""The same of IPv6 (DEVCONF_*)."""


_IP_PLACES, _IP6_PLACES = tuple(_IP_SETTINGS.values()), tuple(_IP6_SETTINGS.values())
_NOT_DEVICES = frozenset({"all", "default"})
"""A link of such a name has no sysctls of its own (kernel, sysctl_dev_name_is_allowed)."""


def _conf(settings: Mapping[str, int]) -> tuple[str, ...]:
    return tuple(f"conf/{device}/{name}" for device in ("all", "default") for name in settings)


_FILES: dict[str, tuple[str, ...]] = {
    "ipv4": (
        "ip_forward",
        "ip_default_ttl",
        "ip_no_pmtu_disc",
        "ip_nonlocal_bind",
        "icmp_echo_ignore_all",
        "ip_unprivileged_port_start",
        "ip_local_port_range",
        "ping_group_range",
        "fwmark_reflect",
        "tcp_l3mdev_accept",
        "udp_l3mdev_accept",
        "fib_multipath_hash_policy",
        "neigh/default/gc_thresh3",
        *_conf(_IP_SETTINGS),
    ),
    "ipv6": ("neigh/default/gc_thresh3", "icmp/echo_ignore_all", *_conf(_IP6_SETTINGS)),
    "bridge": (
        "bridge-nf-call-iptables",
        "bridge-nf-call-ip6tables",
        "bridge-nf-call-arptables",
        "bridge-nf-filter-vlan-tagged",
    ),
    "netfilter": ("nf_conntrack_count", "nf_conntrack_max", "nf_conntrack_tcp_be_liberal"),
}
"""What is read from files, by the folder below /proc/sys/net.  (nf_conntrack_max is the first namespace's, for all.)"""


class Sysctls(msgspec.Struct, frozen=True, kw_only=True):
    """The values by dotted name, and the names that are there but could not be read, with the reason."""

    values: dict[str, str]
    unreadable: dict[str, str]


def read_sysctls(devices: Mapping[str, DeviceSettings], *, bridges: bool = True) -> Sysctls:
    """Read them all.  Never raises for a single file.

    Args:
        devices: the settings that came with the namespace's links, by the link's name.
        bridges: whether there is any bridge; without, the settings of br_netfilter mean nothing and aren't read.
    """
    values: dict[str, str] = {}
    unreadable: dict[str, str] = {}
    for folder, names in _FILES.items():
        if folder == "bridge" and not bridges:
            continue
        try:
            fd = os.open(f"{_ROOT}/{folder}", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue  # not in this kernel, or not loaded
        except OSError as error:
            unreadable[f"net.{folder}"] = error.strerror or str(error)
            continue
        try:
            _read_files(fd, folder, names, values, unreadable)
        finally:
            os.close(fd)
    for name, settings in devices.items():
        if name not in _NOT_DEVICES:
            parse_settings(name, settings, values)
    _read_proxy_delays([name for name in devices if name not in _NOT_DEVICES], values, unreadable)
    return Sysctls(values=values, unreadable=unreadable)


def _read_proxy_delays(names: list[str], values: dict[str, str], unreadable: dict[str, str]) -> None:
    """How long a device waits before it answers for others, in hundredths of a second; only where it does."""
    keys = ("proxy_arp", "proxy_arp_pvlan")
    scopes = {name: ("all", name.replace(".", "/")) for name in names}
    wanted = tuple(
        f"neigh/{name}/proxy_delay"
        for name, parts in scopes.items()
        if any(values.get(f"net.ipv4.conf.{part}.{key}") == "1" for part in parts for key in keys)
    )
    if not wanted:
        return
    try:
        fd = os.open(f"{_ROOT}/ipv4", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return  # told above
    try:
        _read_files(fd, "ipv4", wanted, values, unreadable)
    finally:
        os.close(fd)


def _read_files(
    fd: int, folder: str, names: tuple[str, ...], values: dict[str, str], unreadable: dict[str, str]
) -> None:
    for name in names:
        try:
            values[dotted(f"{folder}/{name}")] = _read(fd, name)
        except FileNotFoundError:
            continue  # not in this kernel, or only in the first namespace
        except OSError as error:
            unreadable[dotted(f"{folder}/{name}")] = error.strerror or str(error)


def _read(folder: int, name: str) -> str:
    """A sysctl's value without its line break.  Plain descriptors: this runs some sixty times per namespace."""
    fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder)
    try:
        return _value(os.read(fd, 4096))
    finally:
        os.close(fd)


@lru_cache(maxsize=1024)
def _value(raw: bytes) -> str:
    r"""The text of a value; of several numbers those are parted by a tab, as sysctl(8) prints them."""
    return text(raw).strip()


def parse_settings(name: str, settings: DeviceSettings, values: dict[str, str]) -> None:
    """Add a device's settings to ``values`` by dotted name; those that its kernel hasn't got are left out."""
    ip, ip6 = _setting_names(name)
    values.update(zip(ip, _numbers(settings.ip, _IP_PLACES), strict=False))
    values.update(zip(ip6, _numbers(settings.ip6, _IP6_PLACES), strict=False))


@lru_cache(maxsize=4096)
def _setting_names(device: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The dotted names of a device's settings, shared by all the namespaces that have a device of this name."""
    part = device.replace(".", "/")
    return (
        tuple([f"net.ipv4.conf.{part}.{name}" for name in _IP_SETTINGS]),
        tuple([f"net.ipv6.conf.{part}.{name}" for name in _IP6_SETTINGS]),
    )


@lru_cache(maxsize=1024)
def _numbers(raw: bytes, places: tuple[int, ...]) -> tuple[str, ...]:
    """The numbers at these places, in rising order; it ends with the array."""
    count = len(raw) // 4
    array = struct.unpack_from(f"={count}i", raw)
    return tuple(str(array[place]) for place in places if place < count)


@lru_cache(maxsize=4096)
def dotted(path: str) -> str:
    """The dotted name of a file below /proc/sys/net; a dot in a device's name becomes ``/``, as sysctl(8) writes it."""
    return "net." + ".".join(part.replace(".", "/") for part in storable(path).split("/"))
