"""Managers known by what they name, and names that only look like theirs."""

from __future__ import annotations

import pytest

from dnet_tui.inspect.model.firewall import Chain, Rule, Table
from dnet_tui.inspect.model.rule_writers import registry
from dnet_tui.inspect.model.rule_writers.owner import owner_called


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("KUBE-POD-FW-YDFRTEFP3EHX7DKO", "kube-router"),
        ("KUBE-ROUTER-FORWARD", "kube-router"),
        ("KUBE-SVC-TCOU7JCQXEZGVUNU", "kube-proxy"),
        ("KUBE-FIREWALL", "kubelet"),
        ("cali-FORWARD", "calico"),
        ("CILIUM_FORWARD", "cilium"),
        ("WEAVE-NPC-EGRESS", "weave"),
        ("FLANNEL-FWD", "flannel"),
        ("ts-forward", "tailscale"),
        ("ufw-user-forward", "ufw"),
        ("DENYOUT", "csf"),
        ("LIBVIRT_FWO", "libvirt"),
        ("f2b-sshd", "fail2ban"),
        ("CROWDSEC_CHAIN", "crowdsec"),
        ("ISTIO_REDIRECT", "istio"),
        ("CNI-HOSTPORT-DNAT", "cni"),
        ("PVEFW-FORWARD", "proxmox"),
        ("NETBIRD-RT-FWD-IN", "netbird"),
        ("sshguard", "sshguard"),
        ("sshguard-own", ""),
        ("calibrate", ""),
        ("my-ufw-chain", ""),
        ("zone_lan_forward", ""),
    ],
)
def test_a_chain_belongs_by_its_name(name: str, kind: str) -> None:
    assert registry.by_chain(name) == kind


@pytest.mark.parametrize(
    ("names", "name", "kind"),
    [
        ({"forwarding_rule", "zone_lan_forward"}, "zone_lan_forward", "openwrt"),
        ({"zone_lan_dest"}, "zone_lan_dest", ""),
        ({"shorewall", "net2fw"}, "net2fw", "shorewall"),
        ({"net2fw"}, "net2fw", ""),
        ({"FORWARD_direct", "FWDI_public"}, "FWDI_public", "firewalld"),
        ({"DENYIN", "INVDROP"}, "INVDROP", "csf"),
    ],
)
def test_a_name_that_many_use_tells_only_beside_one_that_one_uses(names: set[str], name: str, kind: str) -> None:
    assert registry.by_company(frozenset(names), name) == kind


@pytest.mark.parametrize(
    ("hanging", "keeper"),
    [
        (("ufw",), "ufw"),
        (("docker", "ufw"), "ufw"),
        (("csf", "ufw"), ""),
        (("libvirt",), ""),
        ((), ""),
    ],
)
def test_a_policy_is_that_of_the_one_manager_that_keeps_policies_where_its_chains_hang(
    hanging: tuple[str, ...], keeper: str
) -> None:
    rules = tuple(Rule(number=at, text="-j X", exprs=(), owner=name) for at, name in enumerate(hanging, 1))
    base = Chain(name="FORWARD", hook="forward", priority=0, type="filter", policy="drop", rules=rules)
    table = Table(family="ip", name="filter", backend="iptables-nft", chains=(base,))
    assert registry.policy_owner(table, base) == keeper


def test_a_policy_in_a_managers_own_table_is_that_managers() -> None:
    base = Chain(name="forward", hook="forward", priority=0, type="filter", policy="drop")
    named = Table(family="inet", name="fw4", backend="nftables", chains=(base,))
    own = Table(family="inet", name="site", backend="nftables", chains=(base,))
    assert (registry.policy_owner(named, base), registry.policy_owner(own, base)) == ("openwrt", "")


def test_links_and_sets_are_known_too() -> None:
    assert (registry.by_interface("cali12ab"), registry.by_interface("weave")) == ("calico", "weave")
    assert (registry.by_interface("weaver"), registry.by_interface("eth0")) == ("", "")
    assert (registry.by_set("cali40all-ipam-pools"), registry.by_set("crowdsec-blacklists")) == ("calico", "crowdsec")


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("", "administrator", "administrator"),
        ("kube-router", "manager", "kube-router"),
        ("weave", "manager", "Weave"),
        ("docker network app", "engine", "docker network app"),
        ("dnet-tui network front", "engine", "dnet-tui network front"),
        ("lxd network lxdbr0", "engine", "lxd network lxdbr0"),
    ],
)
def test_an_owner_is_an_engine_a_manager_or_the_administrator(text: str, kind: str, name: str) -> None:
    owner = owner_called(text)
    assert (owner.kind, owner.name) == (kind, name)


def test_no_two_managers_share_what_they_are_known_by() -> None:
    kinds = [item.kind for item in registry.RULE_WRITERS]
    tables = [name for item in registry.RULE_WRITERS for name in item.tables]
    assert len(set(kinds)) == len(kinds)
    assert len(set(tables)) == len(tables)
