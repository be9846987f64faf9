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


def main() -> int:
    """Build the site below build/site; 1 where a link leads nowhere or anything is loaded from elsewhere."""
    shutil.rmtree(OUT, ignore_errors=True)
    site_pages.assemble(OUT / "pages")
    # JSON is YAML.
    settings = {
        "INHERIT": os.path.relpath(HERE / "mkdocs.yml", OUT),
        "docs_dir": "pages",
        "site_dir": "html",
        "repo_url": site_pages.HOME,
        "nav": site_pages.navigation(),
    }
    (OUT / "mkdocs.yml").write_text(json.dumps(settings, indent=1))
    argv = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--config-file", str(OUT / "mkdocs.yml")]
    code = subprocess.run(argv, check=False, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}).returncode
    if code:
        return code
    count, broken = built_links.check(OUT / "html")
    loaded = built_links.outside(OUT / "html")
    for line in (*broken, *loaded):
        print(line, file=sys.stderr)
    made = sum(1 for _ in (OUT / "html").rglob("*.html"))
    print(f"{made} pages in {os.path.relpath(OUT / 'html')}; {count} links within, {len(broken)} of them broken")
    return 1 if broken or loaded else 0


if __name__ == "__main__":
    sys.exit(main())
