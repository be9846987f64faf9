"""Own tables of nftables kept over a reboot: a file that nft loads, and the unit that has it loaded.  Pure.

The file replaces the tables it speaks of and touches no other, in one
transaction: loaded twice it makes the same tables as loaded once.  The unit
follows nftables.service, whose rules begin by deleting everybody's.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

from dnet_tui.actions.persist.unit_text import unit_text
from dnet_tui.actions.plans.boot_files import EnableUnit, WriteFile
from dnet_tui.actions.plans.nft_table import AddNftTable
from dnet_tui.actions.plans.plan import PlanStep
from dnet_tui.inspect.model.firewall import Firewall
from dnet_tui.inspect.text.sanitize import clean

NFTABLES = "nftables.service"


def table_steps(
    number: str,
    title: str,
    tables: Sequence[AddNftTable],
    head: str,
    after: Collection[str],
    find: Callable[[str], str],
) -> Iterator[PlanStep]:
    """What keeps the tables of one entry: a file, a unit, and that it starts with the host.

    Args:
        number: the entry's.
        title: of the entry.
        tables: in the order in which they were made.
        head: what the file begins with, a comment.
        after: the units of earlier entries.
        find: a program's path.
    """
    path, unit = f"/etc/dnet-tui/dnet-tui-{number}.nft", f"dnet-tui-{number}-nft.service"
    yield PlanStep(action=WriteFile(path=path, content=head + "".join(map(_replaced, tables))))
    text = unit_text(
        f"tables of nftables of dnet-tui's entry {number}: {title}",
        [("nft", "-f", path)],
        [words for table in reversed(tables) for words in table.undo_commands()],
        after=after,
        follows=NFTABLES,
        reloads=True,
        find=find,
    )
    yield PlanStep(action=WriteFile(path=f"/etc/systemd/system/{unit}", content=text))
    yield PlanStep(action=EnableUnit(unit=unit))


def gone_tables(tables: Sequence[AddNftTable], firewall: Firewall | None) -> Iterator[str]:
    """Why tables can't be kept: somebody has deleted them."""
    there = {
        (table.family, table.name) for table in (firewall.tables if firewall else ()) if table.backend == "nftables"
    }
    for table in tables:
        if (table.family, table.name) not in there:
            yield f"its table {table.family} {clean(table.name)} isn't there any more"


def table_words(table: AddNftTable) -> list[str]:
    """The words of a table's rules."""
    return table.body.replace(";", " ").split()


def _replaced(table: AddNftTable) -> str:
    name = f"table {table.family} {table.name}"
    return f"add {name}\ndelete {name}\nadd {name} {{ {table.body} }}\n"
