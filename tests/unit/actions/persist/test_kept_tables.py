"""Own tables of nftables in the files that keep them: replaced as a whole, loaded again, and no engine's addresses."""

from __future__ import annotations

import pytest

from dnet_tui.actions.persist.keep_plan import BootFacts, keep_plan
from dnet_tui.actions.plans.boot_files import EnableUnit
from dnet_tui.actions.plans.nft_table import AddNftTable
from dnet_tui.inspect.errors import UsageError
from dnet_tui.inspect.model import Snapshot
from dnet_tui.inspect.model.firewall import Firewall, Table
from unit.actions.persist.test_keep_plan import entry, kept, plan_of
from unit.actions.persist.test_lost_at_reboot import HERE
from unit.builders.factories import HOST, docker_like_snapshot, with_namespace

NAME = "dnet-tui-route-10_60_0_0_24"
RULE = 'ip saddr 10.1.0.0/24 oifname "eth0" snat to 10.1.0.0-10.1.0.255;'
TABLE = AddNftTable(
    family="ip", name=NAME, body=f"chain postrouting {{ type nat hook postrouting priority 90; {RULE} }};"
)


def host_with(*tables: AddNftTable) -> Snapshot:
    there = tuple(Table(backend="nftables", family=item.family, name=item.name) for item in tables)
    return with_namespace(docker_like_snapshot(), HOST, firewall=Firewall(tables=there))


def test_a_table_has_a_file_and_a_unit_of_its_own() -> None:
    files = kept(plan_of(TABLE), host_with(TABLE))
    (path, text), (unit, lines) = files.items()
    assert (path, unit) == ("/etc/dnet-tui/dnet-tui-0001.nft", "/etc/systemd/system/dnet-tui-0001-nft.service")
    table = f"table ip {NAME}"
    assert text.splitlines()[1:] == [f"add {table}", f"delete {table}", f"add {table} {{ {TABLE.body} }}"]
    assert [line for line in lines.splitlines() if line.startswith(("PartOf", "Reload", "Exec", "WantedBy"))] == [
        "PartOf=nftables.service",
        "ReloadPropagatedFrom=nftables.service",
        f"ExecStart=nft -f {path}",
        f"ExecReload=nft -f {path}",
        f"ExecStopPost=-nft delete table ip {NAME}",
        "WantedBy=multi-user.target nftables.service",
    ]


def test_its_unit_is_enabled_and_the_reload_is_told() -> None:
    plan = keep_plan([entry(plan_of(TABLE))], HERE, host_with(TABLE), BootFacts(), ())
    assert EnableUnit(unit="dnet-tui-0001-nft.service") in plan.operations
    assert any("nftables.service deletes everybody's tables" in note for note in plan.notes)


@pytest.mark.parametrize(
    ("there", "facts", "why"),
    [
        ((), BootFacts(), "isn't there any more"),
        ((TABLE,), BootFacts(systemd=False), "systemd doesn't start this host"),
    ],
)
def test_one_that_can_not_be_kept(there: tuple[AddNftTable, ...], facts: BootFacts, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        kept(plan_of(TABLE), host_with(*there), "1", facts=facts)


def test_one_that_leads_to_an_engines_container_is_not_kept() -> None:
    snapshot = docker_like_snapshot()
    address = next(
        cidr.partition("/")[0]
        for container in snapshot.containers
        if container.name == "app1"
        for endpoint in container.endpoints
        for cidr in endpoint.addresses
    )
    table = AddNftTable(
        family="ip",
        name="dnet-tui-port-9090-tcp",
        body=f"chain p {{ type nat hook prerouting priority dstnat; tcp dport 9090 dnat to {address}:80; }};",
    )
    with pytest.raises(UsageError, match="may have another address"):
        kept(plan_of(table), host_with(table), "1")
