from __future__ import annotations

import pytest

from dnet_tui.actions.demo.faults import FAULTS, Target, fault, position
from dnet_tui.actions.demo.topology import DEMO, rules
from dnet_tui.diagnostics.finding import SYMPTOMS
from dnet_tui.inspect.errors import DnetError, UsageError

SAVED = rules(DEMO)
BACK = Target.on(SAVED, bridge="br-back", subnet="172.30.2.0/24")


def test_positions_are_those_in_the_chain_of_the_right_table() -> None:
    assert (BACK.masquerade_position, BACK.isolation_position) == (2, 2)
    assert position(SAVED, "filter", "POSTROUTING", BACK.masquerade) == 0
    assert position(SAVED, "nat", "DOCKER", ("-i", "br-back", "-j", "RETURN")) == 2


def test_counters_in_front_of_a_rule_do_not_matter() -> None:
    counted = SAVED.replace("-A ", "[12:3456] -A ")
    assert Target.on(counted, bridge="br-back", subnet="172.30.2.0/24") == BACK


def test_a_rule_that_only_begins_alike_is_not_the_rule() -> None:
    longer = "*nat\n-A POSTROUTING -s 172.30.2.0/24 ! -o br-back -j MASQUERADE --random\nCOMMIT\n"
    assert position(longer, "nat", "POSTROUTING", BACK.masquerade) == 0


def test_a_rule_is_put_back_where_it_stood() -> None:
    masquerade = ("-s", "172.30.2.0/24", "!", "-o", "br-back", "-j", "MASQUERADE")
    nat = ("iptables-nft", "-w", "-t", "nat")
    assert fault("masq-missing").inject(BACK) == ((*nat, "-D", "POSTROUTING", *masquerade),)
    assert fault("masq-missing").restore(BACK) == ((*nat, "-I", "POSTROUTING", "2", *masquerade),)


def test_a_rule_that_is_not_there_cannot_be_taken_away() -> None:
    vault = Target.on(SAVED, bridge="br-vault", subnet="172.30.3.0/24")
    with pytest.raises(DnetError, match="br-vault has no MASQUERADE rule"):
        fault("masq-missing").inject(vault)
    with pytest.raises(DnetError, match="isolation jump"):
        fault("isolation-missing").inject(Target(bridge="br0", subnet="10.0.0.0/24"))


def test_sysctls_name_the_target_with_slashes_for_dots() -> None:
    target = Target(bridge="br.100", subnet="10.0.0.0/24", uplink="bond0.7")
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
