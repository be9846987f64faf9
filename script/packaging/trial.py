"""Runs inside a fresh Debian root, as ``python3 trial.py FOLDER LOG``: each way of installing, and what it leaves.

Uses the standard library alone.  Logs one JSON line per trial: what was run,
how long it took in seconds, and what was wrong (empty: nothing).
"""

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

DIST = Path(sys.argv[1])
MACHINE = os.uname().machine
DEBIAN = {"x86_64": "amd64", "aarch64": "arm64"}[MACHINE]
SECOND_START = 0.4
"""Seconds of processor time that a second start may take."""
KEPT_BY_OTHERS = ("/var/lib/dpkg", "/var/lib/apt", "/var/cache", "/var/log", "/proc", "/sys", "/dev", "/run", "/tmp")


def run(*argv, stdin=None, codes=(0,)):
    """Run a command; returns its output, the seconds it took and what was wrong."""
    start = time.monotonic()
    with open(stdin or os.devnull, "rb") as source:
        words = [str(item) for item in argv]
        done = subprocess.run(words, stdin=source, capture_output=True, timeout=600, check=False)
    seconds = time.monotonic() - start
    out = done.stdout.decode(errors="replace")
    wrong = (
        "" if done.returncode in codes else f"ended with {done.returncode}: {out[-300:]}{done.stderr.decode()[-500:]}"
    )
    return out, seconds, wrong


def tell(name, seconds, wrong, **more):
    """Log a trial's outcome."""
    with open(sys.argv[2], "a", encoding="utf-8") as log:
        log.write(json.dumps({"trial": name, "seconds": round(seconds, 2), "wrong": wrong, **more}) + "\n")


def processor_time():
    """Return the seconds of processor time that all commands have taken so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def try_command(name, *argv):
    """Start it twice, and use it: the version, the doctor, a demo host."""
    out, first, wrong = run(*argv, "--version")
    if not wrong and not out.startswith("dnet-tui "):
        wrong = f"--version says {out!r}"
    before = processor_time()
    run(*argv, "--version")
    second = processor_time() - before
    if second > SECOND_START:
        wrong = wrong or f"the second start took {second:.2f} s of processor time"
    for words in (("ls",), ("doctor",), ("explain", "masq-missing")):
        wrong = wrong or run(*argv, *words, codes=(0, 1, 3))[2]
    demo, _, failed = run(*argv, "demo", "--", "doctor")
    wrong = wrong or failed or ("" if "Healthy" in demo else f"the demo host's doctor says: {demo[-300:]}")
    tell(name, first, wrong, second_start_cpu=round(second, 2))


def files():
    """Return every path of the system that packages may own."""
    found = set()
    for folder, folders, names in os.walk("/"):
        folders[:] = [name for name in folders if not os.path.join(folder, name).startswith(KEPT_BY_OTHERS)]
        found.update(os.path.join(folder, name) for name in (*folders, *names))
    return found


def try_one_file():
    """The one file, started from where it was copied to, and from stdin."""
    file = Path("/root/dnet-tui.pyz")
    file.write_bytes((DIST / f"dnet-tui-{MACHINE}.pyz").read_bytes())
    file.chmod(0o755)
    try_command("one file", file)
    out, seconds, wrong = run("python3", "-", "snapshot", "save", "-", stdin=file)
    Path("/root/host.json").write_text(out)
    wrong = wrong or run(file, "doctor", "--snapshot", "/root/host.json", codes=(0, 1, 3))[2]
    tell("one file from stdin: snapshot save -", seconds, wrong)


def try_package():
    """The Debian package: installed, used, and removed without a trace."""
    before = files()
    (deb,) = DIST.glob(f"*_{DEBIAN}.deb")
    _, seconds, wrong = run("dpkg", "--install", deb)
    tell("dpkg --install", seconds, wrong)
    try_command("Debian package", "/usr/bin/dnet-tui")
    page = Path("/usr/share/man/man1/dnet-tui-doctor.1.gz")
    tell("its man pages", 0.0, "" if page.is_file() else "there is none for doctor")
    _, seconds, wrong = run("dpkg", "--purge", "dnet-tui")
    left = sorted(path for path in files() - before if not path.startswith("/root/"))
    tell("dpkg --purge", seconds, wrong or ("left behind: " + ", ".join(left[:5]) if left else ""))


def try_lint():
    """Debian's own judgement of both packages: no error, no warning."""
    words = ("apt-get", "install", "--yes", "--quiet=2", "--no-install-recommends")
    wrong = run("apt-get", "--quiet=2", "update")[2] or run(*words, "lintian", "pipx")[2]
    packages = sorted(DIST.glob("*.deb"))
    out, seconds, failed = run("lintian", "--allow-root", "--fail-on", "error,warning", *packages)
    tell("lintian of " + " and ".join(path.name for path in packages), seconds, wrong or failed, said=out.strip())


def try_wheel():
    """The wheel: by Debian's pipx, and by uv as a tool."""
    (wheel,) = DIST.glob("*.whl")
    _, seconds, wrong = run("pipx", "install", wheel)
    tell("pipx install", seconds, wrong)
    try_command("pipx", "/root/.local/bin/dnet-tui")
    wrong = run("pipx", "uninstall", "dnet-tui")[2]
    wrong = wrong or run("python3", "-m", "venv", "/root/uv")[2] or run("/root/uv/bin/pip", "install", "-q", "uv")[2]
    _, seconds, failed = run("/root/uv/bin/uv", "tool", "install", "--python", "/usr/bin/python3", wheel)
    tell("uv tool install", seconds, wrong or failed)
    try_command("uv", "/root/.local/bin/dnet-tui")


try_one_file()
try_package()
try_lint()
try_wheel()
