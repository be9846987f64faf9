"""Reads a namespace's rules, or proves that those read earlier still stand.

nftables counts every change of a namespace's ruleset (its generation).
Where that is what it was, no iptables-legacy table is loaded and no ipset is
looked up, the rules read before are the rules now; only their counters have
moved on, which ``firewall_at`` says.
"""

from __future__ import annotations

from pathlib import Path

from dnet_tui.inspect.contents import Contents
from dnet_tui.inspect.gaps import Gap
from dnet_tui.inspect.nft_tables import NftSocket

_LEGACY = ("ip_tables_names", "ip6_tables_names")


def read_rules(contents: Contents, before: Contents | None) -> None:
    """Fill in the firewall of the calling thread's namespace; ``before`` is what an earlier reading of it had."""
    generation = _read_generation()
    if before is not None and still_stands(before, generation) and not _legacy_loaded():
        contents.firewall = before.firewall
        contents.firewall_at = before.firewall_at
        contents.gaps.extend(_firewall_gaps(before))
    else:
        _read_anew(contents)
        contents.firewall_at = contents.read_at
    contents.generation = generation


def _read_anew(contents: Contents) -> None:
    from dnet_tui.inspect.iptables_read import read_firewall  # noqa: PLC0415 - only when the rules are wanted

    try:
        contents.firewall, gaps = read_firewall(contents.id)
    except Exception as error:  # noqa: BLE001 - text from host programs: whatever it provokes is a gap, not the end
        contents.miss("firewall", f"the rules could not be read: {error}")
    else:
        contents.gaps.extend(gaps)


def _read_generation() -> int | None:
    """The ruleset's generation, before the rules are read; None where it can't be told."""
    try:
        with NftSocket() as nft:
            return nft.generation()
    except OSError:
        return None


def still_stands(before: Contents, generation: int | None) -> bool:
    """Whether the rules read before are proved to be those of now, as far as nftables is concerned.  Pure."""
    if generation is None or before.generation != generation or before.firewall is None:
        return False
    if _firewall_gaps(before) or before.firewall.unread or before.firewall.ipsets:
        return False  # what went wrong then may go well now, and an ipset's contents have no generation
    return not any(table.backend == "iptables-legacy" for table in before.firewall.tables)


def _legacy_loaded() -> bool:
    """Whether any table of iptables-legacy is there; also when that can't be told."""
    for name in _LEGACY:
        try:
            if Path(f"/proc/thread-self/net/{name}").read_bytes().strip():
                return True
        except FileNotFoundError:
            continue
        except OSError:
            return True
    return False


def _firewall_gaps(contents: Contents) -> list[Gap]:
    return [gap for gap in contents.gaps if gap.section == "firewall"]
