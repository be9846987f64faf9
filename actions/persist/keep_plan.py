"""The plan that keeps changes over a reboot.  Pure.

Kernel parameters go to sysctl.d, modules to modules-load.d.  Bridges, routes
and rules of iptables are made by a unit of systemd, by the same commands as
the first time, after engines and firewalls have written theirs; tables of
nftables are loaded from a file by a unit of their own.  Where networkd or
NetworkManager manages the host's links it is told to leave a bridge alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import msgspec

from dnet_tui.actions.journal.entries import JournalEntry, StepLocation
from dnet_tui.actions.persist.keepable import KeptChanges, keepable, standing_rules
from dnet_tui.actions.persist.kept_tables import table_steps
from dnet_tui.actions.persist.lost_at_reboot import kept_by, lost_at_reboot
from dnet_tui.actions.persist.unit_text import unit_text
from dnet_tui.actions.plans.boot_files import EnableUnit, WriteFile
from dnet_tui.actions.plans.plan import Plan, PlanStep
from dnet_tui.inspect.errors import UsageError
from dnet_tui.inspect.model import Snapshot
from dnet_tui.inspect.text.sanitize import clean

_HEAD = "# Written by dnet-tui, which takes it away again: `dnet-tui undo`.\n"


class BootFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What starts this host and manages its links, and where programs are."""

    systemd: bool = True
    networkd: bool = False
    networkmanager: bool = False
    firewalld: bool = False
    find: Callable[[str], str] = lambda name: name


def keep_plan(
    entries: Sequence[JournalEntry], place: StepLocation, snapshot: Snapshot, facts: BootFacts, wanted: Sequence[str]
) -> Plan:
    """Return the plan that keeps the entries ``wanted``, or, with none named, all that can be kept.

    Raises:
        UsageError: There is nothing to keep, an entry isn't there, or it can't be kept; the message says why.
    """
    chosen = _chosen(entries, place, wanted)
    ours = standing_rules(entries)
    keep: list[tuple[JournalEntry, KeptChanges]] = []
    notes: list[str] = []
    for entry in chosen:
        kept = keepable(entry, snapshot, ours)
        if (kept.starts or kept.tables) and not facts.systemd:
            kept = msgspec.structs.replace(kept, reasons=("systemd doesn't start this host", *kept.reasons))
        if kept.reasons and wanted:
            msg = f"entry {entry.id} ({clean(entry.title)}) can't be kept: {'; '.join(kept.reasons)}"
            raise UsageError(msg, "write it where this host's own configuration is kept")
        if kept.reasons:
            notes.append(f"entry {entry.id} ({clean(entry.title)}) can't be kept: {'; '.join(kept.reasons)}")
        else:
            keep.append((entry, kept))
    if not keep:
        raise UsageError("; ".join(notes), "write it where this host's own configuration is kept")
    before = [unit_name(number) for number in kept_by(entries)]
    steps: list[PlanStep] = []
    for entry, kept in keep:
        steps += _steps(entry, kept, facts, before)
        before.append(unit_name(entry.id))
    notes += _notes([kept for _, kept in keep], facts)
    numbers = ", ".join(entry.id for entry, _ in keep)
    return Plan(title=f"keep {numbers} over a reboot", steps=tuple(steps), persists=True, notes=tuple(notes))


def unit_name(number: str) -> str:
    """The unit that keeps an entry."""
    return f"dnet-tui-{number}.service"


def _chosen(entries: Sequence[JournalEntry], place: StepLocation, wanted: Sequence[str]) -> list[JournalEntry]:
    lost = lost_at_reboot(entries, place)
    if not wanted:
        if not lost:
            raise UsageError("no change of dnet-tui's would be lost at a reboot", "`dnet-tui journal` lists them")
        return list(lost)
    chosen: list[JournalEntry] = []
    kept = kept_by(entries)
    for text in wanted:
        number = f"{int(text):04d}" if text.isascii() and text.isdecimal() else text
        entry = next((item for item in lost if item.id == number), None)
        if entry is None:
            if number in kept:
                raise UsageError(f"entry {number} is kept already, by entry {kept[number]}", "there is nothing to do")
            known = any(item.id == number for item in entries)
            what = (
                f"of entry {number} a reboot takes nothing away" if known else f"the journal has no entry {clean(text)}"
            )
            raise UsageError(what, "`dnet-tui journal` says which would be lost")
        if entry not in chosen:
            chosen.append(entry)
    return sorted(chosen, key=lambda item: item.id)


def _steps(entry: JournalEntry, kept: KeptChanges, facts: BootFacts, before: Sequence[str]) -> Iterator[PlanStep]:
    name = f"dnet-tui-{entry.id}"

    def file(path: str, content: str) -> PlanStep:
        return PlanStep(action=WriteFile(path=path, content=content))

    if kept.modules:
        yield file(f"/etc/modules-load.d/{name}.conf", _HEAD + "".join(f"{item}\n" for item in kept.modules))
    if kept.sysctls:
        lines = "".join(f"{_sysctl_name(item.key)} = {item.value}\n" for item in kept.sysctls)
        yield file(f"/etc/sysctl.d/90-{name}.conf", _HEAD + lines)
    if kept.bridges and facts.networkd:
        match = f"[Match]\nName={' '.join(kept.bridges)}\n\n[Link]\nUnmanaged=yes\n"
        yield file(f"/etc/systemd/network/10-{name}.network", _HEAD + match)
    if kept.bridges and facts.networkmanager:
        names = ";".join(f"interface-name:{item}" for item in kept.bridges)
        yield file(f"/etc/NetworkManager/conf.d/90-{name}.conf", f"{_HEAD}[keyfile]\nunmanaged-devices+={names}\n")
    if kept.starts:
        text = unit_text(
            f"dnet-tui's entry {entry.id}: {entry.title}",
            kept.starts,
            kept.stops,
            after=[item for item in before if item != unit_name(entry.id)],
            follows="docker.service" if kept.among_docker else "",
            find=facts.find,
        )
        yield file(f"/etc/systemd/system/{unit_name(entry.id)}", text)
        yield PlanStep(action=EnableUnit(unit=unit_name(entry.id)))
    if kept.tables:
        earlier = [item for item in before if item != unit_name(entry.id)]
        yield from table_steps(entry.id, entry.title, kept.tables, _HEAD, earlier, facts.find)


def _sysctl_name(key: str) -> str:
    """A key as sysctl.d(5) takes it: with slashes where a device's name holds a dot."""
    return key if "/" not in key else "/".join(part.replace("/", ".") for part in key.split("."))


def _notes(kept: Sequence[KeptChanges], facts: BootFacts) -> Iterator[str]:
    yield "nothing changes now: files are read, and the unit is started, when the host starts"
    yield "`dnet-tui undo` takes the files away again; where the host has been started since, what the unit made too"
    if facts.firewalld and any(item.starts for item in kept):
        yield "firewalld runs here: a reload of it takes such rules away until the unit is started again"
    if any(item.starts or item.tables for item in kept):
        yield "tables may come in another order then: of tables with the same priority another may be asked first"
    if any(item.tables for item in kept):
        yield "nftables.service deletes everybody's tables: these are loaded again whenever it is restarted or reloaded"
    if any(item.among_docker for item in kept):
        yield "these rules stand among Docker's: the unit is started anew with docker.service"
