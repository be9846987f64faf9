from __future__ import annotations

from dnet_tui.actions.drop_watch.drop_counters import moved, parse_counters, parse_interfaces
from dnet_tui.actions.drop_watch.watch_table import watch_table

SNMP = "Ip: Forwarding InDiscards OutNoRoutes\nIp: 1 2 3\nTcp: ActiveOpens RtoMin\nTcp: 5 200\n"
DEV = "Inter-| Receive | Transmit\n face |bytes packets errs drop …\n  eth0: 100 2 1 7 0 0 0 0 200 3 0 9 0 0 0 0\n"


def test_counters_of_drops_are_taken_and_others_left() -> None:
    assert parse_counters(SNMP) == {"Ip InDiscards": 2, "Ip OutNoRoutes": 3}
    assert parse_interfaces(DEV) == {
        "eth0 rx dropped": 7,
        "eth0 tx dropped": 9,
        "eth0 rx errors": 1,
        "eth0 tx errors": 0,
    }


def test_cut_off_texts_have_no_counters() -> None:
    assert parse_counters("Ip: InDiscards\n") == {}
    assert parse_interfaces("a\nb\neth0: 1 2\n") == {}


def test_only_what_grew_has_moved() -> None:
    assert moved({"a": 1, "b": 2, "c": 5}, {"a": 1, "b": 4, "c": 3, "new": 9}) == {"b": 2}


def test_the_table_marks_and_does_nothing_else() -> None:
    text = watch_table("mine", ["172.17.0.2", "fd00::2"])
    assert "\n" not in text
    assert "flags owner" in text
    assert "ip saddr { 172.17.0.2 } limit rate 50/second meta nftrace set 1" in text
    assert "ip6 daddr { fd00::2 }" in text
    assert "drop" not in text
    assert "ip6" not in watch_table("mine", ["172.17.0.2"])
