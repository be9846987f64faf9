"""A host where nothing is installed, over a real sshd: the one file from stdin, a snapshot back, the doctor here."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.machines.debs import unpacked
from lab.machines.hosts import DemoHost, dnet_argv

ROOT = Path(__file__).resolve().parents[3]
PORT = "2222"


def one_file(folder: Path) -> Path:
    """Build the one file for this machine's processor, keeping what it unpacks inside the host."""
    out = folder / "out"
    out.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "script/packaging")}
    code = (
        "import subprocess, sys, pathlib, one_file\n"
        "out, scratch, root, machine = map(pathlib.Path, sys.argv[1:])\n"
        "argv = [sys.executable, '-m', 'build', '--wheel', '--no-isolation', '--outdir', str(out), str(root)]\n"
        "subprocess.run(argv, check=True, capture_output=True)\n"
        "one_file.build(next(out.glob('*.whl')), out, scratch, [str(machine)])\n"
    )
    source = folder / "source"
    subprocess.run(["git", "clone", "--quiet", ROOT, source], check=True)
    argv = [sys.executable, "-c", code, out, folder / "scratch", source, platform.machine()]
    subprocess.run([str(item) for item in argv], env=environment, check=True, timeout=170)
    (made,) = out.glob("*.pyz")
    made.write_text(made.read_text().replace('"/var/cache/dnet-tui"', '"/run/dnet-tui-cache"'))
    return made


@contextmanager
def sshd(host: DemoHost, folder: Path) -> Iterator[tuple[str, ...]]:
    """Run a real sshd on the host's loopback, and yield how it is called with a key that it takes."""
    tree = unpacked("sshd", "bookworm", ("openssh-server", "libwrap0"))
    (libraries,) = {path.parent for path in tree.rglob("libwrap.so.0")}
    for name in ("host_key", "key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    passwd = folder / "passwd"
    passwd.write_text(Path("/etc/passwd").read_text() + "sshd:x:65533:65534::/run/sshd:/usr/sbin/nologin\n")
    host.run("mount", "--bind", str(passwd), "/etc/passwd")  # in the host's own mount namespace
    host.run("mkdir", "-p", "/run/sshd")
    options = {
        "Port": PORT, "ListenAddress": "127.0.0.1", "HostKey": folder / "host_key", "PidFile": "none",
        "AuthorizedKeysFile": folder / "key.pub", "StrictModes": "no", "UsePAM": "no", "PermitRootLogin": "yes",
    }  # fmt: skip
    words = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
    environment = {"LD_LIBRARY_PATH": str(libraries)}
    said = folder / "sshd.log"
    with said.open("wb") as log:
        daemon = host.sandbox.popen(
            [str(tree / "usr/sbin/sshd"), "-D", "-E", str(said), "-f", "/dev/null", *words],
            stdout=log, stderr=log, environment=environment,
        )  # fmt: skip
    known = ("-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={folder / 'known'}", "-o", "LogLevel=ERROR")
    call = ("ssh", "-F", "none", "-i", str(folder / "key"), *known, "-p", PORT, "root@127.0.0.1")
    try:
        deadline = time.monotonic() + 60
        while host.run(*call, "true", check=False).returncode and time.monotonic() < deadline:
            if daemon.poll() is not None:
                break
        yield call
    finally:
        print(said.read_text(errors="replace"))
        daemon.kill()  # what it started ends with the host
        daemon.wait(30)


@pytest.mark.skipif(os.geteuid() != 0, reason="sshd lets root in; needs root")
def test_a_snapshot_of_a_host_where_nothing_is_installed(tmp_path: Path) -> None:
    file = one_file(tmp_path)
    with DemoHost.start() as host, host.fault("masq-missing"), sshd(host, tmp_path) as call:
        taken = host.run(*call, "/usr/bin/python3 -I - snapshot save -", stdin=file.read_bytes(), timeout=120)
    report = subprocess.run(
        dnet_argv("doctor", "--snapshot", "-"), input=taken.stdout, capture_output=True, check=False, timeout=60
    )
    assert report.returncode == 1, report.stderr.decode()
    assert b"masq-missing" in report.stdout
