"""The typed changes dnet-tui can make, and how each one looks as commands.  Pure.

Diagnostics knows four of them (:mod:`dnet_tui.diagnostics.operations.remedy`); creating
and removing networks adds the rest.  Each renders to argument vectors that a
person could type, and its undo likewise: what the program does itself through
netlink or an engine's API is shown as the command that does the same.
"""

from __future__ import annotations

import msgspec

from dnet_tui.diagnostics.operations.remedy import (
    AnyOperation,
    Command,
    DeleteRule,
    InsertRule,
    Operation,
    SetSysctl,
    argv,
)
from dnet_tui.inspect.kernel.netns import NsHandle

Argv = tuple[str, ...]


class CreateBridge(Operation, frozen=True, kw_only=True, tag="create-bridge"):
    """Creates a bridge with its addresses (CIDRs) and brings it up.

    ``alias`` carries the network's intention (``ifalias``).  ``mac`` is set
    only when a removed bridge is put back.  ``nf_call_iptables`` (and its like
    for IPv6) makes frames that stay inside this bridge pass iptables, whatever
    the host's default.
    """

    name: str
    addresses: tuple[str, ...] = ()
    alias: str = ""
    mtu: int | None = None
    mac: str = ""
    nf_call_iptables: bool = False
    nf_call_ip6tables: bool = False


class DeleteBridge(Operation, frozen=True, kw_only=True, tag="delete-bridge"):
    """Deletes a bridge that has no ports; its settings are captured for the undo."""

    name: str


class CreateDockerNetwork(Operation, frozen=True, kw_only=True, tag="create-docker-network"):
    """Creates a Docker bridge network through the engine's API.  ``options`` are driver options."""

    name: str
    subnet: str = ""
    gateway: str = ""
    subnet6: str = ""
    gateway6: str = ""
    internal: bool = False
    options: dict[str, str] = msgspec.field(default_factory=dict)
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    socket: str = ""


class RemoveDockerNetwork(Operation, frozen=True, kw_only=True, tag="remove-docker-network"):
    """Removes a Docker network that no container uses; ``id`` is its full id."""

    name: str
    id: str
    socket: str = ""


class AddTraceTable(Operation, frozen=True, kw_only=True, tag="add-trace-table"):
    """Adds an nftables table of one's own to a network namespace, for as long as one packet is traced.

    ``text`` is the command in nft's words; ``name`` (``inet NAME``) is used
    by nobody else.  ``inside`` is the namespace, ``label`` what people call it;
    ``own``: it is the host's own, where commands are typed.
    """

    name: str
    text: str
    inside: NsHandle
    label: str
    own: bool = False


AnyAction = (
    SetSysctl
    | InsertRule
    | DeleteRule
    | Command
    | CreateBridge
    | DeleteBridge
    | CreateDockerNetwork
    | RemoveDockerNetwork
    | AddTraceTable
)


def commands(action: AnyAction) -> tuple[Argv, ...]:
    """Return the commands that do what ``action`` does."""
    if isinstance(action, CreateBridge):
        return _create_bridge(action)
    if isinstance(action, DeleteBridge):
        return (("ip", "link", "delete", action.name, "type", "bridge"),)
    if isinstance(action, CreateDockerNetwork):
        return (_create_docker_network(action),)
    if isinstance(action, RemoveDockerNetwork):
        return (("docker", "network", "rm", action.name),)
    if isinstance(action, AddTraceTable):
        return ((*_entering(action), "nft", action.text),)
    return (argv(action),)


def undo_commands(action: AnyAction, before: str = "") -> tuple[Argv, ...]:
    """Return the commands that take ``action`` back, as far as they are known before it was made.

    ``before`` is a sysctl's present value.  What the kernel or another program
    changes along with it is restored too, from the state the journal keeps.
    """
    if isinstance(action, SetSysctl):
        return (("sysctl", "-w", f"{action.key}={before}"),)
    if isinstance(action, InsertRule):
        return (argv(opposite(action)),)
    if isinstance(action, DeleteRule):
        return (argv(opposite(action)),)
    if isinstance(action, CreateBridge):
        return (("ip", "link", "delete", action.name, "type", "bridge"),)
    if isinstance(action, DeleteBridge):
        return (("ip", "link", "add", action.name, "type", "bridge"),)
    if isinstance(action, CreateDockerNetwork):
        return (("docker", "network", "rm", action.name),)
    if isinstance(action, RemoveDockerNetwork):
        return (("docker", "network", "create", action.name),)
    if isinstance(action, AddTraceTable):
        return ((*_entering(action), "nft", "delete", "table", "inet", action.name),)
    return ()


def opposite(action: InsertRule | DeleteRule) -> AnyOperation:
    """Return the rule operation that takes ``action`` back."""
    if isinstance(action, InsertRule):
        return DeleteRule(
            backend=action.backend,
            family=action.family,
            table=action.table,
            chain=action.chain,
            spec=action.spec,
            position=action.position or 0,
        )
    return InsertRule(
        backend=action.backend,
        family=action.family,
        table=action.table,
        chain=action.chain,
        spec=action.spec,
        position=action.position,
        packets=action.packets,
        bytes=action.bytes,
    )


def _entering(action: AddTraceTable) -> Argv:
    """The command's beginning that leads into the namespace; none is needed for the host's own."""
    if action.own:
        return ()
    return ("nsenter", f"--net={action.inside.path or f'/proc/{action.inside.pid}/ns/net'}")


def _create_bridge(action: CreateBridge) -> tuple[Argv, ...]:
    name = action.name
    add: list[str] = ["ip", "link", "add", "name", name]
    if action.mac:
        add += ["address", action.mac]
    if action.mtu is not None:
        add += ["mtu", str(action.mtu)]
    add += ["type", "bridge"]
    if action.nf_call_iptables:
        add += ["nf_call_iptables", "1"]
    if action.nf_call_ip6tables:
        add += ["nf_call_ip6tables", "1"]
    lines: list[Argv] = [tuple(add)]
    if action.alias:
        lines.append(("ip", "link", "set", "dev", name, "alias", action.alias))
    lines += [("ip", "address", "add", cidr, "dev", name) for cidr in action.addresses]
    lines.append(("ip", "link", "set", "dev", name, "up"))
    return tuple(lines)


def _create_docker_network(action: CreateDockerNetwork) -> Argv:
    words: list[str] = ["docker", "network", "create"]
    if action.subnet:
        words += ["--subnet", action.subnet]
    if action.gateway:
        words += ["--gateway", action.gateway]
    if action.subnet6:
        words += ["--ipv6", "--subnet", action.subnet6]
    if action.gateway6:
        words += ["--gateway", action.gateway6]
    if action.internal:
        words.append("--internal")
    for key, value in action.options.items():
        words += ["--opt", f"{key}={value}"]
    for key, value in action.labels.items():
        words += ["--label", f"{key}={value}"]
    return (*words, action.name)
