"""Doctor and fix find the same programs, whatever PATH says and wherever they are started."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.actions.test_fix_and_undo import picture, undo
from lab.machines.hosts import DemoHost, dnet_argv

PATHS = {
    "su without a dash": "/usr/local/bin:/usr/bin:/bin",
    "relative folders first": ".:bin:/usr/bin:/bin",
    "nothing at all": "",
}


@pytest.mark.parametrize("case", PATHS)
def test_a_repair_runs_the_systems_programs(demo_host: DemoHost, tmp_path: Path, case: str) -> None:
    trap = tmp_path / "bin"
    trap.mkdir()
    for folder in (tmp_path, trap):
        for name in ("iptables-nft", "iptables-nft-save", "iptables-save", "nft", "ip", "sysctl"):
            program = folder / name
            program.write_text(f"#!/bin/sh\ntouch {tmp_path}/caught\nexit 0\n")
            program.chmod(0o755)
    before = picture(demo_host)
    with demo_host.fault("masq-missing"):
        argv = ["env", f"--chdir={tmp_path}", f"PATH={PATHS[case]}"]
        broken = demo_host.run(*argv, *dnet_argv("doctor"), check=False)
        assert broken.returncode == 1, broken.stderr.decode()
        assert b"masq-missing" in broken.stdout
        fixed = demo_host.run(*argv, *dnet_argv("fix", "--yes"), check=False)
        assert fixed.returncode == 0, fixed.stdout.decode() + fixed.stderr.decode()
        assert demo_host.dnet("doctor").returncode == 0
        undo(demo_host)
    assert picture(demo_host) == before
    assert not (tmp_path / "caught").exists()
