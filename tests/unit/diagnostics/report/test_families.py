"""Twins of the two families: what is one finding, and what stays apart."""

from __future__ import annotations

import msgspec
import pytest

from dnet_tui.diagnostics.operations.kernel import SetSysctl
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.families import merged
from dnet_tui.diagnostics.report.finding import Evidence, Finding, FlowName, Subject


def said(summary: str, *, name: str = "x", value: str = "", source: str = "") -> Finding:
    """A finding whose step sets the value that its evidence shows."""
    steps = (SetSysctl(key=value or "net.ipv4.ip_forward", value="1"),)
    return Finding(
        check="masq-missing",
        severity="error",
        subject=Subject(kind="rule", name=name),
        summary=summary,
        symptoms=("egress", "ipv6") if "::" in summary or "IPv6" in summary else ("egress",),
        evidence=(Evidence(source=source or "sysctl", what="w", value=value),),
        remedy=Remedy(summary="Do it", steps=steps, undo=steps),
    )


@pytest.mark.parametrize(
    ("four", "six", "words"),
    [
        ("network a (10.0.0.0/24) is bare", "network a (fd00::/64) is bare", "(10.0.0.0/24 and fd00::/64) is bare"),
        ("a has no default route", "a has no IPv6 default route", "a has no default route"),
        ("Rule 1 of FORWARD drops", "Rule 3 of FORWARD drops (IPv6)", "Rule 1 of FORWARD drops"),
        ("b is wrong: 10.0.0.2 dev eth0", "b is wrong: fd00::2 dev eth0", "10.0.0.2 and fd00::2 dev eth0"),
        ("to 10.0.0.2:80 (and 2 more) fails", "to [fd00::2]:80 (and 3 more) fails", "to 10.0.0.2:80 (and 6 more)"),
    ],
    ids=["subnets", "routes", "rules", "addresses", "ports"],
)
def test_what_differs_in_addresses_and_families_alone_is_one(four: str, six: str, words: str) -> None:
    (one,) = merged([said(four), said(six, value="net.ipv6.conf.all.forwarding")])
    assert words in one.summary
    assert one.summary.endswith("(IPv4 and IPv6)")
    assert one.symptoms == ("egress",)
    assert one.remedy is not None
    assert [len(one.remedy.steps), len(one.remedy.undo)] == [2, 2]
    assert one.remedy.undo == one.remedy.steps[::-1]


def test_networks_of_which_one_is_among_the_others_are_one() -> None:
    six = said("of b: down (IPv6)")
    assert len(merged([said("of a, b: down"), six], ("a", "b"))) == 1
    assert len(merged([said("of a: down"), six], ("a", "b"))) == 2
    assert len(merged([said("of a, b: down"), six])) == 2


def test_a_row_of_each_family_is_paired_each_with_its_own() -> None:
    every = [said(f"network {name} ({net}) is bare") for name in "ab" for net in ("10.0.0.0/24", "fd00::/64")]
    assert [item.summary[:9] for item in merged(every)] == ["network a", "network b"]


@pytest.mark.parametrize(
    "other",
    [
        said("network b (fd00::/64) is bare"),
        said("network a (10.9.0.0/24) is bare"),
        msgspec.structs.replace(said("network a (fd00::/64) is bare"), check="nfcall-drop"),
        msgspec.structs.replace(said("network a (fd00::/64) is bare"), remedy=Remedy(summary="Ask", risk="manual")),
        said("network a (fd00::/64) is bare", source="ip6tables-nft-save -c", value="-j DROP"),
    ],
    ids=["network", "family", "check", "remedy", "rule"],
)
def test_other_networks_rules_checks_and_remedies_stay_apart(other: Finding) -> None:
    assert merged([said("network a (10.0.0.0/24) is bare"), other]) == [said("network a (10.0.0.0/24) is bare"), other]


def test_the_flows_that_are_named_may_be_others() -> None:
    flow = FlowName(label="web → outside", source="web", target="outside", proto="tcp", port=443)
    other = FlowName(label="six → outside (IPv6)", source="six", target="outside", proto="tcp", port=443)
    four = msgspec.structs.replace(said("web → outside is dropped"), flows=(flow,))
    six = msgspec.structs.replace(said("six → outside (IPv6) is dropped"), flows=(other,))
    (one,) = merged([four, six])
    assert one.flows == (flow, other)
