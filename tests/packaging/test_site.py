"""The documentation's pages: put together from what is written and what is generated, no link of them broken."""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import sys
from pathlib import Path

import pytest

from dnet_tui.diagnostics.checks.catalogue import CATALOGUE
from dnet_tui.tui.registry import COMMANDS

SCRIPTS = Path(__file__).resolve().parents[2] / "script"
sys.path[:0] = [str(SCRIPTS / "packaging"), str(SCRIPTS / "site")]
PAGES = importlib.import_module("site_pages")
BUILT = importlib.import_module("built_links")
FIGURES = importlib.import_module("recorded_figures")
BUILD = importlib.import_module("build_site")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    PAGES.assemble(folder)
    return folder


def test_every_link_of_a_page_leads_to_a_file(site: Path) -> None:
    broken = []
    for page in site.rglob("*.md"):
        text = re.sub(r"^ *```.*?^ *```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
        links = re.findall(r"\]\((?![a-z]+:|#)([^)\s#]+)", text)
        broken += [f"{page.relative_to(site)}: {link}" for link in links if not (page.parent / link).is_file()]
    assert broken == []


def test_every_command_check_and_recorded_figure_has_its_place(site: Path) -> None:
    assert [item.name for item in COMMANDS if not (site / f"commands/{item.name}.md").is_file()] == []
    assert [check.id for check in CATALOGUE if not (site / f"checks/{check.id}.md").is_file()] == []
    assert FIGURES.table() in (site / "walk.md").read_text()
    assert "<!-- " not in (site / "walk.md").read_text()


def test_the_table_of_contents_has_every_page_once(site: Path) -> None:
    def named(entry: object) -> list[str]:
        if isinstance(entry, str):
            return [entry]
        parts = entry.values() if isinstance(entry, dict) else entry if isinstance(entry, list) else ()
        return [name for part in parts for name in named(part)]

    assert sorted(named(PAGES.navigation())) == sorted(str(page.relative_to(site)) for page in site.rglob("*.md"))


def test_subcommands_options_and_examples_stand_on_the_page_of_their_command(site: Path) -> None:
    page = (site / "commands/net.md").read_text()
    assert "## dnet-tui net create" in page
    assert "<code>--subnet" in page
    assert "dnet-tui net create front --subnet" in page


def test_a_dark_picture_comes_with_its_light_one(site: Path) -> None:
    assert "map-140x40-dark.svg#only-dark" in (site / "see.md").read_text()
    assert "map-140x40-light.svg#only-light" in (site / "see.md").read_text()


def test_a_link_that_leads_nowhere_is_refused_and_one_out_of_the_site_goes_to_the_repository() -> None:
    where = PAGES.targets()
    with pytest.raises(PAGES.BrokenLinkError):
        PAGES.led("[x](../nowhere.md)", "docs/site/see.md", "see.md", where)
    led = PAGES.led("[x](../examples/Containerfile)", "docs/site/see.md", "see.md", where)
    assert led == f"[x]({PAGES.HOME}/blob/main/docs/examples/Containerfile)"


def test_broken_links_and_places_of_built_pages_and_what_is_loaded_from_elsewhere_are_found(tmp_path: Path) -> None:
    (tmp_path / "one.html").write_text(
        '<p id="here"><a href="#here"></a><a href="#gone"></a><a href="two.html#place"></a><a href="two.html#no"></a>'
        '<a href="three.html"></a><a href="https://example.org/"></a><img src="https://example.org/x.png">'
    )
    (tmp_path / "two.html").write_text('<a id="place" href="one.html"></a>')
    count, broken = BUILT.check(tmp_path)
    assert (count, broken) == (6, ["one.html: #gone", "one.html: two.html#no", "one.html: three.html"])
    assert len(BUILT.outside(tmp_path)) == 1


def test_the_pages_are_built_strictly_and_no_link_of_them_is_broken(tmp_path: Path) -> None:
    if importlib.util.find_spec("material") is None:
        missing = "mkdocs-material is not installed: script/bootstrap test installs it"
        # As with the lab: where CI runs, a skip must not look like a pass.
        pytest.fail(missing) if os.environ.get("DNET_LAB") == "1" else pytest.skip(missing)
    told, wrong = BUILD.build(tmp_path)
    assert wrong == []
    assert int(told.split()[0]) > len(CATALOGUE) + len(COMMANDS)
