"""``script/docs --site``: the pages put together, built strictly, and each of their links tried."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "packaging")]

import built_links  # noqa: E402 - the page of a command is made as its man page is
import site_pages  # noqa: E402 - as above

HERE = Path(__file__).resolve().parent
OUT = site_pages.ROOT / "build" / "site"


def build(out: Path) -> tuple[str, list[str]]:
    """Build the site below a folder; return what was made, and each link that leads nowhere or out of the site.

    Raises:
        subprocess.CalledProcessError: mkdocs found something wrong; it has said what.
    """
    site_pages.assemble(out / "pages")
    # JSON is YAML.
    settings = {
        "INHERIT": os.path.relpath(HERE / "mkdocs.yml", out),
        "docs_dir": "pages",
        "site_dir": "html",
        "repo_url": site_pages.HOME,
        "nav": site_pages.navigation(),
    }
    (out / "mkdocs.yml").write_text(json.dumps(settings, indent=1))
    argv = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--config-file", str(out / "mkdocs.yml")]
    subprocess.run(argv, check=True, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"})
    count, broken = built_links.check(out / "html")
    made = sum(1 for _ in (out / "html").rglob("*.html"))
    told = f"{made} pages in {os.path.relpath(out / 'html')}; {count} links within, {len(broken)} of them broken"
    return told, [*broken, *built_links.outside(out / "html")]


def main() -> int:
    """Build the site below build/site; 1 where a link leads nowhere or anything is loaded from elsewhere."""
    shutil.rmtree(OUT, ignore_errors=True)
    try:
        told, wrong = build(OUT)
    except subprocess.CalledProcessError as error:
        return error.returncode
    for line in wrong:
        print(line, file=sys.stderr)
    print(told)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
