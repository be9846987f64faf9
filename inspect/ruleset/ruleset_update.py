"""Rules read earlier, made those of now by reading only the chains that changed.

A rule of nftables keeps its handle as long as it stands, and where another
takes its place under the same handle, the kernel tells that.  So what was
understood of a rule is kept, and only new ones are read.  Everything is
checked on the way: the kernel's list of handles gives the order, each kept
rule must be printed with the very text that it had, and the ruleset's
generation mustn't move meanwhile.  Whatever isn't plain gives None: then
everything is read again.

New rules come without counters: those of the others are as old as
``firewall_at`` says, and one time can't be told for both.

Source: net/netfilter/nf_tables_api.c, ``nf_tables_newrule`` (with
NLM_F_REPLACE, Linux 6.18 keeps the handle) and ``nf_tables_commit``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import cast

import msgspec

from dnet_tui.inspect.iptables.fast_compiler import FragmentCompiler
from dnet_tui.inspect.iptables.save_grammar import RuleSyntaxError
from dnet_tui.inspect.iptables.save_text import BUILT_IN, IptablesFamily
from dnet_tui.inspect.kernel.nfnetlink_tables import NftRule, NftSocket, NftTable, parse_rule_message
from dnet_tui.inspect.model.firewall import Chain, Firewall, Rule, SetLookup, Table, TableFamily
from dnet_tui.inspect.ruleset.change_log import Touch
from dnet_tui.inspect.ruleset.iptables_fidelity import shown_truly
from dnet_tui.inspect.ruleset.read_nft import read_tables
from dnet_tui.inspect.ruleset.run_save import list_chain, save

MOST_CHAINS = 64
"""Changed chains; with more, reading everything is hardly slower."""

_Place = tuple[TableFamily, str]


class _Changes(msgspec.Struct):
    """What changed of a table: the names of its chains (empty: something of the table itself), rules by handle."""

    chains: set[str] = msgspec.field(default_factory=set)
    rules: set[int] = msgspec.field(default_factory=set)


def splice(firewall: Firewall, touched: Collection[Touch], nft: NftSocket) -> Firewall | None:
    """The firewall as it is now, by reading what was ``touched`` since ``firewall`` was read.

    Returns:
        None when that can't be done, or wouldn't be surely right; also when it took a change meanwhile.

    Raises:
        OSError: the kernel does not answer.
        InterruptedDumpError: the ruleset changes too fast.
    """
    places: defaultdict[_Place, _Changes] = defaultdict(_Changes)
    for one in touched:
        if one.family is None:
            return None
        places[one.family, one.table].chains.add(one.chain)
        places[one.family, one.table].rules.add(one.rule)
    kept = {(table.family, table.name): table for table in firewall.tables}
    if sum(len(one.chains) for one in places.values()) > MOST_CHAINS:
        return None
    if not places.keys() <= kept.keys() or len(kept) != len(firewall.tables):
        return None
    if not _are_there(firewall, nft.tables()):
        return None
    classic = {key for key in places if kept[key].backend == "iptables-nft"}
    new: dict[_Place, Table] = {}
    for family in sorted({key[0] for key in classic}):
        found = _classic(
            cast("IptablesFamily", family),
            {key[1]: kept[key] for key in classic if key[0] == family},
            {key[1]: places[key] for key in classic if key[0] == family},
            nft,
        )
        if found is None:
            return None
        new |= {(table.family, table.name): table for table in found}
    for key in places.keys() - classic:
        table = _native(kept[key], nft)
        if table is None:
            return None
        new[key] = table
    tables = tuple(new.get((table.family, table.name), table) for table in firewall.tables)
    return msgspec.structs.replace(firewall, tables=tables)


def _are_there(firewall: Firewall, listed: Collection[NftTable]) -> bool:
    """Whether there are just the tables that were read, in the state that they were in."""
    now = {(table.family, table.name): table for table in listed}
    if now.keys() != {(table.family, table.name) for table in firewall.tables}:
        return False
    return all(
        now[table.family, table.name].dormant == table.dormant
        and not (now[table.family, table.name].empty and (table.chains or table.sets))
        for table in firewall.tables
    )


def _native(table: Table, nft: NftSocket) -> Table | None:
    """A table of nft, read again as a whole."""
    if table.family in {"ip", "ip6"} and table.name in BUILT_IN:
        return None  # iptables' by its name: who is to read it must be found out anew
    if table.dormant:
        return None
    read = read_tables([NftTable(table.family, table.name)], nft.generation)
    return None if read.said or read.unread or len(read.tables) != 1 else read.tables[0]


def _classic(
    family: IptablesFamily, tables: Mapping[str, Table], changed: Mapping[str, _Changes], nft: NftSocket
) -> tuple[Table, ...] | None:
    """Tables of iptables-nft with their ``changed`` chains read anew."""
    if any("" in one.chains for one in changed.values()) or any(table.sets for table in tables.values()):
        return None
    existing: dict[str, dict[str, str]] = {name: {} for name in tables}
    for chain in nft.chains(family):
        if chain.table in existing:
            existing[chain.table][chain.name] = chain.policy
    raws = {
        (table, chain): nft.handles(family, table, chain)
        for table, one in changed.items()
        for chain in one.chains & existing[table].keys()
    }
    if any(changed[name].chains & BUILT_IN[name].keys() - existing[name].keys() for name in tables):
        return None  # a built-in chain was taken away
    same = all(
        {chain.name for chain in table.chains} - existing[name].keys() <= BUILT_IN[name].keys()
        and existing[name].keys() <= {chain.name for chain in table.chains}
        for name, table in tables.items()
    )
    printed = _print(family, tables, raws.keys(), alone=same)
    if printed is None:
        return None
    spliced = []
    for name, table in tables.items():
        splicing = _Splicing(table, existing[name], changed[name], printed)
        found = splicing.table({chain: rules for (one, chain), rules in raws.items() if one == name})
        if found is None:
            return None
        spliced.append(found)
    return tuple(spliced)


def _print(
    family: IptablesFamily, tables: Mapping[str, Table], wanted: Collection[tuple[str, str]], *, alone: bool
) -> _Printed | None:
    """Have iptables print the wanted chains; ``alone``: their tables have the same chains as before."""
    if alone and len(wanted) == 1:
        # Half the work of printing everything; two of them would be no less work.
        ((table, chain),) = wanted
        listed = list_chain(family, table, chain)
        if listed is not None:
            order = [one.name for one in tables[table].chains]
            return None if listed.error else _Printed(listed.text, wanted, table, order)
    (saved, *more) = save("iptables-nft", family, sorted(tables), counters=False)
    if more or saved.error or saved.incompatible:
        return None
    return _Printed(saved.text, wanted)


class _Printed:
    """What iptables printed: per table its chains in order; of the wanted ones the rules' texts.

    A listing of one chain doesn't name the ``table``, nor its chains in ``order``.
    """

    def __init__(
        self, text: str, wanted: Collection[tuple[str, str]], table: str = "", order: Sequence[str] = ()
    ) -> None:
        self.chains: dict[str, list[str]] = {table: list(order)} if table else {}
        self.rules: dict[tuple[str, str], list[str]] = {key: [] for key in wanted}
        declared: list[str] = []
        here = {chain: rules for (_, chain), rules in self.rules.items()} if table else {}
        for line in text.split("\n"):
            if line.startswith("-A "):
                chain, _, rule = line[3:].partition(" ")
                if chain in here:
                    here[chain].append(rule.strip())
            elif line.startswith("*"):
                table = line[1:].strip()
                here = {chain: rules for (one, chain), rules in self.rules.items() if one == table}
                declared = self.chains.setdefault(table, [])
            elif line.startswith(":"):
                declared.append(line[1:].partition(" ")[0])


class _Splicing:
    """One table in the making."""

    def __init__(self, table: Table, existing: Mapping[str, str], changed: _Changes, printed: _Printed) -> None:
        self._table = table
        self._existing = existing
        self._changed = changed
        self._printed = printed
        self._chains = {chain.name: chain for chain in table.chains}
        self._order = printed.chains.get(table.name, [])
        self._compiler = FragmentCompiler(frozenset(self._order))

    def table(self, raws: Mapping[str, dict[int, bytes]]) -> Table | None:
        # iptables prints built-in chains that nobody has made yet, too.
        before, now, printed = self._chains.keys(), self._existing.keys(), set(self._order)
        appeared = now - before
        if not now <= printed or not printed - now <= BUILT_IN[self._table.name].keys():
            return None
        if not (before ^ printed) <= self._changed.chains or len(printed) != len(self._order):
            return None
        if any(self._existing[name] for name in appeared) or any(self._chains[name].hook for name in before - printed):
            return None  # hooks that came or went
        if any(self._is_named(name) for name in appeared):
            return None
        chains: list[Chain] = []
        for name in self._order:
            chain = self._chain(name, raws[name]) if name in raws else self._chains[name]
            if chain is None:
                return None
            chains.append(chain)
        return msgspec.structs.replace(self._table, chains=tuple(chains))

    def _is_named(self, name: str) -> bool:
        """Whether a kept rule names what is a chain only now: it had another meaning then."""
        return any(name in rule.text for chain in self._table.chains for rule in chain.rules)

    def _chain(self, name: str, raws: dict[int, bytes]) -> Chain | None:
        texts = self._printed.rules[self._table.name, name]
        if len(texts) != len(raws):
            return None
        old = self._chains.get(name) or Chain(name=name)
        policy = self._existing[name]
        if (old.hook is not None) != bool(policy):
            return None
        kept = {rule.handle: rule for rule in old.rules}
        rules: list[Rule] = []
        for number, ((handle, message), text) in enumerate(zip(raws.items(), texts, strict=True), start=1):
            rule = None if handle in self._changed.rules else kept.get(handle)
            if rule is None:
                rule = self._new(number, parse_rule_message(message), text)
            elif rule.text != text:
                return None
            elif rule.number != number:
                rule = msgspec.structs.replace(rule, number=number)
            if rule is None:
                return None
            rules.append(rule)
        return msgspec.structs.replace(old, rules=tuple(rules), policy=policy)

    def _new(self, number: int, raw: NftRule, text: str) -> Rule | None:
        if not shown_truly(raw.expressions, self._table.family):
            return None
        try:
            parsed = self._compiler.parse(text)
        except RuleSyntaxError:
            return None
        if any(isinstance(expr, SetLookup) for expr in parsed.exprs):
            return None  # the ipset must be read too
        return Rule(number=number, text=text, exprs=parsed.exprs, handle=raw.handle, comment=parsed.comment)
