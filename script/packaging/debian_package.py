"""Builds the Debian package: self-contained below /usr/lib/dnet-tui, since Debian's own Textual is too old."""

from __future__ import annotations

import gzip
import shutil
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

import man_pages
from one_file import PYTHONS
from packaging_steps import run, shell_completions

DEBIAN_NAMES = {"x86_64": "amd64", "aarch64": "arm64"}
MAINTAINER = "The dnet-tui authors <dnet-tui@example.org>"
HOMEPAGE = "https://github.com/dnet-tui/dnet-tui"
HERE = Path(__file__).resolve().parent

_DESCRIPTION = """\
inspect and troubleshoot container bridge networks in the terminal
 dnet-tui shows the bridges of a Linux host, which container is behind each
 veth, and the rules that its packets meet; it follows a packet hop by hop,
 names the rule, route or sysctl that stops it and whose decision that was, and
 offers the repair with its undo. It knows Docker, Podman and plain network
 namespaces, iptables and nftables, and works over SSH."""

_POSTINST = """\
#!/bin/sh
set -e
if [ "$1" = configure ]; then
    # Its own modules are not to be cached for it: nobody would remove that again.
    PYTHONDONTWRITEBYTECODE=1 py3compile -p dnet-tui /usr/lib/dnet-tui
fi
"""
_PRERM = """\
#!/bin/sh
set -e
PYTHONDONTWRITEBYTECODE=1 py3clean -p dnet-tui
"""


_OVERRIDES = """\
# The compiled modules are those that their authors published, to the byte: they can be checked against the hashes.
dnet-tui: unstripped-binary-or-object [usr/lib/dnet-tui/compiled/*]
# Modules that are imported; nobody starts them by their first line.
dnet-tui: unusual-interpreter python [usr/lib/dnet-tui/pure/*]
"""


def _next(version: str) -> str:
    major, minor = version.split(".")
    return f"{major}.{int(minor) + 1}"


def control(version: str, architecture: str, size: int) -> str:
    """Return the control file; ``size`` in KiB."""
    return (
        f"Package: dnet-tui\nVersion: {version}\nSection: net\nPriority: optional\nArchitecture: {architecture}\n"
        f"Maintainer: {MAINTAINER}\nHomepage: {HOMEPAGE}\nInstalled-Size: {size}\n"
        f"Depends: python3 (>= {PYTHONS[0]}), python3 (<< {_next(PYTHONS[-1])}), iproute2, libc6\n"
        "Recommends: nftables | iptables, libpcap0.8t64 | libpcap0.8\nSuggests: iptables, conntrack\n"
        f"Description: {_DESCRIPTION}\n"
    )


def _zipped(to: Path, text: bytes) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_bytes(gzip.compress(text, 9, mtime=0))


def _documents(root: Path, version: str, moment: datetime, source: Path) -> None:
    doc = root / "usr/share/doc/dnet-tui"
    changes = (
        f"dnet-tui ({version}) unstable; urgency=medium\n\n  * Release {version}; see CHANGELOG.md.\n\n"
        f" -- {MAINTAINER}  {format_datetime(moment)}\n"
    )
    _zipped(doc / "changelog.gz", changes.encode())
    head = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n"
    licence = "".join(f" {line}\n" if line else " .\n" for line in (source / "LICENSE").read_text().splitlines()[1:])
    bundled = "Files: usr/lib/dnet-tui/*\nCopyright: the authors of the packages named in its *.dist-info folders\n"
    bundled += "License: as-stated\n Each package's licence is in its .dist-info folder.\n\n"
    own = f"Files: *\nCopyright: 2026 The dnet-tui authors\nLicense: MIT\n{licence}"
    (doc / "copyright").write_text(f"{head}\n{own}\n{bundled}")
    shutil.copytree(source / "docs/examples", doc / "examples", dirs_exist_ok=True)


def lay_out(tree: Path, root: Path, version: str, moment: datetime, source: Path) -> None:
    """Lay out the files of the package below ``root``."""
    shutil.copytree(tree, root / "usr/lib/dnet-tui")
    shutil.copyfile(HERE / "start_installed.py", _made(root / "usr/bin/dnet-tui"))
    for page in man_pages.write_all(root / "man", version):
        _zipped(root / "usr/share/man/man1" / f"{page.name}.gz", page.read_bytes())
    shutil.rmtree(root / "man")
    places = {
        "bash": "usr/share/bash-completion/completions/dnet-tui",
        "zsh": "usr/share/zsh/vendor-completions/_dnet-tui",
        "fish": "usr/share/fish/vendor_completions.d/dnet-tui.fish",
    }
    for shell, text in shell_completions().items():
        _made(root / places[shell]).write_text(text)
    _made(root / "usr/share/lintian/overrides/dnet-tui").write_text(_OVERRIDES)
    _documents(root, version, moment, source)


def _made(file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    return file


def build(tree: Path, out: Path, scratch: Path, version: str, architecture: str, epoch: int, source: Path) -> Path:
    """Build the package from what the one file unpacks; ``epoch`` is the time, in seconds, that all files get."""
    root = scratch / f"deb-{architecture}"
    lay_out(tree, root, version, datetime.fromtimestamp(epoch, UTC), source)
    for path in [root, *root.rglob("*")]:
        path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
    size = sum(path.stat().st_size for path in root.rglob("*") if path.is_file()) // 1024
    debian = DEBIAN_NAMES[architecture]
    _made(root / "DEBIAN/control").write_text(control(version, debian, size))
    for name, text in (("postinst", _POSTINST), ("prerm", _PRERM)):
        (root / "DEBIAN" / name).write_text(text)
        (root / "DEBIAN" / name).chmod(0o755)
    made = out / f"dnet-tui_{version}_{debian}.deb"
    run("dpkg-deb", "--root-owner-group", "-Zxz", "--build", root, made, environment={"SOURCE_DATE_EPOCH": str(epoch)})
    return made
