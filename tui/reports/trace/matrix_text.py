"""The matrix of who reaches whom, for a terminal: letters, never colour alone.  Pure.

Places that behave the same share a row and a column; a grid that is wider
than the terminal is printed in parts, one under the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dnet_tui.diagnostics.trace.matrix import Matrix
from dnet_tui.diagnostics.trace.matrix_groups import Grid, Group, grouped
from dnet_tui.inspect.text.cells import cells, pad
from dnet_tui.inspect.text.sanitize import clean
from dnet_tui.tui.reports.terminal import OutputStyle
from dnet_tui.tui.reports.wrapping import paragraph

_LETTERS = {"yes": "y", "refused": "r", "no": ".", "too-big": "b", "unknown": "?", "-": "-"}
_LEGEND = "y reaches it   r gets there, no listener   . does not   ? can't be decided   - nothing to trace"
_BIG = "   b too big for a link on its way"
_TITLE = "from, to:"
_NAME = 32  # cells of a row's name at most
_PORTS = 6  # beside the usual one that are named
_MEMBERS = 24  # of a group that are named below the grid


def matrix_text(matrix: Matrix, paper: OutputStyle) -> str:
    """The matrix with its legend; columns are numbered, each row carries its own number and name."""
    grid = grouped(matrix)
    digits = len(str(len(grid.groups)))
    names = [_name(group) for group in grid.groups]
    width = max((cells(name) for name in (*names, _TITLE)), default=0)
    lines = [*paragraph(_asked(matrix), paper.for_prose().width), ""]
    for at, columns in enumerate(_parts(grid.columns, digits, width, paper)):
        lines += [*([""] if at else []), *_part(grid, columns, names, width, paper)]
    lines += ["", *_only_targets(grid, names, paper), *_members(grid.groups, paper)]
    legend = _LEGEND + (_BIG if "too-big" in grid.reach.values() else "")
    return "\n".join([*lines, *paragraph(legend, paper.width)]) + "\n"


def _name(group: Group) -> str:
    """A group's name in its row: its first place, and how many more."""
    first = clean(group[0])
    more = f" and {len(group) - 1} more" if len(group) > 1 else ""
    room = _NAME - cells(more)
    if cells(first) > room:
        while first and cells(first) >= room:
            first = first[:-1]
        first += "…"
    return first + more


def _parts(columns: Sequence[int], digits: int, width: int, paper: OutputStyle) -> Iterator[Sequence[int]]:
    """The columns that fit beside the names, part by part."""
    room = len(columns) if paper.width is None else max(1, (paper.width - digits - width - 2) // (digits + 1))
    for start in range(0, max(1, len(columns)), room or 1):
        yield columns[start : start + room]


def _part(grid: Grid, columns: Sequence[int], names: list[str], width: int, paper: OutputStyle) -> Iterator[str]:
    digits = len(str(len(names)))
    head = " ".join(str(number + 1).rjust(digits) for number in columns)
    yield paper.bold(f"{' ' * (digits + 1)}{pad(_TITLE, width)}  {head}")
    for at in grid.rows:
        row = " ".join(_LETTERS[grid.reach[at, column]].rjust(digits) for column in columns)
        yield f"{str(at + 1).rjust(digits)} {pad(names[at], width)}  {row}".rstrip()


def _only_targets(grid: Grid, names: list[str], paper: OutputStyle) -> list[str]:
    """The columns that are no rows, by their numbers."""
    others = [at for at in grid.columns if at not in grid.rows]
    if not others:
        return []
    named = ", ".join(f"{at + 1} {names[at]}" for at in others)
    return [*paragraph(named, paper.for_prose().width, "only asked: ", "  "), ""]


def _asked(matrix: Matrix) -> str:
    """With which protocol and to which ports."""
    ports: dict[int, dict[str, None]] = {}
    for cell in matrix.cells:
        if cell.port and not cell.target.endswith(f":{cell.port}"):
            ports.setdefault(cell.port, {})[clean(cell.target)] = None
    if matrix.proto == "icmp" or not ports:
        return f"Asked with {matrix.proto}{' echo requests' if matrix.proto == 'icmp' else ''}."
    if len(ports) == 1:
        return f"Asked with {matrix.proto}, port {next(iter(ports))}."
    most = max(ports, key=lambda port: len(ports[port]))
    rest = [f"{port} ({_few(list(names))})" for port, names in sorted(ports.items()) if port != most]
    more = f" and {len(rest) - _PORTS} more" if len(rest) > _PORTS else ""
    listed = ", ".join(rest[:_PORTS]) + more
    return f"Asked with {matrix.proto}, port {most}; where something else listens, that: {listed}."


def _few(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def _members(groups: tuple[Group, ...], paper: OutputStyle) -> list[str]:
    """Who is in each group of several; all of them are in the data."""
    lines: list[str] = []
    for at, group in enumerate(groups, start=1):
        if len(group) > 1:
            named = ", ".join(clean(name) for name in group[:_MEMBERS])
            rest = len(group) - _MEMBERS
            more = f" and {rest} more (--format json has all)" if rest > 0 else ""
            head = f"{at} ({len(group)} that behave the same): "
            lines += paragraph(f"{named}{more}", paper.for_prose().width, head, "  ")
    return [*lines, ""] if lines else []
