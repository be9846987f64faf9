"""Whose chains and tables are called what.  Pure data, and the look-up in it.

Names as the programs write them: Docker's and netavark's sources,
ufw-framework(8), firewalld's and kube-proxy's sources, LXD's and libvirt's
rule sets, fail2ban's actions.  A name says who made a chain, not what for.
"""

from __future__ import annotations

import re

from dnet_tui.inspect.model.engine_kinds.podman import CNI
from dnet_tui.inspect.model.engine_kinds.registry import ENGINE_KINDS
from dnet_tui.inspect.model.firewall import Table

USERS_CHAINS = frozenset(name for kind in ENGINE_KINDS for name in kind.user_chains)
"""Chains that an engine makes and calls, but whose rules are the administrator's."""

_CHAINS: tuple[tuple[str, str], ...] = (
    *((start, kind.kind) for kind in ENGINE_KINDS for start in kind.chain_prefixes),
    ("CNI-", CNI),
    ("KUBE-", "kubernetes"),
    ("FLANNEL-", "flannel"),
    ("CILIUM_", "cilium"),
    ("cali-", "calico"),
    ("ANTREA-", "antrea"),
    ("LIBVIRT_", "libvirt"),
    ("ts-", "tailscale"),
    ("ufw-", "ufw"),
    ("ufw6-", "ufw"),
    ("f2b-", "fail2ban"),
    ("fail2ban-", "fail2ban"),
    ("sshuttle-", "sshuttle"),
    ("nixos-", "nixos"),
)
"""How chains' names begin."""
_WHOLE_NAMES = {name: kind.kind for kind in ENGINE_KINDS for name in kind.chains}

_TABLES: dict[str, str] = {
    **{name: kind.kind for kind in ENGINE_KINDS for name in kind.tables},
    "firewalld": "firewalld",
    "kube-proxy": "kubernetes",
    "libvirt_network": "libvirt",
    "f2b-table": "fail2ban",
    "fail2ban": "fail2ban",
    "crowdsec": "crowdsec",
    "crowdsec6": "crowdsec",
    "dnet-tui": "dnet-tui",
}
"""Tables of nftables that belong to one program as a whole."""
_TABLE_STARTS: tuple[tuple[str, str], ...] = (("flannel-ipv", "flannel"), ("wg-quick-", "wg-quick"))

_FIREWALLD = re.compile(
    r"(?:INPUT|FORWARD|OUTPUT|PREROUTING|POSTROUTING)(?:_IN|_OUT)?_(?:direct|ZONES|ZONES_SOURCE|POLICIES_pre|POLICIES_post)"
)
_FIREWALLD_ZONE = re.compile(r"(?:PRE|POST|IN|FWD[IO]?)_[A-Za-z0-9-]+(?:_(?:pre|log|deny|allow|post))?")
_NAMED_NETWORK = re.compile(r'generated for (LXD|Incus) network (\S+)|name: \\?"([^"\\]+)\\?" id: ')


def table_owner(table: Table) -> str:
    """Whose table it is; empty for one that programs share, and for unknown ones."""
    if table.backend != "nftables":
        return ""
    known = _TABLES.get(table.name)
    return known or next((owner for start, owner in _TABLE_STARTS if table.name.startswith(start)), "")


def chain_owners(table: Table) -> dict[str, str]:
    """Whose chain each is, for those whose name tells."""
    whole = table_owner(table)
    if whole:
        return dict.fromkeys((chain.name for chain in table.chains), whole)
    found: dict[str, str] = {}
    for chain in table.chains:
        owner = _WHOLE_NAMES.get(chain.name, "")
        owner = owner or next((owner for start, owner in _CHAINS if chain.name.startswith(start)), "")
        if not owner and _FIREWALLD.fullmatch(chain.name):
            owner = "firewalld"
        if owner and chain.hook is None:
            found[chain.name] = owner
    if "firewalld" in found.values():
        zones = (chain.name for chain in table.chains if chain.hook is None and _FIREWALLD_ZONE.fullmatch(chain.name))
        found |= {name: "firewalld" for name in zones if name not in found}
    return found


def commented_owner(comment: str) -> str:
    """Whose rule it is by its comment, as LXD, Incus and CNI's plugins write them."""
    found = _NAMED_NETWORK.search(comment)
    if found is None:
        return ""
    if found[1]:
        return f"{found[1].lower()} network {found[2]}"
    return f"{CNI} network {found[3]}"
