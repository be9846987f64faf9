"""Inserting and deleting iptables rules so that both can be taken back exactly.

Writes go through ``iptables-nft``/``iptables-legacy`` by argument vector, one
rule each (the kernel takes each as one transaction); legacy rules through
python-iptables where that can do it (:mod:`dnet_tui.actions.changes.legacy_write`).
Every write is preceded by a reading of the chain, which finds the very rule
meant, and followed by one that proves that this and nothing else has changed.
"""

from __future__ import annotations

import msgspec

from dnet_tui.actions.changes import legacy_write
from dnet_tui.actions.changes.chains import (
    SavedChain,
    digest,
    find_between,
    find_inserted,
    find_place,
    neighbours,
    parse_chain,
    same_rule,
)
from dnet_tui.actions.changes.nft_leftovers import chain_exists, drop_empty_chain, drop_empty_table
from dnet_tui.actions.changes.programs import CommandRefusedError
from dnet_tui.actions.host_access import HostAccess
from dnet_tui.actions.journal.captured_state import RuleState
from dnet_tui.diagnostics.operations.rule import PROGRAMS, DeleteRule, InsertRule, rule_words
from dnet_tui.inspect.errors import ActionFailedError
from dnet_tui.inspect.iptables.save_grammar import RuleSyntaxError, split_words
from dnet_tui.inspect.text.sanitize import clean

RuleChange = InsertRule | DeleteRule

_LEGACY_NAMES = {"ip": "/proc/net/ip_tables_names", "ip6": "/proc/net/ip6_tables_names"}
_AGAIN = "the host changed since the plan was made: look again with `dnet-tui doctor`"


def prepare(action: RuleChange, host: HostAccess) -> RuleState:
    """Find the place in the chain and capture it.

    Raises:
        ActionFailedError: The rule to delete is gone, the place to insert isn't there, or the table can't be read.
    """
    existed, chain = read_chain(action, host)
    if not chain.declared:
        msg = f"{chain_name(action)}: there is no such chain"
        raise ActionFailedError(msg, _AGAIN)
    texts = chain.texts
    if isinstance(action, DeleteRule):
        number = locate(action, texts)
        require_whole(texts[number - 1], action)
        return _state(texts, number, chain, table_existed=existed)
    position = resolve_position(action, texts)
    above, below = neighbours(texts, position, inserting=True)
    return RuleState(
        table_existed=existed,
        chain_existed=not existed or chain_exists(action, host),
        digest=digest(texts),
        position=position,
        text=action.spec,
        same=sum(same_rule(text, action.spec) for text in texts),
        above=above,
        below=below,
    )


def perform(action: RuleChange, captured: RuleState, host: HostAccess) -> RuleState:
    """Make the change at the place that ``captured`` captured, and return how it turned out.

    Raises:
        ActionFailedError: The program refused, or the chain isn't what it must be then.
    """
    _, chain = read_chain(action, host)
    if digest(chain.texts) != captured.digest:
        msg = f"{chain_name(action)} changed while the change was being prepared"
        raise CommandRefusedError(msg, _AGAIN)  # nothing was made, so there is nothing of ours to look for
    if isinstance(action, DeleteRule):
        writer = _delete(action, chain, captured.position, host)
        left = _without(chain.texts, captured.position)
        return msgspec.structs.replace(captured, digest=digest(left), writer=writer)
    number = captured.position
    writer = _insert(action, number, chain, host)
    texts = read_chain(action, host)[1].texts
    state = _state(texts, number, SavedChain(()), table_existed=captured.table_existed)
    return msgspec.structs.replace(state, writer=writer)


def revert(action: RuleChange, captured: RuleState, after: RuleState | None, host: HostAccess) -> str:
    """Take the change back, whatever part of it was made; nothing is done where nothing is left to do.

    Returns:
        What was done, in a few words.

    Raises:
        ActionFailedError: The rule can't be told from its twins, its chain is gone, or the program refused.
    """
    _, chain = read_chain(action, host)
    if isinstance(action, DeleteRule):
        return _put_back(action, captured, chain, host)
    if after is None and _is_anothers(action, captured, chain, host):
        return f"{chain_name(action)}: no such rule stands there: nothing to delete"
    found = find_inserted(chain.texts, captured, after)
    if found == "":
        msg = f"{chain_name(action)}: cannot tell which of the identical rules was inserted: {_shown(captured.text)}"
        raise ActionFailedError(msg, "delete it by hand: list the chain with --line-numbers, then -D CHAIN NUMBER")
    if isinstance(found, str):
        note = found
    else:
        writer = _delete(action, chain, found, host)
        note = f"deleted rule {found} of {chain_name(action)}{_by(writer)}"
    if not captured.table_existed:
        note += drop_empty_table(action, host)
    elif not captured.chain_existed:
        note += drop_empty_chain(action, host)
    return note


