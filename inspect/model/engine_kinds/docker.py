"""Docker, as far as it differs from other engines.  Pure data.

Sources: moby's libnetwork/drivers/bridge and its iptabler and nftabler, 20.10
to 29; dockerd(8); moby's cmd/docker-proxy; contrib/init for the log files.
The words for failed starts: libnetwork/portallocator/portallocator.go and
drivers/bridge/port_mapping_linux.go (a host port), ipamapi/contract.go and,
before 27.0, ipam/allocator.go (address pools), drivers/bridge/setup_verify_linux.go
(the bridge's address), bridge_linux.go (adding the veth and the bridge port),
setup_bridgenetfiltering.go, setup_ip_forwarding.go, osl/interface_linux.go (a
port that doesn't forward).  The names of namespaces: libnetwork/osl/namespace_linux.go
(GenerateKey keeps 12 characters), drivers/overlay/ov_network.go, agent.go.
"""

from __future__ import annotations

from dnet_tui.inspect.model.engine_kinds.traits import EngineLog, EngineTraits, Supervisor

USER_CHAIN = "DOCKER-USER"
FORWARD_CHAIN = "DOCKER-FORWARD"
"""To which FORWARD jumps, since 28."""
ANSWERS_CHAIN = "DOCKER-CT"
PORTS_CHAIN = "DOCKER"
STAGE_1, STAGE_2 = "DOCKER-ISOLATION-STAGE-1", "DOCKER-ISOLATION-STAGE-2"
NATIVE_TABLE = "docker-bridges"
"""``ip`` and ``ip6``, of the backend that does without iptables (from 29 on)."""
DEFAULT_BRIDGE = "docker0"
BRIDGE_PREFIX = "br-"
"""Before the first 12 digits of a network's id."""
CONTAINERD_NAMESPACE = "moby"
"""What Docker's containers are filed under in containerd."""

_ADDRESS = r"[0-9A-Fa-f.:]{1,44}[0-9A-Fa-f]"
_UNSUPPORTED = "operation not supported"
_REQUESTED = "requested configuration"
_PROTO = r"(?:tcp|udp|sctp)"

DOCKER = EngineTraits(
    kind="docker",
    title="Docker",
    command="docker",
    restore_rules=("systemctl", "restart", "docker"),
    restore_text="restart Docker",
    restore_note="Docker stops its containers when it restarts, unless live-restore is on",
    supervisors=(
        Supervisor(name="dockerd"),
        Supervisor(name="containerd-shim", prefix=True, option="-namespace", values=(CONTAINERD_NAMESPACE, "")),
    ),
    programs=("docker-proxy", "dockerd"),
    cgroup_prefixes=("docker",),
    cgroup_parents=("docker",),
    rootless_socket="docker.sock",
    daemon="dockerd",
    log=EngineLog(
        process="dockerd",
        unit="docker.service",
        daemon=True,
        files=("/var/log/docker.log", "/var/log/upstart/docker.log"),
        data="/var/lib/docker",
    ),
    startup_errors=(
        (
            "port-taken",
            (
                r"Bind for \S{1,50}:(?P<port1>\d{1,5}) failed: port is already allocated",
                rf"listen {_PROTO}[46]? \S{{0,50}}:(?P<port2>\d{{1,5}}): bind: address already in use",
                rf"failed to bind host port for \S{{1,50}}?:(?P<port3>\d+):\S{{1,60}}/{_PROTO}: address already in use",
                rf"failed to bind host port \S{{1,50}}:(?P<port4>\d{{1,5}})/{_PROTO}: address already in use",
            ),
        ),
        (
            "pool-exhausted",
            (
                r"could not find an available, non-overlapping IPv[46] address pool among the defaults",
                r"all predefined address pools have been fully subnetted",
            ),
        ),
        (
            "bridge-ip-mismatch",
            (rf"bridge IPv[46] \((?P<have>{_ADDRESS})\) does not match {_REQUESTED} (?P<want>{_ADDRESS})",),
        ),
        (
            "veth-unsupported",
            (
                rf"failed to add the host \(\S{{0,15}}\) <=> sandbox \(\S{{0,15}}\) pair interfaces: {_UNSUPPORTED}",
                r"failed to make veth pair: operation not supported",
            ),
        ),
        (
            "exchange-full",
            (
                r"adding interface \S{1,15} to bridge \S{1,15} failed: exchange full",
                r"unable to set master of \S{1,15}: exchange full",
            ),
        ),
        ("port-not-fwd", (r"Bridge port not forwarding",)),
        (
            "icc-no-brnf",
            (
                r"ensure that the br_netfilter kernel module is loaded",
                r"cannot restrict inter-container communication",
            ),
        ),
        ("forwarding-off", (r"IPv(?:4|6 global) forwarding is disabled: check your host's firewalling",)),
    ),
    default_networks=("bridge", "host", "none", "docker_gwbridge", "ingress"),
    default_bridges=(("bridge", DEFAULT_BRIDGE),),
    port_proxy="docker-proxy",
    proxy_processes=("docker-proxy", "rootlesskit-doc"),
    port_holders=("docker-proxy",),
    namespace_folder="docker/netns",
    network_namespaces=(
        (r"\d+-(?P<id>[0-9a-z]{9,25})", "network"),
        (r"lb_(?P<id>[0-9a-z]{9,25})", "load-balancer"),
        (r"(?P<name>ingress)_sbox", "load-balancer"),
    ),
    embedded_resolver="127.0.0.11",
    icc_by_br_netfilter=True,
    tables=(NATIVE_TABLE, "docker-dns"),
    chains=(PORTS_CHAIN,),
    chain_prefixes=("DOCKER-", "DOCKER_"),
    chain_marks=("DOCKER",),
    user_chains=(USER_CHAIN,),
    ports_chain=PORTS_CHAIN,
    nat_entry=(PORTS_CHAIN, PORTS_CHAIN),
    isolation_chains=(STAGE_1, STAGE_2),
    isolates_internal_by_subnet=True,
    in_builtin_chains=True,
    masquerades_to_itself=True,
    guards_loopback_ports=True,
    guards_addresses=True,
    drops_by_default=True,
    ip6_rules="setting",
    firewalld_zone="docker",
    firewalld_binding="interface",
)
