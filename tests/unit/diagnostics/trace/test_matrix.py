"""The matrix: narrowed by names, told with its progress, and the grid that groups its places."""

from __future__ import annotations

import random

import pytest

from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.trace.matrix import Cell, Matrix, MatrixRequest, Reach, matrix
from dnet_tui.diagnostics.trace.matrix_groups import grouped
from dnet_tui.inspect.errors import UsageError
from dnet_tui.tui.reports.terminal import OutputStyle
from dnet_tui.tui.reports.trace.matrix_text import matrix_text
from unit.builders.factories import docker_like_snapshot


def test_the_matrix_is_narrowed_by_names() -> None:
    case = HostContext(docker_like_snapshot())
    found = matrix(case, sources=("web", "outside"), targets=("app1", "host:8080"))
    assert (found.sources, found.targets) == (("web", "outside"), ("app1", "host:8080"))
    assert len(found.cells) == 4
    every = {(cell.source, cell.target): cell for cell in matrix(case).cells}
    assert all(every[cell.source, cell.target] == cell for cell in found.cells)
    with pytest.raises(UsageError, match="no container or place called 'wob'"):
        matrix(case, sources=("wob",))


def test_progress_is_told_in_pairs() -> None:
    told: list[tuple[int, int]] = []
    matrix(HostContext(docker_like_snapshot()), progress=lambda done, of: told.append((done, of)))
    assert told[0] == (0, 30)
    assert [done for done, _ in told] == [0, 6, 12, 18, 24]


def test_the_protocol_counts_for_every_pair() -> None:
    found = matrix(HostContext(docker_like_snapshot()), MatrixRequest(proto="icmp"))
    assert not any(":" in name for name in found.targets)


def of_letters(names: str, rows: dict[str, str], extra: str = "") -> Matrix:
    """A matrix from its letters, one row per source."""
    words: dict[str, Reach] = {"y": "yes", ".": "no", "r": "refused", "?": "unknown", "-": "-", "b": "too-big"}
    cells = tuple(
        Cell(source=source, target=target, reach=words[letter])
        for source, letters in rows.items()
        for target, letter in zip(names + extra, letters, strict=True)
    )
    return Matrix(sources=tuple(rows), targets=tuple(names + extra), cells=cells)


def test_places_that_behave_the_same_are_one_group() -> None:
    grid = grouped(of_letters("abcd", {"a": "-yy.", "b": "y-y.", "c": "yy-.", "d": "...-"}))
    assert grid.groups == (("a", "b", "c"), ("d",))
    assert grid.reach == {(0, 0): "yes", (0, 1): "no", (1, 0): "no", (1, 1): "-"}


def test_a_ring_looks_alike_from_everywhere_and_is_no_group() -> None:
    grid = grouped(of_letters("abcd", {"a": "-y..", "b": ".-y.", "c": "..-y", "d": "y..-"}))
    assert grid.groups == (("a",), ("b",), ("c",), ("d",))


def test_two_pairs_that_keep_to_themselves_are_two_groups() -> None:
    grid = grouped(of_letters("abcd", {"a": "-y..", "b": "y-..", "c": "..-y", "d": "..y-"}))
    assert grid.groups in ((("a", "b"), ("c", "d")), (("a",), ("b",), ("c",), ("d",)))


@pytest.mark.parametrize("seed", range(30))
def test_a_grid_tells_of_every_pair_what_the_matrix_does(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - chance, not secrecy
    names, kinds = "abcdefghij", [chance.randrange(3) for _ in range(10)]
    table = {(one, two): chance.choice("y.r?") for one in range(3) for two in range(3)}
    noise = {(chance.randrange(10), chance.randrange(10)) for _ in range(seed % 3)}
    rows = {
        name: "".join(
            "-" if at == to else "b" if (at, to) in noise else table[kinds[at], kinds[to]] for to in range(10)
        )
        + chance.choice("yy.")
        for at, name in enumerate(names)
    }
    found = of_letters(names, rows, "P")
    grid = grouped(found)
    home = {name: at for at, group in enumerate(grid.groups) for name in group}
    assert sorted(home) == sorted(names + "P")
    for cell in found.cells:
        if cell.source != cell.target:
            assert grid.reach[home[cell.source], home[cell.target]] == cell.reach


@pytest.mark.parametrize("width", [40, 80, 140])
def test_the_grid_fits_the_terminal(width: int) -> None:
    names = [f"container-with-a-very-long-name-{number}" for number in range(60)]
    cells = tuple(
        Cell(source=one, target=two, reach="-" if one == two else "yes" if (at * 7 + to) % 5 else "no")
        for at, one in enumerate(names)
        for to, two in enumerate(names)
    )
    text = matrix_text(Matrix(sources=tuple(names), targets=tuple(names), cells=cells), OutputStyle(width=width))
    assert max(map(len, text.splitlines())) <= width
    assert "60" in text


def test_it_says_with_what_it_asked_and_prints_no_row_without_a_place_to_start_from() -> None:
    text = matrix_text(matrix(HostContext(docker_like_snapshot())), OutputStyle(width=80))
    assert text.startswith("Asked with tcp, port 80.\n")
    assert "only asked: " in text
    assert "host:8080" in text
    grid = text.split("\n\n")[1].splitlines()[1:]
    assert len(grid) > 2
    assert all(line.split()[-1] in {"y", "r", ".", "?", "-", "b"} for line in grid)
    udp = matrix_text(matrix(HostContext(docker_like_snapshot()), MatrixRequest(proto="udp", port=53)), OutputStyle())
    assert udp.startswith("Asked with udp, port 53.\n")
    icmp = matrix_text(matrix(HostContext(docker_like_snapshot()), MatrixRequest(proto="icmp")), OutputStyle())
    assert icmp.startswith("Asked with icmp echo requests.\n")
