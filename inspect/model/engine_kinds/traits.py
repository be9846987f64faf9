"""The questions that the rest of the house may ask about a kind of engine.  Pure data.

An engine's module fills in what is true of it; what isn't stated is not
claimed.  How an engine is asked is another matter: that is
:mod:`dnet_tui.inspect.engines`.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from dnet_tui.inspect.model.snapshot import NamespaceRole


class Supervisor(msgspec.Struct, frozen=True, kw_only=True):
    """A process above a container's by which the engine is known: ``name`` is what the kernel calls it.

    ``prefix``: the name only begins so.  ``option`` with ``values``: one of
    its arguments has one of these values (empty: or isn't given).
    ``argument``: it is part of one of the arguments.
    """

    name: str
    prefix: bool = False
    option: str = ""
    values: tuple[str, ...] = ()
    argument: str = ""


class EngineLog(msgspec.Struct, frozen=True, kw_only=True):
    """Where an engine logs to.

    ``process`` is the name of what does the work; where it is a ``daemon``,
    the file that it logs to and its last words count as well.  ``files`` are
    those of init scripts without a journal, ``data`` shows that it is installed.
    """

    process: str
    unit: str
    daemon: bool = False
    files: tuple[str, ...] = ()
    data: str = ""


class EngineTraits(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of engine.  ``kind`` is what ``Engine.name``, ``Network.engine`` and ``Container.engine`` say."""

    kind: str
    title: str
    """How people write it."""
    owner: str = ""
    """How the owner of its rules is called, where that isn't ``kind``."""

    # -- its commands
    command: str = ""
    """Its command line; it knows ``restart``, ``network connect`` and ``network disconnect``."""
    restore_rules: tuple[str, ...] = ()
    """The command that has it write all its firewall rules again."""
    restore_text: str = ""
    """The same in words."""
    restore_note: str = ""
    """What that does to containers."""

    # -- its processes
    supervisors: tuple[Supervisor, ...] = ()
    programs: tuple[str, ...] = ()
    """What the kernel calls its programs."""
    cgroup_prefixes: tuple[str, ...] = ()
    """How the cgroup of a container begins, before a dash and its long id."""
    cgroup_parents: tuple[str, ...] = ()
    """The cgroups above those of its containers."""
    only_by_cgroup: bool = False
    """Its containers are known by their processes alone, and that is enough: there is no API to miss."""
    rootless_socket: str = ""
    """Where a user's own listens, below /run/user/UID."""
    daemon: str = ""
    """What the kernel calls the process that does its work, if one does; a user's own is started by RootlessKit."""
    log: EngineLog | None = None
    startup_errors: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Its words for what keeps containers, networks or itself from starting: a kind and its patterns.

    The kinds are those of :mod:`dnet_tui.inspect.model.engine_kinds.startup_errors`."""

    # -- its networks
    default_networks: tuple[str, ...] = ()
    """The networks it has from the beginning."""
    default_bridges: tuple[tuple[str, str], ...] = ()
    """Their bridges, by network."""
    port_proxy: str = ""
    """The program that passes on a published port in user space."""
    proxy_processes: tuple[str, ...] = ()
    """What the kernel calls that program; of a name it keeps 15 bytes."""
    port_holders: tuple[str, ...] = ()
    """The processes that may hold the host's side of a published port."""
    name_server: str = ""
    """The program that answers for names at a network's gateway."""
    embedded_resolver: str = ""
    """The address in each container at which it resolves names."""
    isolation_is_mutual: bool = False
    """Two networks are kept apart only where both ask for it."""
    keeps_internal_unforwarded: bool = False
    """It turns forwarding off on the bridges of internal networks."""
    icc_by_br_netfilter: bool = False
    """Neighbours are kept apart by a rule that works only where br_netfilter calls iptables."""
    wildcard_means_both: bool = False
    """It says 0.0.0.0 of a port that is published on every address, and of one for all of IPv4 alike."""

    namespace_folder: str = ""
    """Where it binds the namespaces that it makes, below /run or a user's runtime folder."""
    network_namespaces: tuple[tuple[str, NamespaceRole], ...] = ()
    """Patterns of the names there of those it makes for networks; ``id`` begins the network's id, else ``name``."""

    # -- its rules
    tables: tuple[str, ...] = ()
    """Tables of nftables that are its own as a whole."""
    chains: tuple[str, ...] = ()
    chain_prefixes: tuple[str, ...] = ()
    """The names of its own chains, and how they begin."""
    chain_marks: tuple[str, ...] = ()
    """How chains are called that show its rules are there, those of its backends included."""
    user_chains: tuple[str, ...] = ()
    """Chains that it makes and calls, but whose rules are the administrator's."""
    rule_programs: tuple[str, ...] = ()
    """Other programs that write rules for its networks, as rules' owners are called."""
    ports_chain: str = ""
    """The chain to which its rules in FORWARD lead for published ports, one rule for each bridge."""
    nat_entry: tuple[str, str] | None = None
    """The chain of nat to which PREROUTING and OUTPUT lead, and how those begin that have a port's own rules."""
    isolation_chains: tuple[str, str] | None = None
    """The chain that sees what leaves one of its bridges, and the one that sees where to."""
    isolates_internal_by_subnet: bool = False
    """An internal network is kept apart by its subnet, in the first of these chains."""
    in_builtin_chains: bool = False
    """Rules for each of its bridges stand in FORWARD itself (Docker before 28)."""
    isolates_in_forward: bool = False
    """What keeps its networks apart stands there too, pair by pair."""
    masquerades_to_itself: bool = False
    """A container that comes to its own published port is masqueraded."""
    guards_loopback_ports: bool = False
    """Ports published on 127.0.0.1 are guarded in the raw table."""
    guards_addresses: bool = False
    """It drops what comes to a container's own address otherwise than by a published port."""
    drops_by_default: bool = False
    """It sets FORWARD's policy to DROP when it turns forwarding on."""
    ip6_rules: Literal["none", "setting", "alike"] = "none"
    """Whether it writes IPv6 rules: as its ``ip6tables`` setting says, or for each family alike."""
    ip4_only_backends: tuple[str, ...] = ()
    """Network backends of its that write IPv4 rules only."""
    firewalld_zone: str = ""
    """The zone of firewalld's that it puts its networks into."""
    firewalld_binding: Literal["", "interface", "source"] = ""
    """By what: a bridge (which may be in one zone only), or a subnet."""
