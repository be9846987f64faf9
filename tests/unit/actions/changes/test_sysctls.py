"""Kernel parameters that change others along with them."""

from __future__ import annotations

import pytest

from dnet_tui.actions.changes import sysctls
from dnet_tui.actions.host_access import sysctl_path
from dnet_tui.diagnostics.operations.kernel import SetSysctl
from dnet_tui.inspect.errors import ActionFailedError
from unit.builders.fake_host import FakeHost

ON = SetSysctl(key="net.ipv4.ip_forward", value="1")
MIXED = {
    "net.ipv4.conf.docker0.forwarding": "1",
    "net.ipv4.conf.eth0/100.forwarding": "1",
    "net.ipv4.conf.eth0.accept_redirects": "0",
    "net.ipv4.conf.all.accept_redirects": "0",
}


def test_ip_forward_with_mixed_interfaces_is_taken_back_to_the_last_key() -> None:
    host = FakeHost()
    host.values |= MIXED
    before = dict(host.values)
    captured = sysctls.prepare(ON, host)
    after = sysctls.perform(ON, captured, host)
    assert host.values["net.ipv4.conf.lo.forwarding"] == "1", "the fake spreads as the kernel does"
    sysctls.revert(ON, captured, after, host)
    assert host.values == before


def test_killed_between_write_and_note_it_is_taken_back_all_the_same() -> None:
    host = FakeHost()
    host.values |= MIXED
    before = dict(host.values)
    captured = sysctls.prepare(ON, host)
    host.set_sysctl(ON.key, "1")
    sysctls.revert(ON, captured, None, host)
    assert host.values == before


def test_killed_in_the_middle_of_the_undo_a_second_undo_completes_it() -> None:
    host = FakeHost()
    host.values |= MIXED
    before = dict(host.values)
    captured = sysctls.prepare(ON, host)
    after = sysctls.perform(ON, captured, host)
    host.set_sysctl(ON.key, "0")  # the sweep is done, nothing is put back yet
    sysctls.revert(ON, captured, after, host, resumed=True)
    assert host.values == before


def test_what_somebody_else_has_set_since_survives_the_undo() -> None:
    host = FakeHost()
    host.values["net.ipv4.conf.docker0.forwarding"] = "1"
    captured = sysctls.prepare(ON, host)
    after = sysctls.perform(ON, captured, host)
    host.values["net.ipv4.conf.lo.send_redirects"] = "0"
    sysctls.revert(ON, captured, after, host)
    assert host.values["net.ipv4.conf.lo.send_redirects"] == "0"
    assert host.values["net.ipv4.conf.docker0.forwarding"] == "1"


def test_an_interface_that_has_gone_is_skipped() -> None:
    host = FakeHost()
    host.values |= MIXED
    captured = sysctls.prepare(ON, host)
    after = sysctls.perform(ON, captured, host)
    for key in [key for key in host.values if ".docker0." in key]:
        del host.values[key]
    sysctls.revert(ON, captured, after, host)
    assert host.values["net.ipv4.conf.eth0/100.forwarding"] == "1"
    assert host.values["net.ipv4.conf.lo.forwarding"] == "0"


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
        sysctls.prepare(SetSysctl(key="net.ipv4.conf.gone0.forwarding", value="1"), FakeHost())


def test_a_dot_in_an_interfaces_name_is_a_slash_in_the_key() -> None:
    assert str(sysctl_path("net.ipv4.conf.eth0/100.forwarding")) == "/proc/sys/net/ipv4/conf/eth0.100/forwarding"


@pytest.mark.parametrize(
    "key", ["kernel.core_pattern", "net.ipv4.conf.//.forwarding", "net.ipv4..forwarding", "net", "/etc.passwd.x"]
)
def test_nothing_outside_of_the_network_parameters_has_a_path(key: str) -> None:
    with pytest.raises(ActionFailedError, match="not a network parameter"):
        sysctl_path(key)
