"""Before the first change of a plan: whether every one of its steps could be made.  Looks, and changes nothing.

Steps build on each other: a chain is taken as the steps before leave it, and
what an earlier step makes need not be there yet.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import pairwise
from pathlib import Path
from typing import assert_never

from dnet_tui.actions.changes import boot_files, bridges, docker_networks, nft_tables, sysctls
from dnet_tui.actions.changes.links.bridge_extras import require_restorable
from dnet_tui.actions.changes.links.link_identity import links_of, scope_of
from dnet_tui.actions.changes.links.veth_extras import require_plain_inside
from dnet_tui.actions.changes.rule_rehearsal import RuleRehearsal
from dnet_tui.actions.host_access import HostAccess
from dnet_tui.actions.plans.boot_files import EnableUnit, WriteFile
from dnet_tui.actions.plans.nft_table import AddNftTable, DeleteNftTable
from dnet_tui.actions.plans.operations import AddTraceTable, AnyAction
from dnet_tui.actions.plans.plan import PlanStep
from dnet_tui.diagnostics.operations.base import ProgramOperation
from dnet_tui.diagnostics.operations.bridge import CreateBridge, DeleteBridge
from dnet_tui.diagnostics.operations.by_hand import ByHand
from dnet_tui.diagnostics.operations.engine_network import CreateDockerNetwork, RemoveDockerNetwork
from dnet_tui.diagnostics.operations.kernel import SetSysctl
from dnet_tui.diagnostics.operations.link import AddVeth, DeleteVeth
from dnet_tui.diagnostics.operations.netns_scope import HOST, AddNamespace, ip_command, place
from dnet_tui.diagnostics.operations.rule import PROGRAMS, DeleteRule, InsertRule, rule_words, tells
from dnet_tui.inspect.errors import ActionFailedError
from dnet_tui.inspect.text.sanitize import clean


def required_programs(action: AnyAction) -> tuple[str, ...]:
    """The programs without which an operation can't be made.

    Kernel parameters are written by their files, bridges over netlink, and
    Docker's networks through its API: those need none.
    """
    match action:
        case InsertRule() | DeleteRule():
            program = PROGRAMS.get((action.backend, action.family))
            return (program, f"{program}-save") if program is not None else ()
        case AddTraceTable() | AddNftTable() | DeleteNftTable():
            return ("nft",)
        case EnableUnit():
            return ("systemctl",)
        case ProgramOperation():
            return action.programs()
        case SetSysctl() | CreateBridge() | DeleteBridge() | CreateDockerNetwork() | RemoveDockerNetwork() | ByHand():
            return ()
        case WriteFile():
            return ()
        case _:
            assert_never(action)


def require_programs(steps: Iterable[PlanStep], host: HostAccess) -> None:
    """Refuse a plan that would stop half-way for want of a program, the one that takes a step back included.

    Raises:
        ActionFailedError: Programs are missing; the message names them and the step that needs the first.
    """
    missing: dict[str, str] = {}
    for step in steps:
        for action in (step.action, *step.undo):
            for program in required_programs(action):
                if not host.has(program):
                    missing.setdefault(program, action.text)
    if missing:
        names, first = ", ".join(missing), next(iter(missing.values()))
        verb = "is" if len(missing) == 1 else "are"
        msg = f"{names} {verb} not installed, which the plan needs to {first}"
        raise ActionFailedError(msg, f"install what brings {names}, then try again: nothing was changed")


def require_feasible(steps: Iterable[PlanStep], host: HostAccess, root: Path = Path("/")) -> None:
    """Refuse a plan one of whose steps could not be made as the host is now.

    Raises:
        ActionFailedError: The step's own error, such as that a bridge to delete has ports.
    """
    chains = RuleRehearsal(host)
    made: set[str] = set()
    try:
        for step in steps:
            if isinstance(step.action, WriteFile):
                boot_files.prepare(step.action, root)
            elif isinstance(step.action, AddNftTable | DeleteNftTable):
                nft_tables.prepare(step.action, host)
            else:
                if isinstance(step.action, DeleteVeth):
                    require_plain_inside(step.undo, host)
                if isinstance(step.action, InsertRule):
                    _require_told(step.action, host)
                _require_step(step.action, host, chains, made)
    except ActionFailedError as error:
        raise ActionFailedError(f"{error.message} (nothing was changed)", error.hint) from error


def _require_step(action: AnyAction, host: HostAccess, chains: RuleRehearsal, made: set[str]) -> None:
    """Check one step; ``made`` holds the links that earlier ones make or delete, to which it adds its own."""
    match action:
        case InsertRule() | DeleteRule():
            chains.go_through(action)
        case SetSysctl(key=key):
            if not _is_of(key, made):
                sysctls.prepare(action, host)
        case CreateBridge(name=name) | DeleteBridge(name=name):
            if name not in made:
                bridges.prepare(action, host)
            made.add(name)
        case CreateDockerNetwork() | RemoveDockerNetwork():
            docker_networks.prepare(action)
        case ByHand():
            raise ActionFailedError(f"this is for a person to do: {action.text}")
        case AddTraceTable() | AddNftTable() | DeleteNftTable() | WriteFile() | EnableUnit():
            # Named at random, in namespaces that come and go; tables and files are looked at before, units made then.
            return
        case ProgramOperation():
            _require_links(action, host, made)
        case _:
            assert_never(action)


def _require_told(action: InsertRule, host: HostAccess) -> None:
    """Refuse a rule for an interface whose name iptables would take for a pattern, or that isn't its name.

    Raises:
        ActionFailedError: It names such an interface.
    """
    words = rule_words(action.spec)
    for option, name in pairwise(words):
        if option not in ("-i", "-o") or tells(name):
            continue
        if not name.endswith("+") or host.run(("ip", "link", "show", "dev", name)).code == 0:
            msg = f"no rule of iptables can speak of the interface {clean(name)} alone"
            raise ActionFailedError(msg, "rename the interface, then try again")


def _is_of(key: str, links: Collection[str]) -> bool:
    """Whether a dotted key is of one of these links, whose folder isn't there yet."""
    parts = key.split(".")
    return len(parts) > 3 and parts[3].replace("/", ".") in links


def _require_links(action: ProgramOperation, host: HostAccess, made: set[str]) -> None:
    """See that its links are there, or made by an earlier step: by name here, as ``NAMESPACE/NAME`` elsewhere."""
    inside = scope_of(action)
    if isinstance(action, AddNamespace):
        made.add(f"{action.name}/lo")
    if isinstance(action, AddVeth):
        made.update((action.link, f"{action.inside}/{action.peer}"))
    for name in links_of(action):
        if (name if inside == HOST else f"{inside.name}/{name}") in made:
            continue
        if host.run(ip_command(inside, "link", "show", "dev", name)).code != 0:
            msg = f"there is no link {clean(name)}{place(inside)} any more"
            raise ActionFailedError(msg, "look again with `dnet-tui ls`")
    if isinstance(action, DeleteVeth):
        require_restorable(action.link, host)
