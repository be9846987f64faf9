"""What is kept over a reboot, by a systemd that really boots: the host is as it was; undone, as it was before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from dnet_tui.inspect.errors import DnetError
from lab.machines.requirements import decline, require_lab
from lab.releases.booted_host import BootedHost
from lab.releases.podman_engines import IPTABLES
from lab.sequences.sequences import difference, portrait

UPLINK = """
[Unit]
Description=The lab's uplink
Before=network.target systemd-sysctl.service
DefaultDependencies=no
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=ip link add eth0 address 02:00:00:00:00:01 type veth peer name far0 address 02:00:00:00:00:02
ExecStart=ip address add 203.0.113.2/24 dev eth0
ExecStart=ip link set eth0 up
ExecStart=ip link set far0 up
[Install]
WantedBy=sysinit.target
"""

FIREWALL = """
flush ruleset
table inet administrator {
	chain input {
		type filter hook input priority filter; policy accept;
		tcp dport 23 drop
	}
}
"""


@pytest.fixture(params=["iptables", "nftables"])
def booted(request: pytest.FixtureRequest) -> Iterator[BootedHost]:
    """A booted host with an uplink and an administrator's firewall; with ``nftables`` it has no iptables."""
    require_lab("mmdebstrap", "unshare", root=True)
    try:
        host = BootedHost.prepare()
    except DnetError as error:
        decline(f"{error.message} ({error.hint})")
    with host:
        units = "/mnt/root/etc/systemd/system"
        host.outside("cp", "/dev/stdin", f"{units}/lab-uplink.service", stdin=UPLINK.encode())
        host.outside("cp", "/dev/stdin", "/mnt/root/etc/nftables.conf", stdin=FIREWALL.encode())
        for wants, unit in (("sysinit", "/etc/systemd/system/lab-uplink"), ("sysinit", "/lib/systemd/system/nftables")):
            host.outside("mkdir", "-p", f"{units}/{wants}.target.wants")
            name = unit.rpartition("/")[2]
            host.outside("ln", "-s", f"{unit}.service", f"{units}/{wants}.target.wants/{name}.service")
        if request.param == "nftables":
            host.outside("rm", *(f"/mnt/root/usr/sbin/{program}" for program in IPTABLES))
        host.boot()
        yield host


def done(host: BootedHost, *words: str) -> str:
    ran = host.dnet(*words, "--yes")
    assert ran.returncode == 0, ran.stdout.decode() + ran.stderr.decode()
    return ran.stdout.decode()


def looked_at(host: BootedHost) -> dict[str, Any]:
    """The host; without what the kernel draws anew for each boot."""
    seen = portrait(host)
    volatile = ("stable_secret", "nf_conntrack_count")
    seen["sysctls"] = [line for line in seen["sysctls"] if not any(word in line for word in volatile)]
    return seen


def rebooted(host: BootedHost) -> None:
    host.power_off()
    host.boot()


def kept_files(host: BootedHost) -> list[str]:
    found = host.run("find", "/etc", "-name", "*dnet-tui*", check=False).stdout.decode()
    return sorted(found.splitlines())


def test_networks_and_routes_are_there_after_a_boot_and_gone_after_the_undo(booted: BootedHost) -> None:
    host = booted
    host.run("sysctl", "-w", "net.ipv4.ip_forward=0")
    plain = looked_at(host)
    done(host, "net", "create", "red", "--engine", "linux", "--subnet", "10.33.0.0/24", "--subnet", "fd00:33::/64")
    done(host, "net", "create", "blue", "--engine", "linux", "--subnet", "10.34.0.0/24", "--no-icc")
    done(host, "route", "add", "10.60.0.0/24", "via", "203.0.113.1")
    made = looked_at(host)
    assert made != plain
    said = done(host, "persist")
    assert "of tables with the same priority another may be asked first" in said
    assert looked_at(host) == made
    units = [line.rpartition("/")[2] for line in kept_files(host) if line.endswith(".service")]
    verified = host.run("systemd-analyze", "verify", *sorted(set(units)))
    assert (verified.stdout, verified.stderr) == (b"", b"")

    rebooted(host)
    assert difference(made, looked_at(host)) in ("", "nft: in another order")
    assert "lost at a reboot" not in host.dnet("doctor").stdout.decode()
    native = "dnet-tui-0001-nft.service" in said
    for verb in ("restart", "reload") if native else ():
        host.run("systemctl", verb, "nftables.service")
        host.settle()
        assert (verb, difference(made, looked_at(host))) in ((verb, ""), (verb, "nft: in another order"))

    ran = host.dnet("undo", "--yes")
    assert ran.returncode == 0, ran.stderr.decode()
    assert kept_files(host) == []
    rebooted(host)
    assert difference(plain, looked_at(host)) == ""
