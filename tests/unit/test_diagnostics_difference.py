import msgspec

from dnet_tui.diagnostics.difference import Change, differences
from dnet_tui.inspect.firewall import Chain
from dnet_tui.inspect.gaps import Gap
from dnet_tui.inspect.model import LinkStats, Snapshot
from unit.factories import (
    APP1,
    HOST,
    docker_like_snapshot,
    with_chain,
    with_gaps,
    with_link,
    with_namespace,
    with_sysctl,
)
from unit.factories_firewall import chain, docker_nat

BEFORE = docker_like_snapshot()


def postrouting() -> Chain:
    return next(item for item in docker_nat().chains if item.name == "POSTROUTING")


def only(after: Snapshot) -> Change:
    (change,) = differences(BEFORE, after)
    return change


def test_a_snapshot_does_not_differ_from_itself() -> None:
    assert differences(BEFORE, BEFORE) == []


def test_a_changed_sysctl_shows_both_values() -> None:
    change = only(with_sysctl(BEFORE, "net.ipv4.ip_forward", "0"))

    assert (change.section, change.scope, change.what) == ("sysctls", "host", "net.ipv4.ip_forward")
    assert (change.kind, change.before, change.after) == ("changed", "1", "0")


def test_a_removed_rule_is_named_with_its_chain() -> None:
    shorter = msgspec.structs.replace(postrouting(), rules=postrouting().rules[:1])

    change = only(with_chain(BEFORE, "nat", shorter))

    assert change.kind == "removed"
    assert change.what == "iptables-nft ip nat POSTROUTING: -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE"


def test_the_same_rules_in_another_order_are_a_change() -> None:
    turned = msgspec.structs.replace(postrouting(), rules=postrouting().rules[::-1])

    assert "order" in only(with_chain(BEFORE, "nat", turned)).what


def test_one_more_rule_in_front_does_not_count_as_reordering() -> None:
    rules = postrouting().rules
    longer = msgspec.structs.replace(postrouting(), rules=(chain("x", [("-j ACCEPT", ())]).rules[0], *rules))

    change = only(with_chain(BEFORE, "nat", longer))

    assert (change.kind, change.what) == ("added", "iptables-nft ip nat POSTROUTING: -j ACCEPT")


def test_a_rule_that_stands_once_more_is_a_change() -> None:
    twice = msgspec.structs.replace(postrouting(), rules=(*postrouting().rules, postrouting().rules[-1]))

    assert only(with_chain(BEFORE, "nat", twice)).after == "rule, 2 times"


def test_a_changed_policy_is_a_change_of_its_chain() -> None:
    change = only(with_chain(BEFORE, "nat", msgspec.structs.replace(postrouting(), policy="drop")))

    assert (change.before, change.after) == ("policy accept", "policy drop")


def test_a_link_taken_down_and_unplugged_says_both() -> None:
    change = only(with_link(BEFORE, HOST, "veth5f0a1b2", up=False, master=None))

    assert "port of docker0" in change.before
    assert "down" in change.after


def test_a_stopped_container_is_changed_and_its_namespace_gone() -> None:
    rest = tuple(ns for ns in BEFORE.namespaces if ns.id != APP1)
    app1 = msgspec.structs.replace(BEFORE.containers[1], running=False, netns=None)
    others = tuple(item for item in BEFORE.containers if item.name not in {"app1", "sidecar"})
    after = msgspec.structs.replace(BEFORE, namespaces=rest, containers=(app1, *others))

    found = {(change.kind, change.section, change.what) for change in differences(BEFORE, after)}

    assert found == {
        ("changed", "containers", "app1 (docker)"),
        ("removed", "containers", "sidecar (docker)"),
        ("removed", "namespaces", "app1"),
    }


def test_namespaces_are_recognised_after_a_restart_gave_them_new_inodes() -> None:
    text = msgspec.json.encode(BEFORE).decode().replace("402653", "402654")

    assert differences(BEFORE, msgspec.json.decode(text, type=Snapshot)) == []


def test_counters_are_not_compared() -> None:
    assert differences(BEFORE, with_link(BEFORE, HOST, "eth0", stats=LinkStats(rx_packets=99))) == []


def test_what_was_not_seen_is_not_reported_as_removed() -> None:
    blind = with_gaps(
        with_namespace(BEFORE, HOST, firewall=None), Gap(section="firewall", scope=HOST, reason="no permission")
    )

    change = only(blind)

    assert (change.kind, change.section, change.what) == ("added", "gaps", "firewall of host")
