"""The matrix of who reaches whom, for a terminal: letters, never colour alone.  Pure."""

from __future__ import annotations

from dnet_tui.diagnostics.trace.matrix import Matrix
from dnet_tui.inspect.text.cells import cells, pad
from dnet_tui.inspect.text.sanitize import clean
from dnet_tui.tui.reports.terminal import OutputStyle
from dnet_tui.tui.reports.wrapping import paragraph

_LETTERS = {"yes": "y", "refused": "r", "no": ".", "too-big": "b", "unknown": "?", "-": "-"}
_LEGEND = "y reaches it   r gets there, no listener   . does not   ? can't be decided   - nothing to trace"
_BIG = "   b too big for a link on its way"


def matrix_text(matrix: Matrix, paper: OutputStyle) -> str:
    """The matrix with its legend; columns are numbered, each row carries its own number and name."""
    names = [clean(name) for name in matrix.targets]
    digits = len(str(len(names)))
    width = max((cells(name) for name in (*names, "from, to:")), default=0)
    reach = {(cell.source, cell.target): cell.reach for cell in matrix.cells}
    head = " ".join(str(number).rjust(digits) for number in range(1, len(names) + 1))
    title = pad("from, to:", width)
    lines = [paper.bold(f"{' ' * (digits + 1)}{title}  {head}")]
    for number, (raw, name) in enumerate(zip(matrix.targets, names, strict=True), start=1):
        row = ""
        if raw in matrix.sources:
            row = " ".join(_LETTERS[reach[raw, target]].rjust(digits) for target in matrix.targets)
        lines.append(f"{str(number).rjust(digits)} {pad(name, width)}  {row}".rstrip())
    legend = _LEGEND + (_BIG if "too-big" in reach.values() else "")
    return "\n".join([*lines, "", *paragraph(legend, paper.width)]) + "\n"
