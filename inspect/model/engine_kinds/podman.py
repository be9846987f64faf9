"""Podman with netavark or CNI, as far as it differs from other engines.  Pure data.

Sources: netavark's firewall drivers and network/bridge.rs ("create veth
pair"), the CNI plugins, podman-network(1), aardvark-dns(1).
"""

from __future__ import annotations

from dnet_tui.inspect.model.engine_kinds.traits import EngineLog, EngineTraits, Supervisor

NATIVE_TABLE = "netavark"
"""``inet``, of netavark's nftables driver."""
DEFAULT_NETWORK, DEFAULT_BRIDGE = "podman", "podman0"
CNI = "cni"
"""The network backend before netavark; rules' owners are called so as well."""

PODMAN = EngineTraits(
    kind="podman",
    title="Podman",
    command="podman",
    restore_rules=("podman", "network", "reload", "--all"),
    restore_text="have Podman write its rules again",
    restore_note="Running containers keep running",
    supervisors=(Supervisor(name="conmon"),),
    programs=("conmon", "podman", "netavark", "aardvark-dns"),
    cgroup_prefixes=("libpod",),
    cgroup_parents=("libpod_parent",),
    rootless_socket="podman/podman.sock",
    log=EngineLog(process="podman", unit="podman.service"),
    startup_errors=(("veth-unsupported", (r"create veth pair: Netlink error: Operation not supported",)),),
    default_networks=(DEFAULT_NETWORK,),
    default_bridges=((DEFAULT_NETWORK, DEFAULT_BRIDGE),),
    port_holders=("rootlessport", "conmon"),
    name_server="aardvark-dns",
    isolation_is_mutual=True,
    keeps_internal_unforwarded=True,
    wildcard_means_both=True,
    tables=(NATIVE_TABLE,),
    chain_prefixes=("NETAVARK-", "NETAVARK_"),
    chain_marks=("NETAVARK", "CNI-"),
    user_chains=("NETAVARK_USER", "CNI-ADMIN"),
    rule_programs=(CNI,),
    nat_entry=("NETAVARK-HOSTPORT-DNAT", "NETAVARK-DN-"),
    isolation_chains=("NETAVARK_ISOLATION_1", "NETAVARK_ISOLATION_2"),
    ip6_rules="alike",
    ip4_only_backends=(CNI,),
    firewalld_zone="trusted",
    firewalld_binding="source",
)
