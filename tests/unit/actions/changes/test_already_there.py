"""What is there already is not added, so that no undo takes it away from somebody else."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from dnet_tui.actions.changes.already_there import require_new
from dnet_tui.actions.host_access import Ran
from dnet_tui.diagnostics.operations.address import AddAddress
from dnet_tui.diagnostics.operations.base import ProgramOperation
from dnet_tui.diagnostics.operations.link import AddVeth
from dnet_tui.diagnostics.operations.netns_scope import AddNamespace, NetnsScope
from dnet_tui.diagnostics.operations.route import AddRoute, RouteSpec
from dnet_tui.inspect.errors import ActionFailedError
from unit.builders.fake_host import FakeHost

ROUTE = {"dst": "10.60.0.0/24", "gateway": "192.0.2.7", "dev": "eth0", "metric": 5}
ADDRESS = {"addr_info": [{"local": "10.1.1.1", "prefixlen": 24}]}
INSIDE = NetnsScope(id="net:[5]", name="one")


class Listing(FakeHost):
    def __init__(self, *items: dict[str, object]) -> None:
        super().__init__()
        self.items = items
        self.asked: list[tuple[str, ...]] = []

    def run(self, argv: Sequence[str], *, limit: float = 1.0, given: bytes = b"") -> Ran:  # noqa: ARG002
        self.asked.append(tuple(argv))
        return Ran(0, json.dumps(self.items) if self.items else "", "")


def route(gateway: str, metric: int = 0) -> AddRoute:
    return AddRoute(route=RouteSpec(dst="10.60.0.0/24", gateway=gateway, link="eth0", metric=metric), inside=INSIDE)


@pytest.mark.parametrize(
    ("action", "item"),
    [
        (route("192.0.2.7"), ROUTE),
        (route("192.0.2.7", 5), ROUTE),
        (AddAddress(link="eth0", cidr="10.1.1.1/24"), ADDRESS),
        (AddVeth(link="v1", peer="eth0", inside="one"), {"ifname": "v1"}),
        (AddNamespace(name="one"), {"name": "one"}),
    ],
)
def test_it_is_refused(action: ProgramOperation, item: dict[str, object]) -> None:
    with pytest.raises(ActionFailedError, match="there already"):
        require_new(action, Listing(item))
    require_new(action, Listing())


@pytest.mark.parametrize(
    ("action", "item"),
    [
        (route("192.0.2.8"), ROUTE),
        (route("192.0.2.7", 6), ROUTE),
        (AddAddress(link="eth0", cidr="10.1.1.1/25"), ADDRESS),
        (AddAddress(link="eth0", cidr="10.1.1.1/24", replace=True), ADDRESS),
        (AddVeth(link="v1", peer="eth0", inside="one"), {"ifname": "v2"}),
        (AddNamespace(name="one"), {"name": "two"}),
    ],
)
def test_another_one_is_no_hindrance(action: ProgramOperation, item: dict[str, object]) -> None:
    require_new(action, Listing(item))


def test_it_is_looked_for_where_it_is_to_be() -> None:
    host = Listing()
    require_new(route("192.0.2.7"), host)
    assert host.asked == [("ip", "-n", "one", "-4", "-j", "route", "show", "exact", "10.60.0.0/24")]
