"""Tries the recipe of the container image with a real Docker: it must see the host that it runs on, and not the image.

    script/lab docker -- python3 script/packaging/image_trial.py BASE.tar dnet-tui_VERSION_ARCH.deb

The lab's hosts reach no package index, so what the recipe installs with apt-get is in the base already
(BASE.tar: a root folder of Debian with those packages); everything else is done as the recipe says, and
started as its head says, but for --privileged: a machine that is itself a guest may not have all of what that
gives, so it gets what dnet-tui needs of it.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

RECIPE = Path(__file__).resolve().parents[2] / "docs" / "examples" / "Containerfile"

NEEDED = ("SYS_ADMIN", "NET_ADMIN", "NET_RAW", "SYS_PTRACE", "DAC_READ_SEARCH")
UNCONFINED = ("--security-opt=seccomp=unconfined", "--security-opt=apparmor=unconfined")


def packages() -> list[str]:
    """Return what the recipe installs with apt-get."""
    found = re.search(r"--no-install-recommends ([^\\\n]+)", RECIPE.read_text())
    return found[1].split() if found else []


def docker(*words: str, standard_input: Path | None = None) -> str:
    """Run docker, and return what it prints."""
    with standard_input.open("rb") if standard_input else open("/dev/null", "rb") as source:  # noqa: PTH123 - a device
        done = subprocess.run(["docker", *words], stdin=source, capture_output=True, check=False, timeout=600)
    # The doctor ends with 1 where it found something, and 3 where it couldn't see all.
    if done.returncode not in ({0, 1, 3} if words[0] == "run" else {0}):
        raise SystemExit(f"docker {' '.join(words[:3])} … ended with {done.returncode}: {done.stderr.decode()[-1500:]}")
    return done.stdout.decode()


def started() -> list[str]:
    """Return the words after ``docker`` that the recipe's head says to start it with, without a terminal."""
    line = next(line for line in RECIPE.read_text().splitlines() if "docker run" in line)
    words = [word for word in shlex.split(line.lstrip("# "))[1:] if word != "-it"]
    at = words.index("--privileged")
    return [*words[:at], *(f"--cap-add={name}" for name in NEEDED), *UNCONFINED, *words[at + 1 :]]


def main() -> int:
    """Build, start, compare with what is on the host."""
    base, deb = Path(sys.argv[1]), Path(sys.argv[2])
    recipe = RECIPE.read_text()
    if not deb.match("dnet-tui_*.deb"):
        raise SystemExit(f"the recipe takes no package of the name {deb.name}")
    named = re.search(r"^FROM (\S+)", recipe, re.MULTILINE)
    if named is None:
        raise SystemExit("the recipe names no base")
    docker("import", "-", named[1], standard_input=base)
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(deb, folder)
        (Path(folder) / "Containerfile").write_text(re.sub(r"RUN apt-get(?:.*\\\n)*.*\n", "", recipe))
        docker("build", "-q", "-t", "dnet-tui", "-f", f"{folder}/Containerfile", folder)
    seen = json.loads(docker(*started(), "ls", "--format", "json"))
    names = {item["name"] for item in seen["containers"]}
    running = set(docker("ps", "--format", "{{.Names}}").split())
    bridges = {item["name"] for item in seen["bridges"]}
    listed = subprocess.run(["ip", "-j", "link", "show", "type", "bridge"], capture_output=True, check=True, timeout=20)
    here = {item["ifname"] for item in json.loads(listed.stdout)}
    report = docker(*started(), "doctor")
    print(f"containers: {len(running & names)} of {len(running)}; bridges: {len(here & bridges)} of {len(here)}")
    print("\n".join(report.splitlines()[:4]))
    return 0 if running and running <= names and here and here <= bridges and "not seen" not in report else 1


if __name__ == "__main__":
    sys.exit(main())
