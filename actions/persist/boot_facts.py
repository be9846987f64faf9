"""What starts this host and manages its links: read from where systemd says it."""

from __future__ import annotations

from pathlib import Path

from dnet_tui.actions.persist.keep_plan import BootFacts
from dnet_tui.inspect.kernel.run_program import find_program

_WANTED = "etc/systemd/system/multi-user.target.wants"


def read_boot_facts(root: Path = Path("/")) -> BootFacts:
    """Look which programs start with the host."""

    def enabled(unit: str) -> bool:
        return (root / _WANTED / unit).is_symlink()

    return BootFacts(
        systemd=(root / "etc/systemd/system").is_dir() and find_program("systemctl") is not None,
        networkd=enabled("systemd-networkd.service"),
        networkmanager=enabled("NetworkManager.service"),
        firewalld=enabled("firewalld.service"),
        find=lambda name: find_program(name) or name,
    )
