"""Ports by a table of nftables, where there is no iptables."""

from __future__ import annotations

import pytest

from dnet_tui.actions.networks.native_rules import uses_native
from dnet_tui.actions.plans.nft_table import AddNftTable
from dnet_tui.actions.ports.native_publish import table_name
from dnet_tui.actions.ports.publish import PortRequest, publish_plan
from dnet_tui.diagnostics.operations.rule import InsertRule
from dnet_tui.inspect.model.port_label import PortLabel
from unit.builders.factories import docker_like_snapshot
from unit.builders.fake_host import FakeHost


class Programs(FakeHost):
    def __init__(self, *programs: str) -> None:
        super().__init__()
        self.programs = programs

    def has(self, program: str) -> bool:
        return program in self.programs


@pytest.mark.parametrize(
    ("programs", "native"),
    [(("nft",), True), (("nft", "iptables-nft"), False), (("nft", "iptables-legacy"), False), ((), False)],
)
def test_it_is_chosen_where_iptables_is_missing(programs: tuple[str, ...], native: bool) -> None:
    assert uses_native(Programs(*programs)) is native


@pytest.mark.parametrize(
    ("ip", "name"),
    [
        ("*", "dnet-tui-port-8080-tcp"),
        ("192.0.2.1", "dnet-tui-port-8080-tcp-192_0_2_1"),
        ("::1", "dnet-tui-port-8080-tcp-__1"),
    ],
)
def test_a_table_is_named_by_its_port(ip: str, name: str) -> None:
    assert table_name(PortLabel("web", ip, 8080, 80, "tcp")) == name


def test_one_table_holds_all_and_nobody_elses_chain_is_touched() -> None:
    request = PortRequest(container="app1", host_port=9090, container_port=80)
    plan = publish_plan(docker_like_snapshot(), request, native=True)
    (table,) = [action for action in plan.operations if isinstance(action, AddNftTable)]
    assert not any(isinstance(action, InsertRule) for action in plan.operations)
    assert "ip daddr != 127.0.0.0/8 fib daddr type local tcp dport 9090 dnat to 10.10.0.2:80" in table.body
    assert "chain guard" not in table.body
    assert any("what it drops stays dropped" in note for note in plan.notes)


def test_on_localhost_alone_nothing_is_published_outside() -> None:
    request = PortRequest(container="app1", host_ip="127.0.0.1", host_port=9090, container_port=80)
    plan = publish_plan(docker_like_snapshot(), request, native=True)
    (table,) = [action for action in plan.operations if isinstance(action, AddNftTable)]
    assert "chain prerouting" not in table.body
    assert "chain guard" in table.body
