"""Rules evaluated on their own, where every address is a unicast one and nothing else is known."""

from __future__ import annotations

from dnet_tui.diagnostics.walk.match.context import MatchContext
from dnet_tui.diagnostics.walk.netfilter.budget import Budget
from dnet_tui.diagnostics.walk.netfilter.chain_ends import HookResult
from dnet_tui.diagnostics.walk.netfilter.conditions import Ruleset
from dnet_tui.diagnostics.walk.netfilter.firewall_index import FirewallIndex
from dnet_tui.diagnostics.walk.netfilter.hooks import run_hook
from dnet_tui.diagnostics.walk.packet import Packet
from dnet_tui.inspect.model.firewall import Firewall, Hook


class Unicast(MatchContext):
    """A namespace of which only that is known."""

    def __init__(self, namespace: str = "net:[1]") -> None:
        self.namespace = namespace

    def address_type(self, address: str) -> str:  # noqa: ARG002  always the same
        return "UNICAST"


def hook_result(
    firewall: Firewall,
    hook: Hook,
    packet: Packet,
    *,
    namespace: str = "net:[1]",
    families: tuple[str, ...] = (),
) -> HookResult:
    """What the rules of a firewall do to a packet at a hook."""
    ruleset = Ruleset(FirewallIndex(firewall), Unicast(namespace), Budget(), set())
    return run_hook(ruleset, hook, packet, families=families)
