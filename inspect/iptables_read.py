"""Reads the firewall of the network namespace that the calling thread is in.  Changes nothing.

What exists is asked first, without spawning anything: nftables' tables over
netlink, the legacy tables from ``/proc``.  A program is run only for tables
that are there: merely starting ``iptables-legacy`` would create some.

Facts: ip_tables_names lists the legacy tables of the reader's namespace
(kernel, x_tables.c); iptables-nft keeps its tables in the families ip and ip6
under the five classic names (iptables, nft.c).
"""

from __future__ import annotations

import errno
from collections import defaultdict
from pathlib import Path

import msgspec

from dnet_tui.inspect.firewall import Backend, Firewall, Rule, Table, TableFamily, UnreadTable
from dnet_tui.inspect.gaps import Gap
from dnet_tui.inspect.iptables import BUILT_IN, Family, ParseProblem, parse_save_report, undecidable
from dnet_tui.inspect.iptables_run import Saved, save
from dnet_tui.inspect.nft_foreign import shown_truly
from dnet_tui.inspect.nft_tables import InterruptedDumpError, NftRule, NftSocket, NftTable
from dnet_tui.inspect.untrusted import clean

_ATTEMPTS = 3
_FAMILIES: tuple[Family, ...] = ("ip", "ip6")
_PROC = Path("/proc/thread-self/net")
_ROOT_HINT = "run dnet-tui as root"
_NATIVE = "native nftables is not read yet"
_PROBLEMS_SHOWN = 5
_FOREIGN = "(added by nft, handle "
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
    return Firewall(tables=tuple(found.tables), unread=tuple(found.unread)), tuple(found.gaps)


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

    def skip(self, backend: Backend, family: TableFamily, name: str, reason: str) -> None:
        """Record a table that exists, or may, and whose contents aren't known."""
        self.unread.append(UnreadTable(family=family, name=name, backend=backend, reason=reason))

    def refuse(self, backend: Backend, name: str, error: Exception, families: tuple[Family, ...] = _FAMILIES) -> None:
        """Record that the kernel did not answer."""
        denied = isinstance(error, PermissionError)
        reason = "no permission to read them" if denied else (getattr(error, "strerror", "") or str(error))
        self.gap(f"{backend} rules: {reason}", _ROOT_HINT if denied else "")
        for family in families:
            self.skip(backend, family, name, reason)


def _read_nftables(found: _Found, nft: NftSocket) -> None:
    tables = [table for table in _existing(nft) if not table.dormant and not table.empty]
    classic = [table for table in tables if table.family in _FAMILIES and table.name in BUILT_IN]
    _native(found, [table for table in tables if table not in classic])
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


def _native(found: _Found, tables: list[NftTable]) -> None:
    for table in tables:
        found.skip("nftables", table.family, table.name, _NATIVE)
    if tables:
        names = ", ".join(f"{table.family} {clean(table.name, 60)}" for table in tables[:_PROBLEMS_SHOWN])
        more = f" and {len(tables) - _PROBLEMS_SHOWN} more" if len(tables) > _PROBLEMS_SHOWN else ""
        found.gap(f"{_NATIVE}: {names}{more}", "see them with: nft list ruleset")


def _read_classic(found: _Found, nft: NftSocket, family: Family, names: list[str]) -> None:
    """Read iptables-nft's tables of one family, with their rules' handles, from one state of the ruleset."""
    for attempt in range(1, _ATTEMPTS + 1):
        before = nft.generation()
        saved = save("iptables-nft", family, names)
        rules = {name: nft.rules(family, name) for name in names}
        if before == nft.generation() or attempt == _ATTEMPTS:
            break
    for one in saved:
        _take(found, "iptables-nft", family, one, rules)


def _read_legacy(found: _Found, family: Family) -> None:
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


def _take(
    found: _Found, backend: Backend, family: Family, saved: Saved, rules: dict[str, tuple[NftRule, ...]] | None
) -> None:
    """Take over the tables of one output; ``rules`` are the kernel's own, where there are such."""
    tables, problems = parse_save_report(saved.text, backend=backend, family=family)
    read = {table.name: table for table in tables}
    unwell = bool(saved.error) and not saved.incompatible
    if unwell:
        found.gap(saved.error, saved.hint)
    for name in saved.tables:
        if name in saved.incompatible:
            found.skip("nftables", family, name, "not iptables' own: it holds rules or chains of nft")
            found.gap(
                f"table {family} {name} was changed by nft so that iptables can't show it: {_NATIVE}",
                f"see it with: nft list table {family} {name}",
            )
        elif unwell or name not in read:
            found.skip(backend, family, name, saved.error or "it was not printed")
            if not unwell:
                found.gap(f"{backend} did not print table {family} {name}")
    if unwell:
        return
    _report(found, backend, family, problems)
    for table in tables:
        found.tables.append(table if rules is None else _verified(found, table, rules.get(table.name, ())))


def _report(found: _Found, backend: Backend, family: Family, problems: tuple[ParseProblem, ...]) -> None:
    for problem in problems[:_PROBLEMS_SHOWN]:
        found.gap(f"{backend} {family}, line {problem.line}: {clean(problem.reason)}: {clean(problem.text, 160)}")
    if len(problems) > _PROBLEMS_SHOWN:
        found.gap(f"{backend} {family}: {len(problems) - _PROBLEMS_SHOWN} more lines could not be read")
    for name in dict.fromkeys(problem.table for problem in problems if not problem.contained):
        found.skip(backend, family, name or "*", "not all of its lines could be read")


def _verified(found: _Found, table: Table, rules: tuple[NftRule, ...]) -> Table:
    """The table with its rules' handles; rules that iptables doesn't show truly are made undecidable."""
    kernel: defaultdict[str, list[NftRule]] = defaultdict(list)
    for rule in rules:
        kernel[rule.chain].append(rule)
    if {chain.name: len(chain.rules) for chain in table.chains if chain.rules} != {
        name: len(listed) for name, listed in kernel.items()
    }:
        reason = "it changed while it was read"
        found.skip(table.backend, table.family, table.name, reason)
        found.gap(f"table {table.family} {table.name}: {reason}", "try again")
        return table
    foreign = 0
    chains = []
    for chain in table.chains:
        own = tuple(_with_handle(rule, own, table) for rule, own in zip(chain.rules, kernel[chain.name], strict=True))
        foreign += sum(rule.text.startswith(_FOREIGN) for rule in own)
        chains.append(msgspec.structs.replace(chain, rules=own))
    if foreign:
        found.gap(
            f"{foreign} rule(s) of table {table.family} {table.name} were added by nft and can't be decided",
            f"see them with: nft -a list table {table.family} {table.name}",
        )
    return msgspec.structs.replace(table, chains=tuple(chains))


def _with_handle(rule: Rule, kernel: NftRule, table: Table) -> Rule:
    if shown_truly(kernel.expressions, table.family):
        return msgspec.structs.replace(rule, handle=kernel.handle)
    text = f"{_FOREIGN}{kernel.handle}: iptables can't show it)"
    return msgspec.structs.replace(rule, handle=kernel.handle, text=text, exprs=undecidable(text), comment="")
