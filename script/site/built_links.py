"""Checks every link of the built pages: each leads to a file of the site, and to a place that is in it."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class _Page(HTMLParser):
    """The links of a page and the places in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.places: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take an element's links and names."""
        for name, value in attrs:
            if name in {"href", "src"} and value:
                self.links.append(value)
            if name == "id" or (tag == "a" and name == "name"):
                self.places.add(value or "")


def check(folder: Path) -> tuple[int, list[str]]:
    """Return how many links within the site there are, and those that lead nowhere."""
    pages = {path: _Page(path.read_text()) for path in sorted(folder.rglob("*.html")) if path.name != "404.html"}
    count, broken = 0, []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            count += 1
            file = path if not parts.path else path.parent / unquote(parts.path)
            file = (file / "index.html" if file.is_dir() else file).resolve()
            place = unquote(parts.fragment)
            known = pages.get(file)
            there = file.is_file() and (not place or known is None or place in known.places)
            if not there and place not in {"__tabbed", "only-dark", "only-light"}:
                broken.append(f"{path.relative_to(folder)}: {link}")
    return count, broken


def outside(folder: Path) -> list[str]:
    """Return what the pages would load from other hosts when they are opened: nothing is to be."""
    found = []
    for path in sorted(folder.rglob("*.html")):
        for line in path.read_text().split("<")[1:]:
            tag = line.split(">", 1)[0]
            if tag.startswith(("script", "img", 'link rel="stylesheet')) and "//" in tag and "http" in tag:
                found.append(f"{path.relative_to(folder)}: {tag[:100]}")
    return found
