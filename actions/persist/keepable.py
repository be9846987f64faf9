"""Whether a change can be made again when the host starts, and by which command.  Pure.

What is kept is only what dnet-tui added by itself: a rule that stands first
or last in its chain (or just below the jump to DOCKER-USER), so that its
place can be found again before or after whatever others write there.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterator, Sequence

import msgspec

from dnet_tui.actions.journal.captured_state import RuleState
from dnet_tui.actions.journal.entries import JournalEntry, RecordedChange
from dnet_tui.actions.networks.linux_network import known_firewall
from dnet_tui.actions.persist.kept_tables import gone_tables, table_words
from dnet_tui.actions.persist.lost_at_reboot import fading
from dnet_tui.actions.plans.nft_table import AddNftTable
from dnet_tui.actions.plans.operations import AnyAction
from dnet_tui.diagnostics.operations.address import AddAddress
from dnet_tui.diagnostics.operations.base import Argv
from dnet_tui.diagnostics.operations.bridge import CreateBridge
from dnet_tui.diagnostics.operations.bridge_port import SetPortFlag
from dnet_tui.diagnostics.operations.kernel import LoadModule, SetSysctl
from dnet_tui.diagnostics.operations.link import AddVeth, SetLinkMaster, SetLinkUp, SetSpanningTree
from dnet_tui.diagnostics.operations.neighbour import SetNeighbour
from dnet_tui.diagnostics.operations.netns_scope import AddNamespace
from dnet_tui.diagnostics.operations.policy_rule import AddPolicyRule
from dnet_tui.diagnostics.operations.route import AddRoute
from dnet_tui.diagnostics.operations.rule import InsertRule, rule_words
from dnet_tui.inspect.model import Namespace, Snapshot, known_items
from dnet_tui.inspect.model.engine_kinds.docker import USER_CHAIN
from dnet_tui.inspect.model.engine_kinds.others import LINUX, NETNS
from dnet_tui.inspect.model.engine_kinds.registry import ENGINE_KINDS
from dnet_tui.inspect.model.view import View
from dnet_tui.inspect.text.sanitize import clean

_JUMP = f"-j {USER_CHAIN}"
_ENGINES_CHAINS = tuple(name for kind in ENGINE_KINDS for name in kind.chain_marks)
_BY_IP = (
    AddAddress
    | AddRoute
    | AddPolicyRule
    | AddVeth
    | SetLinkMaster
    | SetLinkUp
    | SetSpanningTree
    | SetPortFlag
    | SetNeighbour
)


class KeptChanges(msgspec.Struct, frozen=True, kw_only=True):
    """How an entry is kept: ``starts`` make its changes anew, ``stops`` take them back.

    ``among_docker``: its rules stand among Docker's, which writes its own anew
    when it is restarted.  ``reasons`` say why it can't be kept; empty if it can.
    """

    sysctls: tuple[SetSysctl, ...] = ()
    modules: tuple[str, ...] = ()
    bridges: tuple[str, ...] = ()
    starts: tuple[Argv, ...] = ()
    stops: tuple[Argv, ...] = ()
    tables: tuple[AddNftTable, ...] = ()
    among_docker: bool = False
    reasons: tuple[str, ...] = ()


def keepable(entry: JournalEntry, snapshot: Snapshot, ours: Collection[str]) -> KeptChanges:
    """How ``entry`` is kept.  ``ours``: the texts of all rules that dnet-tui has put in and that still stand."""
    host = View(snapshot).host
    if host is None:
        return KeptChanges(reasons=("this host's own network namespace was not seen",))
    made = _made_links(entry)
    reasons = [why for action in fading(entry) if (why := _refusal(action, snapshot, host, made))]
    others: list[Argv] = []
    stops: list[Argv] = []
    for action in fading(entry):
        if isinstance(action, CreateBridge | AddNamespace | _BY_IP):
            others += action.commands()
            back = action.inverse()
            stops += back.commands() if back is not None and not isinstance(action, SetLinkUp) else ()
    rules = _Rules(entry, host, ours)
    tables = tuple(action for action in fading(entry) if isinstance(action, AddNftTable))
    reasons += [*rules.reasons, *gone_tables(tables, known_firewall(host))]
    return KeptChanges(
        sysctls=tuple(action for action in fading(entry) if isinstance(action, SetSysctl)),
        modules=tuple(action.name for action in fading(entry) if isinstance(action, LoadModule)),
        bridges=tuple(action.name for action in fading(entry) if isinstance(action, CreateBridge)),
        starts=(*others, *rules.starts),
        stops=(*rules.stops, *reversed(stops)),
        tables=tables,
        among_docker=rules.among_docker,
        reasons=tuple(dict.fromkeys(reasons)),
    )


def _made_links(entry: JournalEntry) -> set[str]:
    found: set[str] = set()
    for action in fading(entry):
        if isinstance(action, CreateBridge):
            found.add(action.name)
        elif isinstance(action, AddVeth):
            found |= {action.link, f"{action.inside}/{action.peer}"}
        elif isinstance(action, AddNamespace):
            found |= {f"{action.name}/", f"{action.name}/lo"}
    return found


def _refusal(action: AnyAction, snapshot: Snapshot, host: Namespace, made: Collection[str]) -> str:
    """Why one change can't be kept; rules' places are looked at elsewhere."""
    match action:
        case SetSysctl() | LoadModule() | CreateBridge() | AddNamespace():
            return ""
        case InsertRule(spec=spec):
            return _of_a_container(rule_words(spec), snapshot)
        case AddNftTable():
            return _of_a_container(table_words(action), snapshot)
        case AddVeth(inside=inside):
            return "" if f"{inside}/" in made else f"the namespace {clean(inside)} isn't there after a reboot"
        case AddAddress() | AddRoute() | AddPolicyRule() | SetLinkMaster() | SetLinkUp() | SetNeighbour():
            return _of_passing_links(action, host, made)
        case SetSpanningTree() | SetPortFlag():
            return _of_passing_links(action, host, made)
    return f"to {action.text} again is not for dnet-tui: whoever sets it when the host starts has to know of it"


def _of_passing_links(action: _BY_IP, host: Namespace, made: Collection[str]) -> str:
    """Why the links that a change speaks of may not be there after a reboot."""
    inside = getattr(action, "inside", None)
    prefix = f"{inside.name or inside.id}/" if inside is not None and (inside.name or inside.pid) else ""
    ports = {link.ifindex: link for link in host.links}
    for field in ("link", "master", "bridge", "port"):
        name = getattr(action, field, "")
        if not isinstance(name, str) or not name or prefix + name in made:
            continue
        if prefix:
            return f"{clean(name)} in {clean(prefix[:-1])} is made anew by whoever starts that"
        link = next((item for item in ports.values() if item.name == name), None)
        if link is None or link.kind == "veth" or link.bridge is not None:
            return f"{clean(name)} is made anew, by its engine or by whoever else makes it"
    return ""


def _of_a_container(words: Sequence[str], snapshot: Snapshot) -> str:
    """Why rules that name a container's address can't be kept: an engine may give the address to another one."""
    named = {word.partition("/")[0].rpartition(":")[0] or word.partition("/")[0] for word in words} | {
        word.partition("/")[0] for word in words
    }
    named = {item.strip("[]") for item in named}
    for container in known_items(snapshot.containers):
        if container.engine in (NETNS.kind, LINUX.kind):
            continue
        for endpoint in container.endpoints:
            for cidr in endpoint.addresses:
                address = cidr.partition("/")[0]
                if _is_address(address) and address in named:
                    return (
                        f"{clean(container.name)} may have another address than {address} when it is started again: "
                        "make it anew with its engine's own option (-p) to keep the port"
                    )
    return ""


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


class _Rules:
    """The rules of an entry, with their places told by what others write when the host starts."""

    def __init__(self, entry: JournalEntry, host: Namespace, ours: Collection[str]) -> None:
        self.reasons: list[str] = []
        self.starts: list[Argv] = []
        self.stops: list[Argv] = []
        self.among_docker = False
        self._ours = ours
        self._texts = _chain_texts(host)
        found = [(*self._place(change), change) for change in _insertions(entry)]
        # What goes to the head of a chain goes there from the last to the first, as they stand now.
        heads = sorted((item for item in found if item[0] > 0), key=lambda item: -item[1])
        tails = sorted((item for item in found if item[0] == 0), key=lambda item: item[1])
        for place, _, change in (*heads, *tails):
            self._keep(change, place)

    def _keep(self, change: RecordedChange, place: int) -> None:
        action = change.action
        if isinstance(action, InsertRule):
            action = msgspec.structs.replace(action, spec=rule_text(change), packets=0, bytes=0)
            made = msgspec.structs.replace(action, position=place or None)
            self.starts += made.commands()
            self.stops += made.inverse().commands()

    def _place(self, change: RecordedChange) -> tuple[int, int]:
        """The number under which to insert the rule (0: append it), and where it stands now.

        -1, with a reason, where neither would do.
        """
        action, text = change.action, rule_text(change)
        if not isinstance(action, InsertRule):
            return -1, 0
        texts = self._texts.get((action.backend, action.family, action.table, action.chain), ())
        where = f"{action.table} {action.chain}"
        if text not in texts:
            self.reasons.append(f"its rule isn't in {where} any more: {clean(text, 200)}")
            return -1, 0
        at = texts.index(text)
        above = [item for item in texts[:at] if item not in self._ours]
        below = [item for item in texts[at + 1 :] if item not in self._ours]
        self.among_docker |= action.chain.startswith((*_ENGINES_CHAINS, USER_CHAIN)) or _JUMP in above
        if not above:
            return 1, at
        if above == [_JUMP]:
            return 2, at
        if not below:
            self.among_docker |= any(word.startswith(_ENGINES_CHAINS) for item in above for word in rule_words(item))
            return 0, at
        self.reasons.append(
            f"a rule of it stands in {where} between others', who write theirs anew: {clean(text, 200)}"
        )
        return -1, at


def _insertions(entry: JournalEntry) -> Iterator[RecordedChange]:
    for index in entry.standing:
        if isinstance(entry.changes[index].action, InsertRule):
            yield entry.changes[index]


def rule_text(change: RecordedChange) -> str:
    """The text of an inserted rule, as iptables-save printed it."""
    if isinstance(change.after, RuleState):
        return change.after.text
    return change.action.spec if isinstance(change.action, InsertRule) else ""


def standing_rules(entries: Sequence[JournalEntry]) -> set[str]:
    """The texts of all rules that entries have put in and not taken back."""
    return {rule_text(change) for entry in entries for change in _insertions(entry)}


def _chain_texts(host: Namespace) -> dict[tuple[str, str, str, str], tuple[str, ...]]:
    firewall = known_firewall(host)
    return {
        (table.backend, table.family, table.name, chain.name): tuple(rule.text for rule in chain.rules)
        for table in (firewall.tables if firewall else ())
        for chain in table.chains
    }
