"""Reads the firewall of the network namespace that the calling thread is in.  Changes nothing.

What exists is asked first, without spawning anything: nftables' tables over
netlink, the legacy tables from ``/proc``.  A program is run only for tables
that are there: merely starting ``iptables-legacy`` would create some.  Tables
of iptables are read by iptables, all others by nft, and where nft has put
rules into a table of iptables, those by nft too.

Facts: ip_tables_names lists the legacy tables of the reader's namespace
(kernel, x_tables.c); iptables-nft keeps its tables in the families ip and ip6
under the five classic names (iptables, nft.c).
"""

from __future__ import annotations

import errno
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import msgspec

from dnet_tui.inspect.iptables.save_text import BUILT_IN, IptablesFamily, ParseProblem, parse_save_report, undecidable
from dnet_tui.inspect.kernel.nfnetlink_tables import InterruptedDumpError, NftRule, NftSocket, NftTable
from dnet_tui.inspect.model.coverage.gaps import Gap
from dnet_tui.inspect.model.firewall import Backend, Firewall, Rule, Table, TableFamily, UnreadTable
from dnet_tui.inspect.ruleset.iptables_fidelity import shown_truly
from dnet_tui.inspect.ruleset.merge_rules import opaque_rules, with_native_rules
from dnet_tui.inspect.ruleset.read_ipset import ipsets_filled, ipsets_used, read_ipsets
from dnet_tui.inspect.ruleset.read_nft import ReadFailure, read_tables
from dnet_tui.inspect.ruleset.run_save import Saved, save
from dnet_tui.inspect.text.sanitize import clean

_ATTEMPTS = 3
_FAMILIES: tuple[IptablesFamily, ...] = ("ip", "ip6")
_PROC = Path("/proc/thread-self/net")
_ROOT_HINT = "run dnet-tui as root"
_PROBLEMS_SHOWN = 5
_NO_NETLINK = frozenset({errno.EPROTONOSUPPORT, errno.EAFNOSUPPORT})
"""What a kernel without nfnetlink answers: then there are no tables."""
_NO_NFTABLES = frozenset({errno.EINVAL, errno.EOPNOTSUPP})
"""What a kernel with nfnetlink but without nf_tables answers."""


def read_firewall(scope: str) -> tuple[Firewall, tuple[Gap, ...]]:
    """Read all tables of the calling thread's network namespace.

    Args:
        scope: the namespace's id, for the gaps.

    Returns:
        the firewall, and what of it could not be read.  Never raises for
        anything the host does.
    """
    found = _Found(scope)
    try:
        with NftSocket() as nft:
            _read_nftables(found, nft)
    except OSError as error:
        if error.errno not in _NO_NETLINK:
            found.refuse("nftables", "*", error)
    except InterruptedDumpError as error:
        found.refuse("nftables", "*", error)
    for family in _FAMILIES:
        _read_legacy(found, family)
    ipsets = read_ipsets(ipsets_used(found.tables), ipsets_filled(found.tables))
    found.say(ipsets.said)
    firewall = Firewall(tables=tuple(found.tables), unread=tuple(found.unread), ipsets=ipsets.sets)
    return firewall, tuple(found.gaps)


class _Found:
    """What has been read so far, and what has not."""

    def __init__(self, scope: str) -> None:
        self.scope = scope
        self.tables: list[Table] = []
        self.unread: list[UnreadTable] = []
        self.gaps: list[Gap] = []

    def gap(self, reason: str, hint: str = "") -> None:
        """Record what could not be read, once."""
        gap = Gap(section="firewall", scope=self.scope, reason=reason, hint=hint)
        if gap not in self.gaps:
            self.gaps.append(gap)

    def say(self, said: Iterable[ReadFailure]) -> None:
        """Record what another reader could not read."""
        for reason, hint in said:
            self.gap(reason, hint)

    def skip(self, backend: Backend, family: TableFamily, name: str, reason: str) -> None:
        """Record a table that exists, or may, and whose contents aren't known."""
        self.unread.append(UnreadTable(family=family, name=name, backend=backend, reason=reason))

    def refuse(
        self, backend: Backend, name: str, error: Exception, families: tuple[IptablesFamily, ...] = _FAMILIES
    ) -> None:
        """Record that the kernel did not answer."""
        denied = isinstance(error, PermissionError)
        reason = "no permission to read them" if denied else (getattr(error, "strerror", "") or str(error))
        self.gap(f"{backend} rules: {reason}", _ROOT_HINT if denied else "")
        for family in families:
            self.skip(backend, family, name, reason)


def _read_nftables(found: _Found, nft: NftSocket) -> None:
    tables = _existing(nft)
    classic = [
        table
        for table in tables
        if table.family in _FAMILIES and table.name in BUILT_IN and not table.dormant and not table.empty
    ]
    _native(found, nft, [table for table in tables if table not in classic])
    for family in _FAMILIES:
        names = [table.name for table in classic if table.family == family]
        if names:
            _read_classic(found, nft, family, names)


def _existing(nft: NftSocket) -> tuple[NftTable, ...]:
    try:
        return nft.tables()
    except OSError as error:
        if error.errno in _NO_NFTABLES:
            return ()
        raise


def _native(found: _Found, nft: NftSocket, tables: list[NftTable]) -> tuple[Table, ...]:
    """Read tables of nft; returns them."""
    read = read_tables(tables, nft.generation)
    found.tables += read.tables
    found.unread += read.unread
    found.say(read.said)
    return read.tables


