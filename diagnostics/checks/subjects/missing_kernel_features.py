"""What the kernel lacks for the rules that an engine wants, by the engine's own words and what is there.  Pure."""

from __future__ import annotations

from dnet_tui.diagnostics.checks.subjects.startup_failures import FailedStart, failed_starts
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.inspect.model.firewall import Backend, Nat, Table

_IPTABLES: tuple[Backend, ...] = ("iptables-nft", "iptables-legacy")


def unresolved_failures(case: HostContext, kind: str) -> tuple[FailedStart, ...]:
    """The failed starts of a kind that nothing has come after."""
    return tuple(item for item in failed_starts(case, kind) if item.stands)


def iptables_tables(case: HostContext, name: str) -> tuple[Table, ...]:
    """The iptables tables of a name on the host."""
    firewall = case.view.host.firewall if case.view.host is not None else None
    return tuple(
        table
        for table in (firewall.tables if firewall is not None else ())
        if table.backend in _IPTABLES and table.name == name
    )


def masquerades(case: HostContext) -> bool:
    """Whether an iptables rule of the host masquerades: then the kernel knows how."""
    rules = (rule for table in iptables_tables(case, "nat") for chain in table.chains for rule in chain.rules)
    return any(isinstance(expr, Nat) and expr.kind == "masquerade" for rule in rules for expr in rule.exprs)
