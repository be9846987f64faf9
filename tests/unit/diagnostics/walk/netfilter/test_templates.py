"""A rule that puts a packet into a zone gives it a template: what later rules then see, and may still do."""

from __future__ import annotations

import msgspec
import pytest

from dnet_tui.diagnostics.walk.netfilter.chain_ends import HookResult
from dnet_tui.diagnostics.walk.netfilter.conntrack import without_connection
from dnet_tui.diagnostics.walk.netfilter.fwmark import zoned
from dnet_tui.inspect.model.firewall import SetZone
from unit.diagnostics.walk.netfilter.test_hedges import SYN, hook

EARLY = without_connection(SYN)


def early(*rules: str) -> HookResult:
    return hook(*rules, packet=EARLY)


@pytest.mark.parametrize(
    ("rules", "verdict"),
    [
        (("-j CT --zone 5", "-m conntrack --ctstate NEW -j DROP"), "drop"),
        (("-m conntrack --ctstate NEW -j DROP",), "accept"),
        (("-j CT --zone 5", "-m conntrack ! --ctreplsrc 198.51.100.10 -j DROP"), "drop"),
        (("-m conntrack ! --ctreplsrc 198.51.100.10 -j DROP",), "accept"),
        (("-j CT --zone 5", "-j CT --notrack", "-m conntrack --ctstate UNTRACKED -j DROP"), "accept"),
        (("-j CT --timeout short", "-m conntrack --ctstate NEW -j DROP"), "drop"),
        (("-j CT --helper ftp", "-j CT --notrack", "-m conntrack --ctstate UNTRACKED -j DROP"), "accept"),
        (("-j CT --notrack", "-j CT --helper ftp", "-m conntrack --ctstate UNTRACKED -j DROP"), "drop"),
        (("-j CT --notrack", "-j CT --zone 5", "-m conntrack --ctstate UNTRACKED -j DROP"), "drop"),
    ],
)
def test_a_packet_with_a_template_is_a_new_connections(rules: tuple[str, ...], verdict: str) -> None:
    assert early(*rules).verdict == verdict


def test_the_first_zone_counts() -> None:
    found = early("-j CT --zone-orig 5", "-j CT --zone-reply 7").packet
    assert (found.zone, found.reply_zone) == (5, 0)


def test_nftables_tracks_again_what_was_untracked() -> None:
    untracked = msgspec.structs.replace(EARLY, ctstate="UNTRACKED")
    action = SetZone(zone=5, direction="")
    assert zoned(untracked, action, certain=True, retracks=True).zone == 5
    assert zoned(untracked, action, certain=True, retracks=False) == untracked


def test_where_a_zone_is_not_certain_nor_is_what_a_later_rule_untracks() -> None:
    found = early("-m cpu --cpu 0 -j CT --zone 5", "-j CT --notrack")
    assert found.packet.zone is None
    assert found.verdict == "unknown"
