"""Docker's own nftables tables, of its backend that does without iptables (from 29 on).  Pure.

They are ``ip docker-bridges`` and ``ip6 docker-bridges``, and each bridge has
chains called after it.  Source: Docker's ``internal/nftabler``.
"""

from __future__ import annotations

from dnet_tui.diagnostics.context import iptables_layout
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.inspect.model import Engine, Family, known_items
from dnet_tui.inspect.model.engine_kinds.docker import DOCKER, NATIVE_TABLE
from dnet_tui.inspect.model.firewall import Table

TABLE = NATIVE_TABLE
_IN = "filter-forward-in__"


def engine(case: HostContext) -> Engine | None:
    """A Docker that writes its rules through nftables; its driver is ``nftables``, perhaps ``nftables+firewalld``."""
    return next(
        (
            item
            for item in known_items(case.snapshot.engines)
            if item.name == DOCKER.kind and item.firewall.startswith("nftables") and not item.rootless
        ),
        None,
    )


def bridges(case: HostContext, family: Family) -> frozenset[str]:
    """The bridges that Docker's nftables rules serve, where no iptables rules of Docker's do.

    DOCKER-USER may be left in iptables: that chain is never taken away.
    """
    tables = iptables_layout.tables(case, family)
    if any(_has_iptables_rules(table) for table in tables):
        return frozenset()
    return frozenset(
        chain.name.removeprefix(_IN)
        for table in tables
        if table.backend == "nftables" and table.name == TABLE and not table.dormant
        for chain in table.chains
        if chain.name.startswith(_IN)
    )


def _has_iptables_rules(table: Table) -> bool:
    return table.backend != "nftables" and any(
        chain.name.startswith(DOCKER.chain_marks) and chain.name not in iptables_layout.USER_CHAINS
        for chain in table.chains
    )
