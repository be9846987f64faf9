from __future__ import annotations

import pytest

from dnet_tui.actions.demo.faults import FAULTS, FaultLocation, FaultTarget, fault, places
from dnet_tui.actions.demo.topology import DEMO, rules
from dnet_tui.diagnostics.report.finding import SYMPTOMS
from dnet_tui.inspect.errors import DnetError, UsageError

SAVED = rules(DEMO)
BACK = FaultTarget.on(SAVED, bridge="br-back", subnet="172.30.2.0/24")


DOCKER_28 = """*nat
:POSTROUTING ACCEPT [0:0]
-A POSTROUTING -s 10.20.0.0/24 ! -o br-db -j MASQUERADE
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
COMMIT
*filter
-A FORWARD -j DOCKER-USER
-A FORWARD -j DOCKER-FORWARD
-A DOCKER-FORWARD -j DOCKER-CT
-A DOCKER-FORWARD -j DOCKER-ISOLATION-STAGE-1
-A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
COMMIT
"""

NETAVARK = """*filter
-A FORWARD -m comment --comment "netavark firewall plugin rules" -j NETAVARK_FORWARD
-A NETAVARK_FORWARD -j NETAVARK_ISOLATION_1
COMMIT
*nat
-A POSTROUTING -j NETAVARK-HOSTPORT-MASQ
-A POSTROUTING -s 10.88.0.0/16 -j NETAVARK-1D8721804F16F
-A POSTROUTING -s 10.120.0.0/24 -j NETAVARK-2D89E68EC8511
-A NETAVARK-2D89E68EC8511 -d 10.120.0.0/24 -j ACCEPT
-A NETAVARK-2D89E68EC8511 ! -d 224.0.0.0/4 -j MASQUERADE
-A NETAVARK-1D8721804F16F -d 10.88.0.0/16 -j ACCEPT
-A NETAVARK-1D8721804F16F ! -d 224.0.0.0/4 -j MASQUERADE
COMMIT
"""


def test_positions_are_those_in_the_chain_of_the_right_table() -> None:
    assert BACK.masquerade is not None
    assert BACK.isolation is not None
    assert (BACK.masquerade.chain, BACK.masquerade.number) == ("POSTROUTING", 2)
    assert (BACK.isolation.chain, BACK.isolation.number) == ("FORWARD", 2)
    elsewhere = SAVED.replace("*nat", "*mangle")
    assert FaultTarget.on(elsewhere, bridge="br-back", subnet="172.30.2.0/24").masquerade is None


def test_the_isolation_of_docker_28_stands_in_a_chain_of_its_own() -> None:
    target = FaultTarget.on(DOCKER_28, bridge="docker0", subnet="172.17.0.0/16")
    jump = ("-j", "DOCKER-ISOLATION-STAGE-1")
    assert target.isolation == FaultLocation(table="filter", chain="DOCKER-FORWARD", number=2, words=jump)
    assert target.masquerade is not None
    assert target.masquerade.number == 2


def test_netavark_masquerades_in_a_chain_for_each_network() -> None:
    target = FaultTarget.on(NETAVARK, bridge="podman0", subnet="10.88.0.0/16")
    masquerade = ("!", "-d", "224.0.0.0/4", "-j", "MASQUERADE")
    assert target.masquerade == FaultLocation(table="nat", chain="NETAVARK-1D8721804F16F", number=2, words=masquerade)
    assert target.isolation is not None
    assert target.isolation.chain == "NETAVARK_FORWARD"
    assert FaultTarget.on(NETAVARK, bridge="podman7", subnet="10.77.0.0/24").masquerade is None


def test_counters_in_front_of_a_rule_do_not_matter() -> None:
    counted = SAVED.replace("-A ", "[12:3456] -A ")
    assert FaultTarget.on(counted, bridge="br-back", subnet="172.30.2.0/24") == BACK


def test_a_rule_that_only_begins_alike_is_not_the_rule() -> None:
    longer = "*nat\n-A POSTROUTING -s 172.30.2.0/24 ! -o br-back -j MASQUERADE --random\nCOMMIT\n"
    assert FaultTarget.on(longer, bridge="br-back", subnet="172.30.2.0/24").masquerade is None
    assert [item.number for item in places(longer)] == [1]


def test_a_rule_is_put_back_where_it_stood() -> None:
    masquerade = ("-s", "172.30.2.0/24", "!", "-o", "br-back", "-j", "MASQUERADE")
    nat = ("iptables-nft", "-w", "-t", "nat")
    assert fault("masq-missing").inject(BACK) == ((*nat, "-D", "POSTROUTING", *masquerade),)
    assert fault("masq-missing").restore(BACK) == ((*nat, "-I", "POSTROUTING", "2", *masquerade),)


def test_a_rule_that_is_not_there_cannot_be_taken_away() -> None:
    vault = FaultTarget.on(SAVED, bridge="br-vault", subnet="172.30.3.0/24")
    with pytest.raises(DnetError, match="br-vault has no MASQUERADE rule"):
        fault("masq-missing").inject(vault)
    with pytest.raises(DnetError, match="isolation jump"):
        fault("isolation-missing").inject(FaultTarget(bridge="br0", subnet="10.0.0.0/24"))


def test_sysctls_name_the_target_with_slashes_for_dots() -> None:
    target = FaultTarget(bridge="br.100", subnet="10.0.0.0/24", uplink="bond0.7")
    assert fault("fwd-off-bridge").inject(target) == (("sysctl", "-q", "-w", "net.ipv4.conf.br/100.forwarding=0"),)
    assert fault("fwd-off-uplink").restore(target) == (("sysctl", "-q", "-w", "net.ipv4.conf.bond0/7.forwarding=1"),)


@pytest.mark.parametrize("item", FAULTS, ids=lambda item: item.id)
def test_every_fault_says_what_it_does(item: object) -> None:
    chosen = fault(getattr(item, "id", ""))
    assert chosen is item
    assert chosen.description
    assert set(chosen.breaks) <= set(SYMPTOMS)
    assert chosen.inject(BACK) != chosen.restore(BACK)


def test_ids_are_unique() -> None:
    assert len({item.id for item in FAULTS}) == len(FAULTS)


def test_an_unknown_fault_names_those_there_are() -> None:
    with pytest.raises(UsageError) as caught:
        fault("masq")
    assert "masq-missing" in caught.value.hint
