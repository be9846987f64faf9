"""Draws an asciicast of whole pictures as an animated SVG: no script in it, so that a forge shows it."""

from __future__ import annotations

import json
from html import escape

from rich.color import Color
from rich.style import Style
from rich.terminal_theme import TerminalTheme
from rich.text import Text

CELL_WIDTH, CELL_HEIGHT, SIZE = 8.4, 17, 14
PADDING, BAR = 10, 26
LONGEST_LOOK = 2.8
"""Seconds: where nothing changes for longer, as on a busy machine, the picture goes on after this."""
LAST_LOOK = 2.5
"""Seconds that the last picture stays before it begins anew."""

BACKGROUND, FOREGROUND = "#11151a", "#d7dce1"
_BASE = ((17, 21, 26), (215, 220, 225))
_NORMAL = ["#11151a", "#ff6b64", "#6fcf7a", "#e0b44a", "#6cb2f5", "#c894f0", "#5cc8c8", "#d7dce1"]
_BRIGHT = ["#7b848d", "#ff8a84", "#8fe399", "#f0cb73", "#93c8fa", "#dab3f7", "#86dede", "#ffffff"]


def _triplet(text: str) -> tuple[int, int, int]:
    red, green, blue = (int(text[at : at + 2], 16) for at in (1, 3, 5))
    return red, green, blue


THEME = TerminalTheme(*_BASE, [_triplet(item) for item in _NORMAL], [_triplet(item) for item in _BRIGHT])


def _pictures(cast: str) -> tuple[int, int, list[tuple[float, list[str]]]]:
    head, *events = [json.loads(line) for line in cast.splitlines()]
    found: list[tuple[float, list[str]]] = []
    before = shown = 0.0
    for moment, _, text in events:
        shown += min(moment - before, LONGEST_LOOK)
        before = moment
        found.append((shown, text.removeprefix("\x1b[H\x1b[2J").split("\r\n")))
    return head["width"], head["height"], found


def extent(cast: str) -> tuple[float, int]:
    """Return how many seconds a recording lasts, and of how many pictures it is made."""
    _, _, pictures = _pictures(cast)
    return pictures[-1][0] + LAST_LOOK, len(pictures)


def draw(cast: str) -> str:
    """Return the recording as SVG: each different line once, each picture as its lines, shown one after the other."""
    columns, rows, pictures = _pictures(cast)
    names: dict[str, str] = {}
    frames = []
    width = columns * CELL_WIDTH + 2 * PADDING
    height = rows * CELL_HEIGHT + PADDING + BAR
    for number, (_, lines) in enumerate(pictures):
        used = []
        for row, line in enumerate(lines[:rows]):
            drawn = _line(line)
            if drawn:
                name = names.setdefault(drawn, f"l{len(names)}")
                used.append(f'<use href="#{name}" y="{row * CELL_HEIGHT}"/>')
        frames.append(f'<g transform="translate({number * width:g})">{"".join(used)}</g>')
    total = pictures[-1][0] + LAST_LOOK
    steps = "".join(
        f"{100 * moment / total:.2f}%{{transform:translateX({-number * width:g}px)}}"
        for number, (moment, _) in enumerate(pictures)
    )
    stop = f"100%{{transform:translateX({-(len(pictures) - 1) * width:g}px)}}"
    # Where nothing moves, because the viewer can't or its user doesn't want it: the last of the fullest pictures.
    fullest = max(range(len(frames)), key=lambda number: (frames[number].count("<use "), number))
    still = f"transform:translateX({-fullest * width:g}px)"
    calm = "@media (prefers-reduced-motion:reduce){.film{animation:none}}"
    symbols = "".join(f'<g id="{name}">{drawn}</g>' for drawn, name in names.items())
    dots = "".join(
        f'<circle cx="{PADDING + 6 + 16 * at}" cy="{BAR / 2:g}" r="5" fill="{colour}"/>'
        for at, colour in enumerate(("#ff5f57", "#febc2e", "#28c840"))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}">\n'
        "<title>dnet-tui finds why a container can't reach the internet, mends it, and shows that it does</title>\n"
        f"<style>text{{font:{SIZE}px 'DejaVu Sans Mono',Menlo,Consolas,monospace;white-space:pre;"
        f"dominant-baseline:text-before-edge;fill:{FOREGROUND}}}.b{{font-weight:bold}}"
        f"@keyframes film{{{steps}{stop}}}.film{{{still};"
        f"animation:film {total:.2f}s step-end infinite}}{calm}</style>\n"
        f'<rect width="100%" height="100%" rx="6" fill="#262b31"/>{dots}\n'
        f'<svg x="{PADDING}" y="{BAR}" width="{columns * CELL_WIDTH:g}" height="{rows * CELL_HEIGHT}">'
        f'<rect width="100%" height="100%" fill="{BACKGROUND}"/>\n'
        f"<defs>{symbols}</defs>\n"
        f'<g class="film">{"".join(frames)}</g></svg>\n</svg>\n'
    )


def _line(ansi: str) -> str:
    """Draw one line: rectangles for backgrounds, then its pieces of text, each at its column."""
    text = Text.from_ansi(ansi)
    boxes, words = [], []
    column = 0
    # Without a console a style's name can't be looked up; from_ansi makes none.
    for piece, style in _pieces(text):
        front, back = _colours(style)
        if back != BACKGROUND:
            boxes.append(
                f'<rect x="{column * CELL_WIDTH:g}" width="{len(piece) * CELL_WIDTH:g}" '
                f'height="{CELL_HEIGHT}" fill="{back}"/>'
            )
        shown = piece.strip()
        if shown:
            start = column + len(piece) - len(piece.lstrip())
            fill = f' fill="{front}"' if front != FOREGROUND else ""
            bold = ' class="b"' if style.bold else ""
            length = f' textLength="{len(shown) * CELL_WIDTH:g}"'
            words.append(f'<text x="{start * CELL_WIDTH:g}"{bold}{fill_style(fill)}{length}>{escape(shown)}</text>')
        column += len(piece)
    return "".join(boxes + words)


def fill_style(fill: str) -> str:
    """Return a colour as a style, which wins over the sheet's; an attribute would not."""
    return fill.replace(' fill="', ' style="fill:')


def _pieces(text: Text) -> list[tuple[str, Style]]:
    """Return runs of equal style, in order."""
    styles = [Style()] * len(text.plain)
    for span in text.spans:
        style = span.style if isinstance(span.style, Style) else Style.parse(span.style)
        for at in range(span.start, min(span.end, len(styles))):
            styles[at] = styles[at] + style
    found: list[tuple[str, Style]] = []
    for letter, style in zip(text.plain, styles, strict=True):
        if found and found[-1][1] == style:
            found[-1] = (found[-1][0] + letter, style)
        else:
            found.append((letter, style))
    return found


def _colours(style: Style) -> tuple[str, str]:
    front, back = _colour(style.color, FOREGROUND), _colour(style.bgcolor, BACKGROUND)
    if style.reverse:
        front, back = back, front
    if style.dim:
        pairs = zip(_triplet(front), _triplet(back), strict=True)
        front = "#" + "".join(f"{round(0.6 * one + 0.4 * other):02x}" for one, other in pairs)
    return front, back


def _colour(colour: Color | None, default: str) -> str:
    if colour is None or colour.is_default:
        return default
    return colour.get_truecolor(THEME).hex
