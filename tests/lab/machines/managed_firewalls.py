"""Real ufw and real firewalld on a lab host: their packages unpacked, their files on the host's own tmpfs.

ufw's program takes another root for all of its files.  firewalld's daemon wants D-Bus, which a lab host has not; its
rule writer, the package python3-firewall, is what is run here, by a process that is called firewalld and stays, so
that it is read as the daemon is.  Both are Debian's of this machine's release, and the system's iptables runs below.

Sources: ufw's own tests (``--rootdir``, ``--datadir``); firewalld's ``core/fw.py`` and ``core/fw_zone.py``.
"""

from __future__ import annotations

import json
import platform
import subprocess
from dataclasses import dataclass
from typing import IO

from dnet_tui.inspect.errors import ActionFailedError
from lab.machines.debs import unpacked
from lab.machines.hosts import LabHost

_UFW_RULES = ("before", "before6", "after", "after6", "user", "user6")
_SYSTEM_PYTHON = "/usr/bin/python3"
"""Not the one that the tests run on: the packages are made for the release's own."""

_LIBRARIES = "usr/lib/python3/dist-packages"


def _suite() -> str:
    return platform.freedesktop_os_release().get("VERSION_CODENAME", "")


_UFW = """
import runpy, sys
sys.path.insert(0, {libraries!r})
sys.argv[0] = "ufw"
runpy.run_path({program!r}, run_name="__main__")
"""


@dataclass(frozen=True)
class Ufw:
    """ufw of a lab host."""

    host: LabHost
    root: str

    def __call__(self, *words: str) -> str:
        """Run ufw and return what it printed."""
        code = _UFW.format(libraries=f"{self.root}/{_LIBRARIES}", program=f"{self.root}/usr/sbin/ufw")
        argv = (_SYSTEM_PYTHON, "-B", "-c", code, f"--rootdir={self.root}", f"--datadir={self.root}", *words)
        done = self.host.run(*argv, check=False)
        if done.returncode:
            raise ActionFailedError(f"ufw {' '.join(words)}: {done.stderr.decode() or done.stdout.decode()}")
        return done.stdout.decode()

    def forward_policy(self, word: str) -> None:
        """Set DEFAULT_FORWARD_POLICY; counts from the next start or reload on."""
        path = f"{self.root}/etc/default/ufw"
        self.host.run("sed", "-i", f's/^DEFAULT_FORWARD_POLICY=.*/DEFAULT_FORWARD_POLICY="{word}"/', path)


def install_ufw(host: LabHost) -> Ufw:
    """Put ufw's files onto the host, as its package does; it isn't enabled yet."""
    folder = unpacked("ufw", _suite(), ("ufw",))
    root = "/run/ufw"
    host.run("cp", "--archive", "--no-preserve=ownership", str(folder), root)
    for name in _UFW_RULES:
        host.run("cp", f"{root}/usr/share/ufw/iptables/{name}.rules", f"{root}/etc/ufw/{name}.rules")
    host.run("cp", f"{root}/usr/share/ufw/ufw.conf", f"{root}/etc/ufw/ufw.conf")
    return Ufw(host, root)


_FIREWALLD = """
import json, os, sys
root, paths = sys.argv[1], sys.argv[2:]
sys.path[:0] = paths
import firewall.config as config
config.set_default_config_paths(root + "/usr/lib/firewalld")
config.set_system_config_paths("/etc/firewalld")
from firewall.command import FirewallCommand
from firewall.core.fw import Firewall
with open("/proc/self/comm", "w") as file:
    file.write("firewalld")
# An older libnftables than firewalld's takes `ct original proto-dst` only behind the protocol.
from firewall.core.nftables import nftables as writer
plain = writer.build_policy_forward_port_rules
def with_protocol(self, enable, policy, port, protocol, *words, **more):
    rules = plain(self, enable, policy, port, protocol, *words, **more)
    for change in rules:
        for made in change.values():
            ways = made["rule"]["expr"]
            if any("ct" in item.get("match", {}).get("left", {}) for item in ways if item.get("match")):
                ways.insert(0, {"match": {"left": {"meta": {"key": "l4proto"}}, "op": "==", "right": protocol}})
    return rules
writer.build_policy_forward_port_rules = with_protocol
fw = Firewall()
fw.start()
print("ready", flush=True)
for line in sys.stdin:
    call, *words = json.loads(line)
    try:
        if call == "zone":
            fw.zone.add_interface(*words)
        elif call == "leave":
            fw.zone.remove_interface(*words)
        elif call == "direct":
            fw.direct.add_rule("ipv4", "filter", words[0], 0, tuple(words[1:]))
        elif call == "reload":
            fw.reload()
        elif call == "firewall-cmd":
            told = dict(word.removeprefix("--").partition("=")[::2] for word in words)
            zone = told.pop("zone", "") or fw.get_default_zone()
            [(option, value)] = told.items()
            if option == "add-interface":
                fw.zone.add_interface(zone, value)
            elif option == "add-forward-port":
                fw.zone.add_forward_port(zone, *FirewallCommand().parse_forward_port(value))
            else:
                raise ValueError(option)
        else:
            raise ValueError(call)
        print("done", flush=True)
    except Exception as error:
        print(type(error).__name__, error, flush=True)
"""

