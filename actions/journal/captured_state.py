"""What was there before a change, and what the change turned into: the journal's memory.  Pure data.

A state is captured and stored before its change is made, and another once it
was.  After a ``kill -9`` between the two only the first is there, so it must
be enough to tell whether the change happened.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from dnet_tui.diagnostics.operations.remedy import ByProgram
from dnet_tui.inspect.errors import ActionFailedError


class CapturedState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="state"):
    """Base of the captured states."""


class SysctlState(CapturedState, frozen=True, kw_only=True, tag="sysctl"):
    """Values by dotted key: the key itself and every other key that the kernel may change with it."""

    values: dict[str, str]


class RuleState(CapturedState, frozen=True, kw_only=True, tag="rule"):
    """A chain around the place of one rule.

    ``digest`` identifies the texts of all its rules, in order.  ``text`` is the
    rule (as asked for an insertion, as ``iptables-save`` printed it otherwise),
    ``position`` its number, ``same`` how many rules with that text there are
    and ``ordinal`` which of them it is, both from 1.  ``above`` and ``below``
    are its neighbours' texts, empty at the ends.  ``chain_existed`` is False for
    a base chain of nftables that comes with the rule.  ``writer`` tells of a legacy
    rule what it was written by, and why not by python-iptables.
    """

    table_existed: bool
    chain_existed: bool = True
    digest: str
    position: int
    text: str
    same: int
    ordinal: int = 0
    above: str = ""
    below: str = ""
    packets: int = 0
    bytes: int = 0
    writer: str = ""


class ProgramState(CapturedState, frozen=True, kw_only=True, tag="command"):
    """How an operation that programs make is taken back; ``links`` has the indexes of those it names, by name."""

    undo: tuple[ByProgram, ...] = ()
    links: dict[str, int] = {}


class AddressState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An address with everything that ip-address(8) can set; ``address`` is the peer's where ``local`` differs."""

    address: str
    local: str = ""
    prefixlen: int
    broadcast: str = ""
    label: str = ""
    scope: int = 0
    flags: int = 0
    metric: int = 0


class NeighbourState(msgspec.Struct, frozen=True, kw_only=True):
    """A permanent neighbour."""

    address: str
    mac: str


class BridgeState(CapturedState, frozen=True, kw_only=True, tag="bridge"):
    """A bridge as it was; ``existed`` False means there was none of that name.

    ``sysctls`` holds the bridge's own values below ``net.*.conf`` and
    ``net.*.neigh``; ``nf_call`` is (iptables, ip6tables, arptables).
    ``ifindex`` tells our own bridge from one of the same name made later.
    ``numbers`` are the bridge's attributes by their kernel names (without
    ``IFLA_BR_``), ``link`` those of the link, ``forwarding`` the MAC addresses
    of static entries for the bridge itself, ``multicast`` those it was made to listen to.
    """

    existed: bool
    ifindex: int = 0
    mac: str = ""
    mtu: int = 0
    alias: str = ""
    up: bool = False
    addresses: tuple[str, ...] = ()
    sysctls: dict[str, str] = {}
    stp: int = 0
    vlan_filtering: int = 0
    ageing_time: int = 0
    nf_call: tuple[int, int, int] = (0, 0, 0)
    numbers: dict[str, int] = {}
    link: dict[str, int] = {}
    address_states: tuple[AddressState, ...] = ()
    neighbours: tuple[NeighbourState, ...] = ()
    forwarding: tuple[str, ...] = ()
    altnames: tuple[str, ...] = ()
    multicast: tuple[str, ...] = ()


class DockerNetworkState(CapturedState, frozen=True, kw_only=True, tag="docker-network"):
    """A Docker network as the engine describes it (``id`` empty: there was none of that name)."""

    id: str = ""
    name: str = ""
    driver: str = ""
    internal: bool = False
    attachable: bool = False
    ipv6: bool = False
    options: dict[str, str] = {}
    labels: dict[str, str] = {}
    ipam_driver: str = "default"
    ipam_options: dict[str, str] | None = None
    pools: tuple[dict[str, str], ...] = ()


class TraceTableState(CapturedState, frozen=True, kw_only=True, tag="trace-table"):
    """That there is no table of that name yet (``existed`` False), or that there is one now."""

    existed: bool


class NftTableState(CapturedState, frozen=True, kw_only=True, tag="nft-table"):
    """What a table of dnet-tui's own holds, in nft's words; empty where there is none."""

    ruleset: str = ""


class FileState(CapturedState, frozen=True, kw_only=True, tag="file"):
    """That there is no file of that name yet, and the folders that are missing on the way to it."""

    folders: tuple[str, ...] = ()


class UnitState(CapturedState, frozen=True, kw_only=True, tag="unit"):
    """Whether systemd starts a unit with the host."""

    enabled: bool = False


AnyState = (
    SysctlState
    | RuleState
    | ProgramState
    | BridgeState
    | DockerNetworkState
    | TraceTableState
    | NftTableState
    | FileState
    | UnitState
)


S = TypeVar("S", bound=AnyState)


def as_state(state: AnyState | None, kind: type[S]) -> S:
    """The state as the kind that an operation captures.

    Raises:
        ActionFailedError: The journal holds another.
    """
    if not isinstance(state, kind):
        msg = f"the journal holds {type(state).__name__} where {kind.__name__} belongs"
        raise ActionFailedError(msg, "it was written by another version; undo by hand, see `dnet-tui journal`")
    return state


def maybe_state(state: AnyState | None, kind: type[S]) -> S | None:
    """The same, or None where nobody lived to write it."""
    return None if state is None else as_state(state, kind)