def _read_classic(found: _Found, nft: NftSocket, family: IptablesFamily, names: list[str]) -> None:
    """Read iptables-nft's tables of one family, with their rules' handles, from one state of the ruleset."""
    for attempt in range(1, _ATTEMPTS + 1):
        before = nft.generation()
        saved = save("iptables-nft", family, names)
        rules = {name: nft.rules(family, name) for name in names}
        if before == nft.generation() or attempt == _ATTEMPTS:
            break
    for one in saved:
        _take(found, "iptables-nft", family, one, _Kernel(nft, rules))
        _refused(found, nft, family, [name for name in one.tables if name in one.incompatible])


def _refused(found: _Found, nft: NftSocket, family: IptablesFamily, names: list[str]) -> None:
    """Read by nft what iptables refuses to show; of iptables' own rules in there only the names of their parts."""
    for table in _native(found, nft, [NftTable(family, name) for name in names]):
        opaque = opaque_rules(table)
        if opaque:
            found.gap(
                f"nft has put rules into table {family} {table.name}, so iptables doesn't show it, and nft alone"
                f" can't tell what {opaque} of its rules do",
                f"see it with: nft list table {family} {table.name}",
            )


def _read_legacy(found: _Found, family: IptablesFamily) -> None:
    try:
        names = (_PROC / f"{family}_tables_names").read_text("utf-8", "replace").split()
    except FileNotFoundError:
        return
    except OSError as error:
        found.refuse("iptables-legacy", "*", error, (family,))
        return
    if names:
        for one in save("iptables-legacy", family, names):
            _take(found, "iptables-legacy", family, one, None)


class _Kernel(NamedTuple):
    """What the kernel itself says of iptables-nft's tables: each rule, in order, by its table."""

    nft: NftSocket
    rules: dict[str, tuple[NftRule, ...]]


def _take(found: _Found, backend: Backend, family: IptablesFamily, saved: Saved, kernel: _Kernel | None) -> None:
    """Take over the tables of one output; ``kernel`` is None where there is no nftables behind them."""
    tables, problems = parse_save_report(saved.text, backend=backend, family=family)
    read = {table.name: table for table in tables}
    unwell = bool(saved.error) and not saved.incompatible
    if unwell:
        found.gap(saved.error, saved.hint)
    for name in saved.tables:
        if name not in saved.incompatible and (unwell or name not in read):
            found.skip(backend, family, name, saved.error or "it was not printed")
            if not unwell:
                found.gap(f"{backend} did not print table {family} {name}")
    if unwell:
        return
    _report(found, backend, family, problems)
    for table in tables:
        found.tables.append(table if kernel is None else _verified(found, table, kernel))


def _report(found: _Found, backend: Backend, family: IptablesFamily, problems: tuple[ParseProblem, ...]) -> None:
    for problem in problems[:_PROBLEMS_SHOWN]:
        found.gap(f"{backend} {family}, line {problem.line}: {clean(problem.reason)}: {clean(problem.text, 160)}")
    if len(problems) > _PROBLEMS_SHOWN:
        found.gap(f"{backend} {family}: {len(problems) - _PROBLEMS_SHOWN} more lines could not be read")
    for name in dict.fromkeys(problem.table for problem in problems if not problem.contained):
        found.skip(backend, family, name or "*", "not all of its lines could be read")


def _verified(found: _Found, table: Table, kernel: _Kernel) -> Table:
    """The table with its rules' handles; rules that iptables doesn't show truly are read by nft."""
    listed: defaultdict[str, list[NftRule]] = defaultdict(list)
    for raw in kernel.rules.get(table.name, ()):
        listed[raw.chain].append(raw)
    if {chain.name: len(chain.rules) for chain in table.chains if chain.rules} != {
        name: len(rules) for name, rules in listed.items()
    }:
        reason = "it changed while it was read"
        found.skip(table.backend, table.family, table.name, reason)
        found.gap(f"table {table.family} {table.name}: {reason}", "try again")
        return table
    foreign: set[int] = set()
    chains = []
    for chain in table.chains:
        own = []
        for rule, raw in zip(chain.rules, listed[chain.name], strict=True):
            truly = shown_truly(raw.expressions, table.family)
            own.append(_with_handle(rule, raw.handle, truly=truly))
            if not truly:
                foreign.add(raw.handle)
        chains.append(msgspec.structs.replace(chain, rules=tuple(own)))
    table = msgspec.structs.replace(table, chains=tuple(chains))
    return _with_foreign(found, table, foreign, kernel.nft) if foreign else table


def _with_foreign(found: _Found, table: Table, foreign: set[int], nft: NftSocket) -> Table:
    """Read the rules that nft has added by nft; those that it doesn't show stay undecidable."""
    read = read_tables([NftTable(table.family, table.name)], nft.generation)
    found.say(read.said)
    mixed, lost = with_native_rules(table, foreign, read.tables[0] if read.tables else None)
    if lost:
        found.gap(
            f"{lost} rule(s) of table {table.family} {table.name} were added by nft and can't be decided",
            f"see them with: nft -a list table {table.family} {table.name}",
        )
    return mixed


def _with_handle(rule: Rule, handle: int, *, truly: bool) -> Rule:
    if truly:
        return msgspec.structs.replace(rule, handle=handle)
    text = f"(added by nft, handle {handle}: iptables can't show it)"
    return msgspec.structs.replace(rule, handle=handle, text=text, exprs=undecidable(text), comment="")
