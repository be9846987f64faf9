"""``snapshot diff`` on paper."""

from __future__ import annotations

from dnet_tui.diagnostics.difference.base import DifferenceItem
from dnet_tui.diagnostics.difference.snapshots import Difference, Side, Unseen, compare
from dnet_tui.tui.reports.difference_text import difference_text
from dnet_tui.tui.reports.terminal import OutputStyle
from unit.builders.factories import WEB, docker_like_snapshot, with_link, with_sysctl

SIDE = Side(hostname="lab", taken_at="", tool_version="")
BEFORE = docker_like_snapshot()


def text(*changes: DifferenceItem, unseen: tuple[Unseen, ...] = (), width: int | None = None) -> str:
    difference = Difference(before=SIDE, after=SIDE, changes=changes, not_compared=unseen)
    return difference_text(difference, OutputStyle(width=width))


def test_changes_stand_under_what_they_belong_to_the_host_first() -> None:
    after = with_sysctl(with_link(BEFORE, WEB, "eth0", up=False), "net.ipv4.ip_forward", "0")

    assert difference_text(compare(BEFORE, after), OutputStyle()) == (
        "host\n  ~ net.ipv4.ip_forward 1 → 0\n\nweb\n  ~ eth0 went down\n"
    )


def test_a_parameter_that_changed_at_every_interface_is_told_once() -> None:
    after = BEFORE
    for key in BEFORE.namespaces[0].sysctls:
        if key.endswith(".forwarding"):
            after = with_sysctl(after, key, "0")
    after = with_sysctl(after, "net.ipv4.conf.eth0.rp_filter", "2")

    assert difference_text(compare(BEFORE, after), OutputStyle()).splitlines() == [
        "host",
        "  ~ net.ipv4.conf.all.forwarding 1 → 0",
        "  ~ net.ipv4.conf.default.forwarding 1 → 0",
        "  ~ net.ipv4.conf.*.forwarding 1 → 0 (at 7 interfaces)",
        "  ~ net.ipv4.conf.eth0.rp_filter 0 → 2",
    ]


def test_no_difference_says_what_that_covers() -> None:
    unseen = Unseen(section="firewall", scope="host", side="after", reason="no permission")

    assert text() == "No difference.\n"
    assert text(unseen=(unseen,)) == (
        "No difference in what both snapshots saw.\n\nNot compared\n"
        "  ? firewall of host, not seen whole in the later snapshot: no permission\n"
    )


def test_hostile_names_are_harmless() -> None:
    change = DifferenceItem(kind="added", section="links", scope="\x1b[31mweb", what="x", text="[red]\x1b[2J is gone")

    assert text(change) == "\\x1b[31mweb\n  + [red]\\x1b[2J is gone\n"


def test_long_rules_are_wrapped_not_cut() -> None:
    change = DifferenceItem(
        kind="added", section="firewall", scope="host", what="x", text="rule " + "-s 10.0.0.0/8 " * 20
    )
    lines = text(change, width=60).splitlines()

    assert max(map(len, lines)) <= 60
    assert " ".join(lines).count("10.0.0.0/8") == 20
