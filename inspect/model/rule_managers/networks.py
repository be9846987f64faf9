"""Managers of guests, tunnels and overlay networks.  Pure data.

Sources: libvirt's virfirewall and network/bridge_driver_linux.c, LXD's and
Incus' firewall drivers, tailscale's util/linuxfw, wg-quick(8), sshuttle's
methods.  Those that are engines too are in :mod:`dnet_tui.inspect.model.engine_kinds`.
"""

from __future__ import annotations

from dnet_tui.inspect.model.rule_managers.traits import ManagerTraits

NETWORKS: tuple[ManagerTraits, ...] = (
    ManagerTraits(
        kind="libvirt",
        title="libvirt",
        chain_prefixes=("LIBVIRT_",),
        tables=("libvirt_network",),
        interfaces=("virbr*",),
        files=("/etc/libvirt/qemu/networks/",),
        change=("virsh", "net-list", "--all"),
        sysctls=("net.ipv4.ip_forward",),
    ),
    ManagerTraits(
        kind="tailscale",
        title="Tailscale",
        chain_prefixes=("ts-",),
        interfaces=("tailscale*",),
        change=("tailscale", "debug", "prefs"),
    ),
    ManagerTraits(kind="wg-quick", title="wg-quick", table_prefixes=("wg-quick-",), files=("/etc/wireguard/",)),
    ManagerTraits(kind="sshuttle", title="sshuttle", chain_prefixes=("sshuttle-",), table_prefixes=("sshuttle-",)),
    ManagerTraits(kind="dnet-tui", title="dnet-tui", tables=("dnet-tui",)),
)
