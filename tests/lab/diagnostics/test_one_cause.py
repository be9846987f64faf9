"""One cause is one finding, named first: emptied tables, both families, rules inside a container, the host's OUTPUT."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.diagnostics.test_judged_flows import done
from lab.faults.kinds import once_settled
from lab.faults.machinery import doctor, roots, serious, settled_state
from lab.faults.six_hosts import SUBNET, SixDocker
from lab.machines.docker_host import DockerHost
from lab.packets.plans import EGRESS, FROM_HOST, OK, PUBLISHED, TIMEOUT
from lab.packets.traffic import expect

_BOTH = ("iptables-nft", "ip6tables-nft")


@pytest.fixture(scope="module")
def six() -> Iterator[SixDocker]:
    with SixDocker.start() as host:
        once_settled(host)
        yield host


TWINS = {
    "rejected above the engine": ("drop-before-docker", "-I FORWARD -j REJECT", "-D FORWARD -j REJECT"),
    "untracked": (
        "notrack",
        "-t raw -I PREROUTING -i br-seven -j CT --notrack",
        "-t raw -D PREROUTING -i br-seven -j CT --notrack",
    ),
    "answers to the host dropped": ("input-drop", "-I INPUT -i br-seven -j DROP", "-D INPUT -i br-seven -j DROP"),
    "what the host sends dropped": ("output-drop", "-I OUTPUT -o br-seven -j DROP", "-D OUTPUT -o br-seven -j DROP"),
    "no source translated": ("masq-missing", "-t nat -I POSTROUTING -j ACCEPT", "-t nat -D POSTROUTING -j ACCEPT"),
}
"""What is done to both families, which check names it, and how it is undone."""


@pytest.mark.docker
@pytest.mark.parametrize("what", TWINS)
def test_one_cause_that_both_families_meet_is_one_finding(six: SixDocker, what: str) -> None:
    check, inject, restore = TWINS[what]
    with done(six, [f"{word} -w {inject}" for word in _BOTH], [f"{word} -w {restore}" for word in _BOTH]):
        report = doctor(six)
        assert roots(report) == [check]
        found = next(item for item in report["findings"] if item["check"] == check)
        assert "IPv6" in found["summary"] or "neighbour discovery" in found["summary"]
        if found["remedy"]["steps"]:
            assert {step[0] for step in found["remedy"]["steps"]} == set(_BOTH)
    assert serious(doctor(six)) == []


@pytest.mark.docker
def test_policy_rules_of_both_families_are_taken_out_together_and_put_back(six: SixDocker) -> None:
    rules = ("rule {} pref 90 from 10.77.0.0/24 prohibit", f"-6 rule {{}} pref 90 from {SUBNET} prohibit")
    with done(six, [f"ip {item.format('add')}" for item in rules], [f"ip {item.format('del')}" for item in rules]):
        before = settled_state(six)
        assert roots(doctor(six)) == ["blackhole"]
        assert six.dnet("fix", "blackhole", "--yes", "--override-owner").returncode == 0
        assert serious(doctor(six)) == []
        assert six.dnet("undo", "--yes").returncode == 0
        assert settled_state(six) == before


@pytest.mark.docker
def test_a_filter_table_that_was_emptied_is_named_alone_though_other_tables_stand(docker28_host: DockerHost) -> None:
    saved = docker28_host.run("iptables-nft-save", "-t", "filter").stdout
    docker28_host.run("iptables-nft", "-w", "-F")
    try:
        expect(docker28_host, {EGRESS: TIMEOUT})
        report = doctor(docker28_host)
        assert roots(report) == ["rules-flushed"]
        assert "in the table filter" in report["findings"][0]["summary"]
    finally:
        docker28_host.run("iptables-nft-restore", "--table=filter", stdin=saved)
    expect(docker28_host, {EGRESS: OK})


@pytest.mark.docker
def test_the_policy_of_output_is_named_first_with_what_follows_from_it(docker28_host: DockerHost) -> None:
    with done(docker28_host, ["iptables-nft -w -P OUTPUT DROP"], ["iptables-nft -w -P OUTPUT ACCEPT"]):
        expect(docker28_host, {FROM_HOST: TIMEOUT, EGRESS: OK})
        assert roots(doctor(docker28_host)) == ["output-drop"]


@pytest.mark.docker
def test_a_rule_inside_a_container_is_taken_out_there_and_the_hosts_own_stays(docker28_host: DockerHost) -> None:
    rule = "INPUT -p tcp --dport 80 -j DROP"
    enter = " ".join(docker28_host.enter("web"))
    host_rule = "iptables-nft -w -{} INPUT -i eth9 -j DROP"
    with done(
        docker28_host,
        [host_rule.format("I"), f"{enter} iptables-nft -w -A {rule}"],
        [host_rule.format("D"), f"{enter} iptables-nft -w -D {rule}"],
    ):
        expect(docker28_host, {PUBLISHED: TIMEOUT})
        report = doctor(docker28_host)
        assert roots(report) == ["ctr-firewall"]
        before = docker28_host.rules()
        for step in report["findings"][0]["remedy"]["steps"]:
            docker28_host.run(*step)
        expect(docker28_host, {PUBLISHED: OK})
        assert docker28_host.rules() == before
