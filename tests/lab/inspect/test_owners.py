"""Whose rules are whose, on a host with a real Docker: every rule is Docker's, and a stranger's isn't."""

from __future__ import annotations

from dnet_tui.inspect.model import Snapshot
from dnet_tui.inspect.model.view import View
from lab.machines.docker_host import DockerHost


def owners(snapshot: Snapshot) -> dict[str, str]:
    """The host's rules with their owners."""
    host = View(snapshot).host
    assert host is not None
    assert host.firewall is not None
    return {
        f"{table.family} {table.name} {chain.name} {rule.text}": rule.owner
        for table in host.firewall.tables
        for chain in table.chains
        for rule in chain.rules
    }


def test_every_rule_that_docker_wrote_is_dockers_and_names_what_it_is_for(any_docker: DockerHost) -> None:
    found = owners(any_docker.snapshot())
    assert found
    assert {rule for rule, owner in found.items() if not owner.startswith("docker")} == set()
    named = set(found.values())
    assert named >= {"docker", *(f"docker network {name}" for name in ("bridge", "app", "db", "quiet", "vault"))}
    assert "docker port web:80/tcp" in named
    translations = {owner for rule, owner in found.items() if "-j DNAT" in rule}
    assert all(owner.startswith("docker port ") for owner in translations), translations


def test_an_administrators_rules_are_nobodys(any_docker: DockerHost) -> None:
    rules = [
        ("DOCKER-USER", "-i", "docker0", "-d", "203.0.113.66", "-j", "DROP"),
        ("FORWARD", "-i", "docker0", "-o", "br-app", "-j", "DROP"),
    ]
    for rule in rules:
        any_docker.run("iptables", "-I", *rule)
    try:
        found = owners(any_docker.snapshot())
    finally:
        for rule in rules:
            any_docker.run("iptables", "-D", *rule)
    strangers = {rule for rule, owner in found.items() if not owner}
    assert len(strangers) == len(rules)
    assert all("-i docker0" in rule for rule in strangers)
