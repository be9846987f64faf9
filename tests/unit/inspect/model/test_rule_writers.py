"""Managers known by what they name, and names that only look like theirs."""

from __future__ import annotations

import pytest

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
