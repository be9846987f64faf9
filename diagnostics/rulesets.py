"""Where an engine's rules stand: backend, tables and chains of the host.  Pure."""

from __future__ import annotations

from dnet_tui.diagnostics.attribution import ENGINE_CHAINS
from dnet_tui.diagnostics.case import Case
from dnet_tui.inspect.firewall import Backend, Chain, Table


def tables(case: Case, family: str = "ip") -> tuple[Table, ...]:
    """The host's tables of a family, every backend."""
    host = case.view.host
    firewall = host.firewall if host is not None else None
    return tuple(table for table in (firewall.tables if firewall else ()) if table.family == family)


def backend(case: Case) -> Backend:
    """The iptables backend that the engine writes to: where its chains are, else the one that has tables."""
    with_engine = [
        table.backend for table in tables(case) if any(c.name.startswith(ENGINE_CHAINS) for c in table.chains)
    ]
    loaded = [table.backend for table in tables(case) if table.backend != "nftables"]
    return next(iter((*with_engine, *loaded)), "iptables-nft")


def chain(case: Case, table: str, name: str) -> Chain | None:
    """A chain of the engine's backend."""
    wanted = backend(case)
    return next(
        (
            found
            for item in tables(case)
            if item.name == table and item.backend == wanted
            for found in item.chains
            if found.name == name
        ),
        None,
    )
