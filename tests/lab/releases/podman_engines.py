"""Which Podman a lab host runs: the system's, or Debian 13's, which writes nftables and is laid over the system's /usr.

Its programs want a newer C library than Debian 12's.  That library runs older
programs as well, so a lab host sees both folders laid over each other; the
machine itself sees neither.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lab.machines.debs import unpacked

PACKAGES = (
    *("podman", "netavark", "aardvark-dns", "golang-github-containers-common"),
    *("libc6", "libgpgme11t64", "libassuan9", "libgpg-error0", "libseccomp2", "libsubid5", "libsystemd0"),
    *("nftables", "libnftables1", "libnftnl11"),
)
"""Not conmon and runc: the system's work with it, and the newer ones want more libraries."""

IPTABLES = ("xtables-nft-multi", "xtables-legacy-multi")
"""What every name of iptables leads to."""


@dataclass(frozen=True)
class PodmanEngine:
    """The programs of one Podman.  ``root`` is where its packages were unpacked; None means the system's.

    ``firewall`` is netavark's driver.  With ``nftables`` the host has no iptables at all.
    """

    root: Path | None = None
    firewall: str = "iptables"


SYSTEM_PODMAN = PodmanEngine()


def native_podman() -> PodmanEngine:
    """Return Debian 13's Podman with netavark's nftables, downloaded when there is none yet.

    Raises:
        DnetError: it couldn't be downloaded.
    """
    return PodmanEngine(unpacked("podman", "trixie", PACKAGES), "nftables")
