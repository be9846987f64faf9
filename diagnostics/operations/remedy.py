"""Remedies as data: typed operations and their undo.  Pure.

Diagnostics proposes, ``actions`` executes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from dnet_tui.diagnostics.operations.address import AddAddress, DeleteAddress
from dnet_tui.diagnostics.operations.base import Argv
from dnet_tui.diagnostics.operations.bridge import CreateBridge, DeleteBridge
from dnet_tui.diagnostics.operations.bridge_port import AddPortVlan, DeletePortVlan, SetPortFlag, SetPortState
from dnet_tui.diagnostics.operations.by_hand import ByHand, Command
from dnet_tui.diagnostics.operations.engine import (
    ConnectContainer,
    DisconnectContainer,
    ReloadEngineRules,
    RestartContainers,
)
from dnet_tui.diagnostics.operations.engine_network import (
    CreateDockerNetwork,
    CreatePodmanNetwork,
    RemoveDockerNetwork,
    RemovePodmanNetwork,
)
from dnet_tui.diagnostics.operations.firewalld import AddForwardPort, ChangeZone
from dnet_tui.diagnostics.operations.kernel import ForgetConnections, LoadModule, SetSysctl, UnloadModule
from dnet_tui.diagnostics.operations.link import AddVeth, DeleteVeth, SetLinkMaster, SetLinkUp, SetSpanningTree
from dnet_tui.diagnostics.operations.neighbour import DeleteNeighbour, SetNeighbour
from dnet_tui.diagnostics.operations.netns_scope import AddNamespace, DeleteNamespace
from dnet_tui.diagnostics.operations.nft_rule import AcceptInNft
from dnet_tui.diagnostics.operations.policy_rule import AddPolicyRule, DeletePolicyRule
from dnet_tui.diagnostics.operations.route import AddRoute, DeleteRoute, ReplaceRoute
from dnet_tui.diagnostics.operations.rule import DeleteRule, InsertRule, SetChainPolicy
from dnet_tui.inspect.model.rule_writers.owner import DecisionOwner

Risk = Literal["safe", "ask", "manual"]
"""``safe`` may be applied unasked, ``ask`` after confirmation, ``manual`` only by a person."""

ByProgram = (
    SetChainPolicy
    | AcceptInNft
    | SetLinkUp
    | SetLinkMaster
    | SetSpanningTree
    | AddVeth
    | AddNamespace
    | DeleteNamespace
    | DeleteVeth
    | SetPortFlag
    | SetPortState
    | AddPortVlan
    | DeletePortVlan
    | AddAddress
    | DeleteAddress
    | AddRoute
    | ReplaceRoute
    | DeleteRoute
    | AddPolicyRule
    | DeletePolicyRule
    | DeleteNeighbour
    | SetNeighbour
    | CreatePodmanNetwork
    | RemovePodmanNetwork
    | ReloadEngineRules
    | RestartContainers
    | ConnectContainer
    | DisconnectContainer
    | ChangeZone
    | AddForwardPort
    | LoadModule
    | UnloadModule
    | ForgetConnections
    | Command
)
"""What is made by running its own commands."""

AnyOperation = (
    SetSysctl
    | InsertRule
    | DeleteRule
    | CreateBridge
    | DeleteBridge
    | CreateDockerNetwork
    | RemoveDockerNetwork
    | ByHand
    | ByProgram
)


_KEPT = (
    ByHand,
    RestartContainers,
    ReloadEngineRules,
    ConnectContainer,
    DisconnectContainer,
    CreateDockerNetwork,
    CreatePodmanNetwork,
    RemoveDockerNetwork,
    RemovePodmanNetwork,
)
"""What the kernel's memory alone does not hold: engines write it down, or a person decides how it shall last."""


class Remedy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How to put one finding right.

    ``undo`` is in the order it runs, last change first.  ``persists`` says
    whether the change outlives a reboot or a restart of the engine; ``note``
    says what to do where it does not.  ``overrides`` is whose decision it
    changes: then it is that one's to apply, or a person's who asks for it.
    """

    summary: str
    steps: tuple[AnyOperation, ...] = ()
    undo: tuple[AnyOperation, ...] = ()
    risk: Risk = "ask"
    persists: bool = False
    note: str = ""
    overrides: DecisionOwner | None = None

    @property
    def fades(self) -> bool:
        """Whether a reboot or a restart of the engine takes it back: advice, and what engines keep, it doesn't."""
        return not self.persists and not all(isinstance(step, _KEPT) for step in self.steps)


def inverses(steps: Sequence[AnyOperation]) -> tuple[AnyOperation, ...]:
    """What takes ``steps`` back, last change first; steps without a known inverse are left out."""
    return tuple(back for step in reversed(steps) if isinstance(back := step.inverse(), AnyOperation))


def commands(operations: Iterable[AnyOperation]) -> tuple[Argv, ...]:
    """The commands of several operations, in order."""
    return tuple(words for operation in operations for words in operation.commands())