def _is_anothers(action: InsertRule, captured: RuleState, chain: SavedChain, host: HostAccess) -> bool:
    """Whether the rule at the captured place is somebody else's: nobody lived to say that ours was made.

    iptables may print a rule in other words than it was given, so it is asked itself whether ours is there.
    """
    texts, number = chain.texts, captured.position
    if not 1 <= number <= len(texts) or digest(_without(texts, number)) != captured.digest:
        return False  # more has changed: then it is told by its words
    if same_rule(texts[number - 1], captured.text) or not host.has(_program(action)):
        return False
    if captured.same:  # iptables would find the twin that stood there before
        return True
    words = (_program(action), "-w", "-t", action.table, "-C", action.chain, *rule_words(action.spec))
    return host.run(words).code == 1


def tidy(action: InsertRule, host: HostAccess, *, whole: bool) -> str:
    """Delete the base chain that an insertion had brought, or its ``whole`` table, if nothing is in it; says so."""
    if action.backend != "iptables-nft":
        return ""
    return drop_empty_table(action, host) if whole else drop_empty_chain(action, host)


def _put_back(action: DeleteRule, captured: RuleState, chain: SavedChain, host: HostAccess) -> str:
    if not chain.declared:
        msg = f"{chain_name(action)} is gone, so the rule can't be put back: {_shown(captured.text)}"
        raise ActionFailedError(msg, "its owner has rebuilt the firewall; `dnet-tui doctor` says what is missing now")
    place = find_place(chain.texts, captured)
    if isinstance(place, str):
        return place
    rule = InsertRule(
        backend=action.backend,
        family=action.family,
        table=action.table,
        chain=action.chain,
        spec=captured.text,
        position=place,
        packets=captured.packets,
        bytes=captured.bytes,
    )
    writer = _insert(rule, place, chain, host, verbatim=True)
    moved = "" if place == captured.position else f" (it was {captured.position}: the chain has changed since)"
    return f"put back rule {place} of {chain_name(action)}{moved}{_by(writer)}"


def resolve_position(action: InsertRule, texts: list[str]) -> int:
    """Return the number at which a rule is to be inserted into a chain with these texts.

    Raises:
        ActionFailedError: The chain hasn't got that place, or its neighbours are gone or have been reordered.
    """
    position = action.position if action.position is not None else len(texts) + 1
    if action.position is not None and (action.below or action.above):
        position = find_between(texts, position, action.below, action.above)
        if position == 0:
            between = " and ".join(f"`{_shown(text)}`" for text in (action.below, action.above) if text)
            msg = f"{chain_name(action)}: the place beside {between} isn't there any more"
            raise ActionFailedError(msg, _AGAIN)
    if not 1 <= position <= len(texts) + 1:
        msg = f"{chain_name(action)}: there is no place {position} for a rule, the chain has {len(texts)}"
        raise ActionFailedError(msg, _AGAIN)
    return position


def locate(action: DeleteRule, texts: list[str]) -> int:
    """Return the number of the rule meant: at its position, else the only one with its text."""
    position = action.position
    if 1 <= position <= len(texts) and same_rule(texts[position - 1], action.spec):
        return position
    twins = [number for number, text in enumerate(texts, 1) if same_rule(text, action.spec)]
    if len(twins) == 1:
        return twins[0]
    reason = f"stands there {len(twins)} times, and none at {position}" if twins else "isn't there any more"
    msg = f"{chain_name(action)}: the rule {reason}: {_shown(action.spec)}"
    raise ActionFailedError(msg, _AGAIN)


def require_whole(text: str, action: RuleChange) -> None:
    """Refuse a rule that could not be put back: a newline in its comment ends the line that iptables-save prints."""
    try:
        split_words(text)
    except RuleSyntaxError as error:
        msg = f"{chain_name(action)}: the rule's comment isn't one line of text, so undo could not put it back"
        raise ActionFailedError(
            msg, "delete it by hand: list the chain with --line-numbers, then -D CHAIN NUMBER"
        ) from error


