"""Kernel parameters that change others along with them."""

from __future__ import annotations

import pytest

from dnet_tui.actions.changes import sysctls
from dnet_tui.actions.host_access import sysctl_path
from dnet_tui.diagnostics.operations.remedy import SetSysctl
from dnet_tui.inspect.errors import ActionFailedError
from unit.builders.fake_hand import FakeHand

ON = SetSysctl(key="net.ipv4.ip_forward", value="1")
MIXED = {
    "net.ipv4.conf.docker0.forwarding": "1",
    "net.ipv4.conf.eth0/100.forwarding": "1",
    "net.ipv4.conf.eth0.accept_redirects": "0",
    "net.ipv4.conf.all.accept_redirects": "0",
}


def test_ip_forward_with_mixed_interfaces_is_taken_back_to_the_last_key() -> None:
    hand = FakeHand()
    hand.values |= MIXED
    before = dict(hand.values)
    prior = sysctls.prepare(ON, hand)
    after = sysctls.perform(ON, prior, hand)
    assert hand.values["net.ipv4.conf.lo.forwarding"] == "1", "the fake spreads as the kernel does"
    sysctls.revert(ON, prior, after, hand)
    assert hand.values == before


def test_killed_between_write_and_note_it_is_taken_back_all_the_same() -> None:
    hand = FakeHand()
    hand.values |= MIXED
    before = dict(hand.values)
    prior = sysctls.prepare(ON, hand)
    hand.set_sysctl(ON.key, "1")
    sysctls.revert(ON, prior, None, hand)
    assert hand.values == before


def test_killed_in_the_middle_of_the_undo_a_second_undo_completes_it() -> None:
    hand = FakeHand()
    hand.values |= MIXED
    before = dict(hand.values)
    prior = sysctls.prepare(ON, hand)
    after = sysctls.perform(ON, prior, hand)
    hand.set_sysctl(ON.key, "0")  # the sweep is done, nothing is put back yet
    sysctls.revert(ON, prior, after, hand, resumed=True)
    assert hand.values == before


def test_what_somebody_else_has_set_since_survives_the_undo() -> None:
    hand = FakeHand()
    hand.values["net.ipv4.conf.docker0.forwarding"] = "1"
    prior = sysctls.prepare(ON, hand)
    after = sysctls.perform(ON, prior, hand)
    hand.values["net.ipv4.conf.lo.send_redirects"] = "0"
    sysctls.revert(ON, prior, after, hand)
    assert hand.values["net.ipv4.conf.lo.send_redirects"] == "0"
    assert hand.values["net.ipv4.conf.docker0.forwarding"] == "1"


def test_an_interface_that_has_gone_is_skipped() -> None:
    hand = FakeHand()
    hand.values |= MIXED
    prior = sysctls.prepare(ON, hand)
    after = sysctls.perform(ON, prior, hand)
    for key in [key for key in hand.values if ".docker0." in key]:
        del hand.values[key]
    sysctls.revert(ON, prior, after, hand)
    assert hand.values["net.ipv4.conf.eth0/100.forwarding"] == "1"
    assert hand.values["net.ipv4.conf.lo.forwarding"] == "0"


def test_a_single_interfaces_key_has_no_followers() -> None:
    assert sysctls.followers("net.ipv4.conf.docker0.forwarding", ("all", "default", "docker0")) == ()


def test_a_default_has_the_same_key_of_every_interface_as_followers() -> None:
    keys = sysctls.followers("net.ipv4.conf.default.rp_filter", ("all", "default", "eth0.100"))
    assert keys == ("net.ipv4.conf.all.rp_filter", "net.ipv4.conf.eth0/100.rp_filter")


def test_ipv6_forwarding_follows_in_ipv6_only() -> None:
    keys = sysctls.followers("net.ipv6.conf.all.forwarding", ("all", "lo"))
    assert "net.ipv6.conf.lo.forwarding" in keys
    assert not [key for key in keys if "ipv4" in key]


def test_a_key_that_is_not_there_is_refused_before_anything_is_written() -> None:
    with pytest.raises(ActionFailedError, match="has no"):
        sysctls.prepare(SetSysctl(key="net.ipv4.conf.gone0.forwarding", value="1"), FakeHand())


def test_a_dot_in_an_interfaces_name_is_a_slash_in_the_key() -> None:
    assert str(sysctl_path("net.ipv4.conf.eth0/100.forwarding")) == "/proc/sys/net/ipv4/conf/eth0.100/forwarding"


@pytest.mark.parametrize(
    "key", ["kernel.core_pattern", "net.ipv4.conf.//.forwarding", "net.ipv4..forwarding", "net", "/etc.passwd.x"]
)
def test_nothing_outside_of_the_network_parameters_has_a_path(key: str) -> None:
    with pytest.raises(ActionFailedError, match="not a network parameter"):
        sysctl_path(key)
