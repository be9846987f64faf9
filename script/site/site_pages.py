"""Puts the documentation's pages together: what is written, what is generated, and parts of the README.

Every relative link is led to the page that its target became, or to the file in the public repository.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import command_pages
import recorded_figures

from dnet_tui.diagnostics.checks.catalogue import CATALOGUE
from dnet_tui.tui.registry import COMMANDS
from dnet_tui.tui.reports.published.schemas import PUBLISHED

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
HOME = PROJECT["urls"]["Homepage"]

AT_THE_ROOT = {
    "CONTRIBUTING.md": "contributing.md",
    "ARCHITECTURE.md": "architecture.md",
    "SECURITY.md": "security.md",
    "CHANGELOG.md": "changelog.md",
    "README.md": "index.md",
}
"""Documents of the root that become pages; whoever links to the README is led to the first page."""
COPIED = (".svg", ".gif", ".json", ".md")
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)


class BrokenLinkError(Exception):
    """A link that leads nowhere."""


def targets() -> dict[str, str]:
    """Where each file of the repository that becomes part of the site goes: its path there by its path here."""
    found = dict(AT_THE_ROOT)
    for path in sorted((ROOT / "docs").rglob("*")):
        name = path.relative_to(ROOT).as_posix()
        if path.is_file() and path.suffix in COPIED:
            found[name] = name.removeprefix("docs/site/").removeprefix("docs/").replace("/README.md", "/index.md")
    return found


def assemble(folder: Path) -> None:
    """Write every page and picture into a folder."""
    where = targets()
    for source, target in where.items():
        path = folder / target
        path.parent.mkdir(parents=True, exist_ok=True)
        if source == "README.md":
            continue
        if path.suffix == ".md":
            path.write_text(page(source, where))
        else:
            path.write_bytes((ROOT / source).read_bytes())
    for name, text in command_pages.pages().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def page(source: str, where: dict[str, str]) -> str:
    """One page from a document of the repository."""
    text = (ROOT / source).read_text()
    parts: list[str] = []
    last = 0
    for found in re.finditer(r"^<!-- ([A-Za-z][\w :]*) -->$", text, re.MULTILINE):
        parts += [led(text[last : found.start()], source, where[source], where), filled(found[1], where[source], where)]
        last = found.end()
    return "".join([*parts, led(text[last:], source, where[source], where)])


def filled(word: str, target: str, where: dict[str, str]) -> str:
    """What stands in a page for a comment such as ``figures`` or ``README: Install``."""
    if word.startswith("README: "):
        return led(section(word.removeprefix("README: ")), "README.md", target, where)
    made = {
        "figures": recorded_figures.table,
        "exit codes": command_pages.exit_codes,
        "schemas": _schemas,
        "dependencies": _dependencies,
    }
    return made[word]()


def section(title: str) -> str:
    """The README's section of that title, without its heading."""
    text = (ROOT / "README.md").read_text()
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    if found is None:
        msg = f"README.md has no section {title!r}"
        raise BrokenLinkError(msg)
    return found[1].strip("\n")


def _schemas() -> str:
    rows = [
        f"| `{made.command}` | [{name}]({name}.schema.json) | {made.version} | {made.about} |"
        for name, made in PUBLISHED.items()
    ]
    return "\n".join(["| output of | schema | format | what it is |", "|---|---|---|---|", *rows])


def _dependencies() -> str:
    rows = [f"| {item} |" for item in PROJECT["dependencies"]]
    return "\n".join(["| package |", "|---|", *rows])


def led(text: str, source: str, target: str, where: dict[str, str]) -> str:
    """The text with its links led to where their targets are on the site; what is code stays as it is."""
    code = [found.span() for found in _FENCE.finditer(text)]

    def one(found: re.Match[str]) -> str:
        if any(start <= found.start() < end for start, end in code):
            return found[0]
        link = _led(found[3], source, target, where)
        if found[1] and link.endswith("-dark.svg"):
            light = link.removesuffix("-dark.svg") + "-light.svg"
            return f"![{found[2]}]({link}#only-dark)\n![{found[2]}]({light}#only-light)"
        return f"{found[1]}[{found[2]}]({link})"

    return _LINK.sub(one, text)


def _led(link: str, source: str, target: str, where: dict[str, str]) -> str:
    if re.match(r"[a-z]+:|#", link):
        return link
    path, _, anchor = link.partition("#")
    wanted = os.path.normpath(PurePosixPath(source).parent / path)
    there = where.get(wanted) or where.get(f"{wanted}/README.md")
    if there is not None:
        return os.path.relpath(there, PurePosixPath(target).parent) + (f"#{anchor}" if anchor else "")
    file = ROOT / wanted
    if not file.exists():
        msg = f"{source}: {link} leads nowhere"
        raise BrokenLinkError(msg)
    return f"{HOME}/{'tree' if file.is_dir() else 'blob'}/main/{wanted}"


def navigation() -> list[object]:
    """The site's table of contents, for mkdocs."""
    commands = [{"Overview": "commands/index.md"}, {"dnet-tui": "commands/dnet-tui.md"}]
    commands += [{item.name: f"commands/{item.name}.md"} for item in COMMANDS]
    checks = [{"Overview": "checks/index.md"}, *({item.id: f"checks/{item.id}.md"} for item in CATALOGUE)]
    decisions = [{"Overview": "decisions/index.md"}, *_decisions()]
    return [
        {"Home": "index.md"},
        {"Get it": "install.md"},
        {"Three jobs": [{"See": "see.md"}, {"Troubleshoot": "troubleshoot.md"}, {"Watch packets": "watch.md"}]},
        {"Commands": commands},
        {"Checks": checks},
        {
            "How it knows": [
                {"How the walk works": "walk.md"},
                {"Matches and targets": "matches.md"},
                {"Reported situations": "situations.md"},
                {"Actions, and what has tried them": "actions.md"},
                {"What a trace once got wrong": "once-wrong.md"},
                {"What is not there yet": "limits.md"},
            ]
        },
        {"For other programs": "programs.md"},
        {"Security": "security.md"},
        {"For packagers": "packagers.md"},
        {
            "For contributors": [
                {"Contributing": "contributing.md"},
                {"Architecture": "architecture.md"},
                {"Words": "terminology.md"},
                {"Decisions": decisions},
            ]
        },
        {"Changes": "changelog.md"},
    ]


def _decisions() -> Iterator[dict[str, str]]:
    for path in sorted((ROOT / "docs" / "decisions").glob("0*.md")):
        title = path.read_text().splitlines()[0].removeprefix("# ")
        yield {title: f"decisions/{path.name}"}
