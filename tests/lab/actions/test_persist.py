"""Changes kept over a reboot: the files make the same host again, and go as they came."""

from __future__ import annotations

import json
import shlex

import pytest

from lab.actions.test_fix_and_undo import picture, undo
from lab.machines.hosts import DemoHost, LabHost

FOLDERS = ("/etc/systemd", "/etc/sysctl.d", "/etc/modules-load.d")


def own_etc(host: LabHost) -> None:
    """Give the host an /etc of its own for what starts with it."""
    for folder in FOLDERS:
        host.run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", folder)
    host.run("mkdir", "/etc/systemd/system")


def files(host: LabHost) -> list[str]:
    found = host.run("find", *FOLDERS, "-printf", "%p %M %l\\n").stdout.decode()
    return sorted(found.splitlines())


def done(host: LabHost, *arguments: str) -> str:
    ran = host.dnet(*arguments, "--yes")
    assert ran.returncode == 0, ran.stdout.decode() + ran.stderr.decode()
    return ran.stdout.decode()


def tables(seen: dict[str, str]) -> list[str]:
    """The rules by table: the order of the tables is that in which they were made."""
    return sorted(part.strip() for part in seen["rules"].split("COMMIT"))


def started(host: LabHost, texts: dict[str, str], *, key: str = "ExecStart=") -> None:
    """Do what systemd does with the files when a host starts."""
    for path, text in sorted(texts.items(), key=lambda item: (item[0].endswith(".service"), item[0])):
        for line in text.splitlines():
            if path.startswith("/etc/sysctl.d") and "=" in line and not line.startswith("#"):
                host.run("sysctl", "-w", "".join(line.split()))
            elif line.startswith(key):
                words = line.removeprefix(key).removeprefix("-").replace("%%", "%").replace("$$", "$")
                host.run(*shlex.split(words))


def test_what_is_kept_makes_the_same_host_again(demo_host: DemoHost) -> None:
    own_etc(demo_host)
    empty, plain = files(demo_host), picture(demo_host)
    demo_host.run("sysctl", "-w", "net.ipv4.ip_forward=0")
    done(
        demo_host, "net", "create", "side", "--engine", "linux", "--subnet", "10.33.0.0/24", "--subnet", "fd00:33::/64"
    )
    done(demo_host, "route", "add", "10.60.0.0/24", "via", "203.0.113.1")
    lost = [item["lost_at_reboot"] for item in json.loads(demo_host.dnet("journal", "--format", "json").stdout)]
    assert lost == [True, True]
    assert b"lost at a reboot" in demo_host.dnet("doctor").stdout
    shown = json.loads(demo_host.dnet("persist", "--dry-run", "--format", "json").stdout)
    assert files(demo_host) == empty
    done(demo_host, "persist")
    assert b"lost at a reboot" not in demo_host.dnet("doctor").stdout
    texts = {item["path"]: demo_host.run("cat", item["path"]).stdout.decode() for item in shown["files"]}
    assert texts == {item["path"]: item["content"] for item in shown["files"]}
    assert {demo_host.run("stat", "-c", "%a %U", path).stdout for path in texts} == {b"644 root\n"}
    units = [path.rpartition("/")[2] for path in texts if path.endswith(".service")]
    assert demo_host.run("systemd-analyze", "verify", *units).stderr == b""
    kept = picture(demo_host)
    with DemoHost.start() as fresh:
        fresh.run("sysctl", "-w", "net.ipv4.ip_forward=0")
        started(fresh, texts)
        now = picture(fresh)
        assert tables(now) == tables(kept)
        assert (now["sysctls"], now["addresses"]) == (kept["sysctls"], kept["addresses"])
        assert b"10.60.0.0/24 via 203.0.113.1" in fresh.run("ip", "route").stdout
        (bridge,) = [line for line in kept["links"].splitlines() if line.startswith("br-side ")]
        assert bridge in now["links"].splitlines()
        started(fresh, texts, key="ExecStopPost=")
        left = set(picture(fresh)["rules"].splitlines()) - set(plain["rules"].splitlines())
        assert not [line for line in left if line.startswith("-A")]
        assert b"br-side" not in fresh.run("ip", "link").stdout
    assert "makes it again" in done(demo_host, "net", "rm", "side")
    undo(demo_host, "3")
    assert files(demo_host) == empty


def test_files_of_others_are_left_alone(demo_host: DemoHost) -> None:
    own_etc(demo_host)
    demo_host.run("sysctl", "-w", "net.ipv4.ip_forward=0")
    done(demo_host, "fix")
    path = "/etc/sysctl.d/90-dnet-tui-0001.conf"
    demo_host.run("tee", path, stdin=b"mine\n")
    refused = demo_host.dnet("persist", "1", "--yes")
    assert refused.returncode == 1
    assert b"already, which is not overwritten" in refused.stderr
    demo_host.run("rm", path)
    demo_host.run("ln", "-s", "/etc/passwd", path)
    assert demo_host.dnet("persist", "1", "--yes").returncode == 1
    demo_host.run("rm", path)
    done(demo_host, "persist", "1")
    demo_host.run("tee", "-a", path, stdin=b"net.ipv4.ip_default_ttl = 9\n")
    changed = demo_host.dnet("undo", "--yes")
    assert changed.returncode == 1
    assert b"was changed since it was written" in changed.stderr


@pytest.mark.parametrize("arguments", [("9",), ("x",), ()])
def test_what_can_not_be_kept_is_said(demo_host: DemoHost, arguments: tuple[str, ...]) -> None:
    ran = demo_host.dnet("persist", *arguments, "--yes")
    assert ran.returncode == 2, ran.stdout
    assert ran.stderr.startswith(b"dnet-tui: ")