_DOCKER_ZONE = '<zone target="ACCEPT"><short>docker</short></zone>'
_DOCKER_POLICY = (
    '<policy target="ACCEPT"><short>docker-forwarding</short><ingress-zone name="ANY"/><egress-zone name="docker"/>'
    "</policy>"
)
_FILES = """
set -e
mkdir /run/etc
cp -a /etc/alternatives /etc/protocols /etc/services /etc/ld.so.cache "$1/etc/firewalld" /run/etc
mount --bind /run/etc /etc
sed -i "s/^FirewallBackend=.*/FirewallBackend=$2/; s/^StrictForwardPorts=.*/StrictForwardPorts=$5/; \
  s/^CleanupModulesOnExit=.*/CleanupModulesOnExit=no/; s/^NftablesTableOwner=.*/NftablesTableOwner=no/" \
  /etc/firewalld/firewalld.conf
mkdir -p /etc/firewalld/zones /etc/firewalld/policies
printf %s "$3" > /etc/firewalld/zones/docker.xml
printf %s "$4" > /etc/firewalld/policies/docker-forwarding.xml
shift 5
exec "$@"
"""
"""A private view of /etc with firewalld's folder and what iptables needs; Docker adds zone and policy over D-Bus."""


@dataclass(frozen=True)
class Firewalld:
    """A running firewalld of a lab host; each call is what firewall-cmd would ask it for, at runtime.

    Without a bus there is no firewall-cmd.  The words of one that was shown are read as it reads them, a forward port
    by its own parser, and asked of the same firewalld.
    """

    process: subprocess.Popen[bytes]

    def __call__(self, *words: str) -> None:
        """``zone ZONE LINK``, ``leave ZONE LINK``, ``direct CHAIN …`` (in iptables), ``reload``, or firewall-cmd."""
        stdin, stdout = _pipes(self.process)
        stdin.write(json.dumps(words).encode() + b"\n")
        stdin.flush()
        answer = stdout.readline().decode().strip()
        if answer != "done":
            raise ActionFailedError(f"firewalld, {' '.join(words)}: {answer}")


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    assert process.stdin is not None
    assert process.stdout is not None
    return process.stdin, process.stdout


def firewalld_started(host: LabHost, backend: str, *, strict: bool = False) -> Firewalld:
    """Start a real firewalld with that backend: until its input ends; what it wrote stays, as with CleanupOnExit=no.

    ``strict`` is StrictForwardPorts, which firewalld has since 2.3: that comes from Debian 13.
    """
    suite = "trixie" if strict else _suite()
    root = unpacked("firewalld", suite, ("firewalld", "python3-firewall"))
    nft = unpacked("python3-nftables", _suite(), ("python3-nftables",))  # made for the system's own libnftables
    inner = [_SYSTEM_PYTHON, "-B", "-c", _FIREWALLD, str(root), str(root / _LIBRARIES), str(nft / _LIBRARIES)]
    files = ["sh", "-c", _FILES, "sh", str(root), backend, _DOCKER_ZONE, _DOCKER_POLICY, "yes" if strict else "no"]
    argv = ["unshare", "--mount", "--propagation=private", *files, *inner]
    pipe = subprocess.PIPE
    process = host.sandbox.popen(argv, stdin=pipe, stdout=pipe, stderr=pipe, environment=host.environment)
    first = _pipes(process)[1].readline()
    if first != b"ready\n":
        raise ActionFailedError(
            f"firewalld did not start: {first.decode()} {process.communicate()[1].decode()[-2000:]}"
        )
    return Firewalld(process)
