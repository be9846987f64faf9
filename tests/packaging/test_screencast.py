"""The moving picture of the README: small, drawn without a script, each picture of a recording at its time."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "script" / "film")]
DRAWN = importlib.import_module("animated_svg")
SVG = "{http://www.w3.org/2000/svg}"


def cast(*pictures: tuple[float, str]) -> str:
    lines = [json.dumps({"version": 2, "width": 20, "height": 3})]
    lines += [json.dumps([moment, "o", "\x1b[H\x1b[2J" + text]) for moment, text in pictures]
    return "\n".join(lines)


def test_each_picture_is_shown_from_its_time_on_and_a_line_that_stays_is_drawn_once() -> None:
    text = DRAWN.draw(cast((0.0, "same\r\n\x1b[1;31mred <&>\x1b[0m"), (2.5, "same\r\nother")))
    root = ET.fromstring(text)  # noqa: S314 - just made here
    words = [item.text for item in root.iter(f"{SVG}text")]
    assert sorted(words, key=str) == ["other", "red <&>", "same"]
    assert len(list(root.iter(f"{SVG}use"))) == 4
    assert "50.00%{transform:translateX(-" in text
    assert ' class="b" style="fill:#ff6b64"' in text


def test_a_wait_is_shortened_and_the_last_picture_stays() -> None:
    seconds, pictures = DRAWN.extent(cast((0.0, "a"), (60.0, "b")))
    assert (seconds, pictures) == (DRAWN.LONGEST_LOOK + DRAWN.LAST_LOOK, 2)


def test_where_nothing_moves_the_fullest_picture_is_shown() -> None:
    text = DRAWN.draw(cast((0.0, "a"), (1.0, "b\r\nc"), (2.0, "d\r\ne"), (3.0, "f")))
    width = float(ET.fromstring(text).attrib["width"])  # noqa: S314 - just made here
    assert f".film{{transform:translateX({-2 * width:g}px);animation:film" in text
    assert "@media (prefers-reduced-motion:reduce){.film{animation:none}}" in text


def test_the_one_of_the_readme_is_small_has_no_script_and_lasts_about_half_a_minute() -> None:
    file = ROOT / "docs" / "screens" / "tour.svg"
    text = file.read_text()
    assert file.stat().st_size < 500_000
    assert {item.tag.removeprefix(SVG) for item in ET.fromstring(text).iter()} == {  # noqa: S314 - our own
        *("svg", "title", "style", "rect", "circle", "defs", "g", "text", "use")
    }
    assert 20 < float(text.split("animation:film ")[1].split("s")[0]) < 45
    assert "It passes" in text
    assert "prefers-reduced-motion" in text
    assert "docs/screens/tour.svg" in (ROOT / "README.md").read_text()
