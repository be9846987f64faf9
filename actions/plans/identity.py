"""What a change makes, moves or takes away, told so that two changes of the same thing are known for it.  Pure."""

from __future__ import annotations

from dnet_tui.actions.plans.boot_files import EnableUnit, WriteFile
from dnet_tui.actions.plans.nft_table import AddNftTable, DeleteNftTable
from dnet_tui.actions.plans.operations import AnyAction
from dnet_tui.diagnostics.operations.address import AddAddress, DeleteAddress
from dnet_tui.diagnostics.operations.bridge import CreateBridge, DeleteBridge
from dnet_tui.diagnostics.operations.bridge_port import AddPortVlan, DeletePortVlan, SetPortFlag
from dnet_tui.diagnostics.operations.engine import ConnectContainer, DisconnectContainer
from dnet_tui.diagnostics.operations.engine_network import (
    CreateDockerNetwork,
    CreatePodmanNetwork,
    RemoveDockerNetwork,
    RemovePodmanNetwork,
)
from dnet_tui.diagnostics.operations.kernel import LoadModule, SetSysctl, UnloadModule
from dnet_tui.diagnostics.operations.link import AddVeth, DeleteVeth, SetLinkMaster, SetLinkUp, SetSpanningTree
from dnet_tui.diagnostics.operations.neighbour import DeleteNeighbour, SetNeighbour
from dnet_tui.diagnostics.operations.netns_scope import AddNamespace, DeleteNamespace, NetnsScope
from dnet_tui.diagnostics.operations.policy_rule import AddPolicyRule, DeletePolicyRule
from dnet_tui.diagnostics.operations.route import AddRoute, DeleteRoute, ReplaceRoute
from dnet_tui.diagnostics.operations.rule import DeleteRule, InsertRule, SetChainPolicy
from dnet_tui.inspect.model.engine_kinds.docker import DOCKER
from dnet_tui.inspect.model.engine_kinds.podman import PODMAN

Identity = tuple[str, ...]

REMOVALS = (
    DeleteRule,
    DeleteBridge,
    DeleteVeth,
    DeleteNamespace,
    DeleteRoute,
    DeletePolicyRule,
    DeleteAddress,
    DeleteNeighbour,
    DeletePortVlan,
    RemoveDockerNetwork,
    RemovePodmanNetwork,
    DisconnectContainer,
    UnloadModule,
    DeleteNftTable,
)
"""What takes something away."""


def identity(action: AnyAction) -> Identity:
    """What a change is about, alike for what makes it and what takes it away; empty where nothing can be said."""
    return _of_rules(action) or _of_links(action) or _of_routes(action) or _of_engines(action)


def _of_rules(action: AnyAction) -> Identity:
    match action:
        case InsertRule() | DeleteRule():
            return ("rule", action.backend, action.family, action.table, action.chain, action.spec)
        case SetChainPolicy():
            return ("policy", action.backend, action.family, action.table, action.chain)
        case SetSysctl(key=key):
            return ("sysctl", key)
        case LoadModule(name=name) | UnloadModule(name=name):
            return ("module", name)
        case WriteFile(path=path):
            return ("file", path)
        case EnableUnit(unit=unit):
            return ("unit", unit)
        case AddNftTable(family=family, name=name) | DeleteNftTable(family=family, name=name):
            return ("table", family, name)
    return ()


def _of_links(action: AnyAction) -> Identity:
    match action:
        case CreateBridge(name=name) | DeleteBridge(name=name):
            return ("link", name)
        case AddVeth(link=name) | DeleteVeth(link=name):
            return ("link", name)
        case AddNamespace(name=name) | DeleteNamespace(name=name):
            return ("namespace", name)
        case SetLinkMaster(link=name):
            return ("master", name)
        case SetLinkUp(link=name, inside=inside):
            return ("up", _where(inside), name)
        case SetSpanningTree(bridge=name):
            return ("spanning tree", name)
        case SetPortFlag(port=name, flag=flag):
            return ("port", name, flag)
        case AddPortVlan(port=name, vid=vid) | DeletePortVlan(port=name, vid=vid):
            return ("vlan", name, str(vid))
    return ()


def _of_routes(action: AnyAction) -> Identity:
    match action:
        case AddRoute(route=route) | DeleteRoute(route=route) | ReplaceRoute(route=route):
            table = (str(route.table),) if route.table else ()
            return ("route", _where(action.inside), route.family, route.dst, route.gateway, route.link, *table)
        case AddPolicyRule(rule=rule) | DeletePolicyRule(rule=rule):
            return ("policy rule", *rule.command(""))
        case AddAddress(link=link, cidr=cidr) | DeleteAddress(link=link, cidr=cidr):
            return ("address", _where(action.inside), link, cidr)
        case SetNeighbour(link=link, address=address) | DeleteNeighbour(link=link, address=address):
            return ("neighbour", _where(action.inside), link, address)
    return ()


def _of_engines(action: AnyAction) -> Identity:
    match action:
        case CreateDockerNetwork(name=name) | RemoveDockerNetwork(name=name):
            return ("network", DOCKER.kind, name)
        case CreatePodmanNetwork(name=name) | RemovePodmanNetwork(name=name):
            return ("network", PODMAN.kind, name)
        case ConnectContainer() | DisconnectContainer():
            return ("endpoint", action.engine, action.network, action.container)
    return ()


def _where(inside: NetnsScope) -> str:
    return inside.name or inside.id