def _delete(action: RuleChange, chain: SavedChain, number: int, host: HostAccess) -> str:
    """Delete one rule and prove it: by its text where it has no twin (nobody can slip in between), else by number.

    Returns:
        What wrote it, for the legacy backend; see :class:`RuleState`.
    """
    program = _program(action)
    texts, writer = chain.texts, ""
    if action.backend == "iptables-legacy":
        why_not = legacy_write.delete(action, number, texts, host, lambda: _texts(action, host))
        writer = _writer(program, why_not)
    if writer != legacy_write.NAME:
        head = (program, "-w", "-t", action.table, "-D", action.chain)
        text = texts[number - 1]
        if texts.count(text) > 1 or host.run((*head, *rule_words(text))).code != 0:
            _run((*head, str(number)), action, host)
    if _texts(action, host) != _without(texts, number):
        msg = f"{chain_name(action)} changed while a rule was being deleted"
        raise ActionFailedError(msg, "another program rewrites the firewall: compare with `dnet-tui rules`")
    return writer


def _insert(action: InsertRule, number: int, chain: SavedChain, host: HostAccess, *, verbatim: bool = False) -> str:
    """Insert a rule as ``number`` and prove it.

    ``verbatim``: the rule's text is one that iptables-save has printed, and will print again.

    Returns:
        What wrote it, for the legacy backend; see :class:`RuleState`.
    """
    program, before, writer = _program(action), chain.texts, ""
    if action.backend == "iptables-legacy":
        why_not = legacy_write.insert(action, number, before, host, lambda: _texts(action, host), verbatim=verbatim)
        writer = _writer(program, why_not)
    if writer != legacy_write.NAME:
        _run(msgspec.structs.replace(action, position=number).commands()[0], action, host)
    texts = _texts(action, host)
    if _without(texts, number) != before or len(texts) != len(before) + 1:
        msg = f"{chain_name(action)} changed while a rule was being inserted"
        raise ActionFailedError(msg, "another program rewrites the firewall; `dnet-tui undo` takes the rule back")
    return writer


def _writer(program: str, why_not: str) -> str:
    return f"{program} ({why_not})" if why_not else legacy_write.NAME


def _by(writer: str) -> str:
    return f", written by {writer}" if writer else ""


def _texts(action: RuleChange, host: HostAccess) -> list[str]:
    return read_chain(action, host)[1].texts


def read_chain(action: RuleChange, host: HostAccess) -> tuple[bool, SavedChain]:
    """Return whether the table exists, and the chain as it is now.

    Reading a legacy table creates it, and ``iptables-nft-save -t`` prints the
    base chains of a table that isn't there: both are asked about beforehand.
    """
    save = f"{_program(action)}-save"
    existed = True
    if action.backend == "iptables-legacy":
        names = (host.read(_LEGACY_NAMES[action.family]) or "").split()
        existed = action.table in names
        if not existed and isinstance(action, DeleteRule):
            return False, SavedChain((), declared=False)
    out = _run((save, "-c", "-t", action.table), action, host)
    if action.backend == "iptables-nft":
        existed = "\n-A " in out or "] -A " in out or f"*{action.table}\n" in _run((save,), action, host)
    return existed, parse_chain(out, action.chain)


def _run(words: tuple[str, ...], action: RuleChange, host: HostAccess) -> str:
    ran = host.run(words)
    if f"Table `{action.table}' is incompatible" in ran.out + ran.err:
        msg = f"the {action.table} table holds rules that {words[0]} can't show, so it must not write there"
        raise ActionFailedError(msg, "change it with nft; see `nft list ruleset`")
    if ran.code != 0:
        said = clean(" ".join((ran.err or ran.out).split()))
        denied = "Permission denied" in said or "you must be root" in said
        msg = f"{words[0]} refused: {said}"
        raise ActionFailedError(msg, "changing rules needs root (CAP_NET_ADMIN): try sudo" if denied else "")
    return ran.out


def _state(texts: list[str], number: int, chain: SavedChain, *, table_existed: bool) -> RuleState:
    text = texts[number - 1]
    above, below = neighbours(texts, number, inserting=False)
    counted = chain.lines[number - 1] if chain.lines else None
    return RuleState(
        table_existed=table_existed,
        digest=digest(texts),
        position=number,
        text=text,
        same=texts.count(text),
        ordinal=texts[:number].count(text),
        above=above,
        below=below,
        packets=counted.packets if counted else 0,
        bytes=counted.bytes if counted else 0,
    )


def _without(texts: list[str], number: int) -> list[str]:
    return [*texts[: number - 1], *texts[number:]]


def _program(action: RuleChange) -> str:
    program = PROGRAMS.get((action.backend, action.family))
    if program is None:
        msg = f"rules of the {action.backend} backend are not written by this version"
        raise ActionFailedError(msg, "the plan shows the command to run by hand")
    return program


def chain_name(action: RuleChange) -> str:
    """The chain in an error's words."""
    return clean(f"{action.backend} {action.table} {action.chain}")


def _shown(text: str) -> str:
    return clean(text, limit=1024)
