"""Managers of guests, tunnels and overlay networks.  Pure data.

Sources: libvirt's virfirewall and network/bridge_driver_linux.c, LXD's and
Incus' firewall drivers, tailscale's util/linuxfw, NetBird's client/firewall,
Mullvad's talpid-core/src/firewall, NordVPN's daemon/firewall, wg-quick(8),
sshuttle's methods.  Those that are engines too are in :mod:`dnet_tui.inspect.model.engine_kinds`.
"""

from __future__ import annotations

from dnet_tui.inspect.model.rule_writers.traits import RuleWriter

NETWORKS: tuple[RuleWriter, ...] = (
    RuleWriter(
        kind="libvirt",
        title="libvirt",
        chain_prefixes=("LIBVIRT_",),
        tables=("libvirt_network",),
        interfaces=("virbr*",),
        files=("/etc/libvirt/qemu/networks/",),
        change=("virsh", "net-list", "--all"),
        sysctls=(("net.ipv4.ip_forward", "1"),),
    ),
    RuleWriter(
        kind="tailscale",
        title="Tailscale",
        chain_prefixes=("ts-",),
        interfaces=("tailscale*",),
        change=("tailscale", "debug", "prefs"),
    ),
    RuleWriter(
        kind="netbird",
        title="NetBird",
        chain_prefixes=("NETBIRD-",),
        tables=("netbird", "netbird-rt"),
        change=("netbird", "status"),
    ),
    RuleWriter(kind="mullvad", title="Mullvad VPN", tables=("mullvad",), change=("mullvad", "status")),
    RuleWriter(kind="nordvpn", title="NordVPN", comments=("nordvpn",), change=("nordvpn", "settings")),
    RuleWriter(kind="wg-quick", title="wg-quick", table_prefixes=("wg-quick-",), files=("/etc/wireguard/",)),
    RuleWriter(kind="sshuttle", title="sshuttle", chain_prefixes=("sshuttle-",), table_prefixes=("sshuttle-",)),
    RuleWriter(kind="dnet-tui", title="dnet-tui", tables=("dnet-tui",), comments=("dnet-tui:",)),
)
