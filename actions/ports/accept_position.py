"""Where a rule stands that accepts before an engine drops, and that no engine takes out.  Pure."""

from __future__ import annotations

from dnet_tui.actions.networks.linux_network import XFamily, Xtables
from dnet_tui.inspect.model.engine_kinds.docker import USER_CHAIN
from dnet_tui.inspect.model.firewall import Chain, Firewall


def accept_position(firewall: Firewall, backend: Xtables, family: XFamily) -> tuple[str, int | None]:
    """The chain of filter and the number in it: the end of the administrator's chain, else the top of FORWARD.

    What the administrator forbids comes first and stays forbidden.  None: append.
    """
    chains: dict[str, Chain] = {
        chain.name: chain
        for table in firewall.tables
        if (table.backend, table.family, table.name) == (backend, family, "filter")
        for chain in table.chains
    }
    forward = chains.get("FORWARD")
    user = chains.get(USER_CHAIN)
    called = forward is not None and any(rule.text == f"-j {USER_CHAIN}" for rule in forward.rules)
    if user is None or not called:
        return "FORWARD", 1
    closing = bool(user.rules) and user.rules[-1].text == "-j RETURN"
    return USER_CHAIN, len(user.rules) if closing else None
