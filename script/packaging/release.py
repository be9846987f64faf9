"""``script/release``: all artefacts from one commit, listed, compared, and tried where nothing is set up."""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
from pathlib import Path

import bill_of_materials
import debian_package
import one_file
import source_archive
from packaging_steps import run


def say(text: str) -> None:
    """Tell what is being done."""
    print(text, file=sys.stderr, flush=True)


def moment(root: Path) -> int:
    """Return the time of the commit, in seconds: the time that every file in a release has."""
    return int(run("git", "-C", root, "log", "-1", "--format=%ct").strip())


def build(root: Path, out: Path) -> list[Path]:
    """Build everything of a checkout into a folder."""
    epoch = moment(root)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="dnet-tui-release-") as name:
        scratch = Path(name)
        source = scratch / "source"
        # What git knows, not what lies around.
        run("git", "clone", "--quiet", "--no-hardlinks", root, source)
        say("the wheel and the source archive …")
        environment = {"SOURCE_DATE_EPOCH": str(epoch)}
        run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, source, environment=environment)
        (wheel,) = out.glob("*.whl")
        (archive,) = out.glob("*.tar.gz")
        source_archive.settle(archive, epoch)
        version = wheel.name.split("-")[1]
        say("the one files …")
        files = one_file.build(wheel, out, scratch, (*one_file.ARCHITECTURES, None))
        one_file.smoke_test(files[0])
        say("the Debian packages …")
        for architecture in one_file.ARCHITECTURES:
            debian_package.build(scratch / architecture, out, scratch, version, architecture, epoch, source)
        say("the bill of materials …")
        bill_of_materials.write(wheel, out / f"dnet-tui-{version}.cdx.json", scratch)
    made = sorted(path for path in out.iterdir() if path.name != "SHA256SUMS")
    sums = (f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in made)
    (out / "SHA256SUMS").write_text("".join(sums))
    return made


def differences(one: Path, other: Path) -> list[str]:
    """Return the names of what isn't the same in two builds."""
    first, second = ((path / "SHA256SUMS").read_text().splitlines() for path in (one, other))
    return sorted({line.split()[1] for line in set(first) ^ set(second)})


def main(root: Path, about: str) -> int:
    """Do what is asked for; 1 when a build differs or a trial fails."""
    parser = argparse.ArgumentParser(
        prog="script/release", description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--no-try", action="store_true", help="don't try the artefacts in fresh roots")
    parser.add_argument("--twice", action="store_true", help="build a second time and compare")
    parser.add_argument("--out", type=Path, default=root / "dist", help="where to (default: dist/)")
    options = parser.parse_args()
    for old in options.out.glob("*") if options.out.is_dir() else ():
        old.unlink()
    made = build(root, options.out)
    for path in made:
        print(f"{path.stat().st_size / 1e6:7.2f} MB  {path.name}")
    if options.twice:
        with tempfile.TemporaryDirectory() as name:
            build(root, Path(name))
            differ = differences(options.out, Path(name))
        print("built twice: " + (f"different: {', '.join(differ)}" if differ else "the same bytes"))
        if differ:
            return 1
    if options.no_try:
        return 0
    from fresh_roots import try_all  # noqa: PLC0415 - needs the lab's helpers

    return try_all(options.out)
