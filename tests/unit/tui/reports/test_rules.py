"""``dnet-tui rules``: order, selection, what is not read, and JSON."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from dnet_tui.inspect.errors import CannotInspectError, UsageError
from dnet_tui.inspect.iptables.save_text import parse_save
from dnet_tui.inspect.model import Snapshot, Unread
from dnet_tui.inspect.model.coverage.gaps import Gap
from dnet_tui.inspect.model.firewall import Firewall, UnreadTable
from dnet_tui.tui.commands.rules import rules_report
from dnet_tui.tui.reports.rules.rules_data import RuleSelection
from dnet_tui.tui.reports.rules.rules_text import short
from dnet_tui.tui.reports.terminal import OutputStyle
from unit.builders.factories import HOST, WEB, docker_like_snapshot, with_gaps, with_namespace

DATA = Path(__file__).parents[2] / "data"
EVERYTHING = RuleSelection()


@pytest.fixture
def snapshot() -> Snapshot:
    four = parse_save((DATA / "iptables_docker_28.save").read_text(), backend="iptables-nft", family="ip")
    six = parse_save((DATA / "ip6tables_docker.save").read_text(), backend="iptables-nft", family="ip6")
    unread = (UnreadTable(family="inet", name="firewalld", backend="nftables", reason="not read yet"),)
    return with_namespace(docker_like_snapshot(), HOST, firewall=Firewall(tables=(*four, *six), unread=unread))


def text(
    snapshot: Snapshot, selection: RuleSelection = EVERYTHING, paper: OutputStyle | None = None, **more: bool
) -> str:
    return rules_report(snapshot, selection, paper or OutputStyle(), **more)


def titles(report: str) -> list[str]:
    """The hooks, and the chains below them."""
    return re.findall(r"^(?:\w+$|  ip\S* \S+ \S+)", report, re.MULTILINE)


def test_chains_come_in_the_order_packets_meet_them(snapshot: Snapshot) -> None:
    assert titles(text(snapshot, RuleSelection(family="ip", table="filter"))) == [
        "input",
        "  ip filter INPUT",
        "forward",
        "  ip filter FORWARD",
        "  ip filter DOCKER-USER",
        "  ip filter DOCKER-FORWARD",
        "  ip filter DOCKER-CT",
        "  ip filter DOCKER-INTERNAL",
        "  ip filter DOCKER-BRIDGE",
        "  ip filter DOCKER",
        "output",
        "  ip filter OUTPUT",
        "  ip filter DOCKER-ISOLATION-STAGE-1",
        "  ip filter DOCKER-ISOLATION-STAGE-2",
    ]


def test_a_chain_that_is_reached_twice_is_printed_once(snapshot: Snapshot) -> None:
    report = text(snapshot, RuleSelection(table="nat", family="ip"))
    assert report.count("--to-destination 172.17.0.2:80\n") == 2, "the two rules, once each"
    assert "ip nat DOCKER (from OUTPUT; shown above)" in report


def test_a_rule_shows_number_counters_and_text(snapshot: Snapshot) -> None:
    lines = text(snapshot, RuleSelection(chain="DOCKER-CT")).splitlines()
    assert "     1     20 pkts     1680 B  -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT" in [
        line.replace("       1", "     1", 1) for line in lines
    ]


def test_a_base_chain_shows_backend_priority_policy_and_counters(snapshot: Snapshot) -> None:
    assert "ip raw PREROUTING (iptables-nft, priority -300, policy ACCEPT [1200 packets, 98000 bytes])" in text(
        snapshot
    )


def test_a_user_chain_alone_still_says_where_it_is_called_from(snapshot: Snapshot) -> None:
    report = text(snapshot, RuleSelection(chain="DOCKER-BRIDGE"))
    assert titles(report) == ["forward", "  ip filter DOCKER-BRIDGE"]
    assert "(from DOCKER-FORWARD)" in report


def test_families_are_kept_apart(snapshot: Snapshot) -> None:
    assert "fd00:1::2" not in text(snapshot, RuleSelection(family="ip"))
    six = text(snapshot, RuleSelection(family="ip6"))
    assert "fd00:1::2" in six
    assert "172.17." not in six


def test_what_was_not_read_is_always_said(snapshot: Snapshot) -> None:
    assert "inet firewalld (nftables): not read yet" in text(snapshot, RuleSelection(family="ip6"))
    assert "inet firewalld" not in text(snapshot, RuleSelection(table="nat")), "another table was asked for"


def test_explanations_stand_below_their_rules(snapshot: Snapshot) -> None:
    report = text(snapshot, RuleSelection(chain="FORWARD", table="filter", family="ip"), explain=True)
    assert "-j DOCKER-USER\n          → All traffic goes through chain DOCKER-USER.\n" in report
    assert "→ Whatever no rule above decided is dropped (the policy)." in report


def test_rules_about_one_thing_only(snapshot: Snapshot) -> None:
    report = text(snapshot, RuleSelection(about="web", family="ip"))
    assert "-d 172.17.0.2/32 ! -i docker0 -j DROP" in report
    assert "-s 172.18.0.0/16" not in report


def test_a_containers_own_rules_get_a_heading(snapshot: Snapshot) -> None:
    own = Firewall(
        tables=parse_save(
            "*nat\n:OUTPUT ACCEPT [0:0]\n-A OUTPUT -j ACCEPT\nCOMMIT\n", backend="iptables-nft", family="ip"
        )
    )
    report = text(with_namespace(snapshot, WEB, firewall=own), RuleSelection(about="web"))
    assert "\nIn web\n" in report
    assert report.startswith("In host\n")


def test_long_rules_wrap_and_lose_nothing(snapshot: Snapshot) -> None:
    wide = text(snapshot).split()
    narrow = text(snapshot, paper=OutputStyle(width=80))
    rules = [line for line in narrow.splitlines() if line.startswith("    ")]
    assert max(len(line) for line in rules) <= 80
    assert narrow.split() == wide


def test_colour_adds_only_colour(snapshot: Snapshot) -> None:
    coloured = text(snapshot, paper=OutputStyle(colour=True))
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == text(snapshot)


def test_hostile_text_is_made_harmless(snapshot: Snapshot) -> None:
    hostile = Firewall(
        tables=parse_save(
            '*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -m comment --comment "\x1b[2J" -j DROP\nCOMMIT\n',
            backend="iptables-nft",
            family="ip",
        )
    )
    report = text(with_namespace(snapshot, HOST, firewall=hostile), explain=True)
    assert "\x1b" not in report
    assert "\\x1b[2J" in report


def test_json_has_every_rule_with_its_meaning(snapshot: Snapshot) -> None:
    data = json.loads(rules_report(snapshot, EVERYTHING, None))
    assert data["format"] == 1
    assert [(table["family"], table["name"]) for table in data["tables"]] == [
        ("ip", "raw"),
        ("ip", "filter"),
        ("ip", "nat"),
        ("ip6", "nat"),
        ("ip6", "filter"),
    ]
    chain = data["tables"][0]["chains"][0]
    assert {key: chain[key] for key in ("name", "hook", "priority", "type", "policy", "packets")} == {
        "name": "PREROUTING",
        "hook": "prerouting",
        "priority": -300,
        "type": "filter",
        "policy": "accept",
        "packets": 1200,
    }
    assert chain["rules"][1] == {
        "number": 2,
        "handle": None,
        "text": "-d 127.0.0.1/32 ! -i lo -p tcp -m tcp --dport 8081 -j DROP",
        "comment": "",
        "packets": 3,
        "bytes": 180,
        "meaning": "TCP traffic arriving by anything but lo to port 8081 of 127.0.0.1 is dropped.",
    }
    assert [item["name"] for item in data["unread"]] == ["firewalld"]


def test_no_table_at_all_is_said(snapshot: Snapshot) -> None:
    assert text(with_namespace(snapshot, HOST, firewall=Firewall())) == "No rules.\n"


@pytest.mark.parametrize(
    "selection", [RuleSelection(table="nope"), RuleSelection(chain="DOKER"), RuleSelection(about="nobody")]
)
def test_names_that_are_not_there_are_usage_errors(snapshot: Snapshot, selection: RuleSelection) -> None:
    with pytest.raises(UsageError) as raised:
        text(snapshot, selection)
    assert raised.value.hint


def test_a_table_that_exists_but_was_not_read_is_no_usage_error(snapshot: Snapshot) -> None:
    assert "firewalld" in text(snapshot, RuleSelection(table="firewalld"))


def test_a_firewall_that_was_not_read_is_not_an_empty_one(snapshot: Snapshot) -> None:
    gap = Gap(section="firewall", scope=HOST, reason="no permission", hint="run dnet-tui as root")
    blind = with_gaps(with_namespace(snapshot, HOST, firewall=Unread(reason="permission denied")), gap)
    with pytest.raises(CannotInspectError, match="no permission") as raised:
        text(blind)
    assert raised.value.hint == "run dnet-tui as root"


@pytest.mark.parametrize(
    ("number", "expected"),
    [(0, "0"), (99_999, "99999"), (100_000, "100K"), (99_999_999, "99999K"), (100_000_000, "100M"), (10**18, "1000P")],
)
def test_counters_stay_short(number: int, expected: str) -> None:
    assert short(number) == expected
