"""Files of format 1: a gap beside an empty section becomes a section that was not read."""

from __future__ import annotations

import json
from typing import Any

from dnet_tui.inspect.archive.snapshot_file import decode
from dnet_tui.inspect.model import Partial, Snapshot, Unread, known_items, require
from dnet_tui.inspect.model.coverage.gaps import Gap
from dnet_tui.inspect.model.coverage.sections import lacks_of

RULES = {"tables": [{"family": "ip", "name": "filter", "backend": "iptables-nft"}]}


def loaded(*gaps: dict[str, str], host: dict[str, Any] | None = None, **more: Any) -> Snapshot:
    """A snapshot of format 1 with one namespace."""
    ns = {"id": "net:[1]", "inode": 1, "kind": "host", **(host or {})}
    raw = {"format": 1, "host": {"hostname": "lab", "kernel": "6.1"}, "namespaces": [ns], "gaps": list(gaps), **more}
    return decode(json.dumps(raw).encode())


def test_an_empty_section_with_a_gap_was_not_read_and_one_without_is_empty() -> None:
    (host,) = loaded({"section": "routes", "scope": "net:[1]", "reason": "denied", "hint": "as root"}).namespaces
    assert host.routes == Unread(reason="denied", hint="as root")
    assert (host.links, host.addresses) == ((), ())


def test_a_section_that_holds_something_was_read_in_part() -> None:
    route = {"family": "ip", "table": 254, "type": "unicast", "dst": "10.0.0.0/8"}
    (host,) = loaded({"section": "routes", "scope": "net:[1]", "reason": "torn"}, host={"routes": [route]}).namespaces
    assert isinstance(host.routes, Partial)
    assert [item.dst for item in host.routes.items] == ["10.0.0.0/8"]


def test_a_gap_without_a_scope_concerns_every_namespace() -> None:
    (host,) = loaded({"section": "sockets", "reason": "denied"}).namespaces
    assert host.sockets == Unread(reason="denied")


def test_what_is_not_a_list_keeps_what_it_has() -> None:
    gaps = [{"section": name, "scope": "net:[1]", "reason": "some"} for name in ("firewall", "sysctls", "conntrack")]
    had = {"firewall": RULES, "sysctls": {"net.ipv4.ip_forward": "1"}, "xfrm_policies": 2}
    (host,) = loaded(*gaps, host=had | {"conntrack_counts": {"invalid": 3}}).namespaces
    assert [table.name for table in require(host.firewall).tables] == ["filter"]
    assert [item.reason for item in lacks_of(host.firewall)] == ["some"]
    assert host.sysctls["net.ipv4.ip_forward"] == "1"
    assert (require(host.xfrm_policies), require(host.conntrack_counts)) == (2, host.conntrack_counts)
    (bare,) = loaded(*gaps).namespaces
    assert [type(item) for item in (bare.firewall, bare.sysctls, bare.conntrack_counts)] == [Unread] * 3


def test_lists_of_the_whole_host_are_read_in_part_with_whose_part_is_missing() -> None:
    gap = {"section": "networks", "scope": "docker", "reason": "silent"}
    known = loaded(gap, networks=[{"id": "a", "name": "app", "engine": "podman"}])
    assert [item.name for item in known_items(known.networks)] == ["app"]
    assert known.gaps == (Gap(section="networks", scope="docker", reason="silent"),)


def test_name_servers_logs_and_firewalld_have_their_own() -> None:
    gaps = [
        {"section": "names", "reason": "one"},
        {"section": "names", "scope": "web", "reason": "two"},
        {"section": "log", "scope": "docker", "reason": "three"},
        {"section": "firewalld", "scope": "firewalld", "reason": "four"},
    ]
    web = {"id": "w", "name": "web", "engine": "docker"}
    db = {"id": "d", "name": "db", "engine": "docker", "resolver": {"source": "/x", "servers": ["10.0.0.1"]}}
    known = loaded(*gaps, containers=[web, db], engines=[{"name": "docker"}], firewalld={"pid": 7, "zones": None})
    assert known.host.resolver == Unread(reason="one")
    assert [isinstance(item.resolver, Unread) for item in known.containers] == [True, False]
    assert known_items(known.engines)[0].log == Unread(reason="three")
    assert require(known.firewalld) is not None
    assert {(gap.section, gap.scope, gap.reason) for gap in known.gaps} == {
        (gap["section"], gap.get("scope", ""), gap["reason"]) for gap in gaps
    }


def test_what_belongs_to_nothing_that_is_there_is_kept() -> None:
    gap = {"section": "sockets", "scope": "net:[9]", "reason": "gone"}
    assert loaded(gap).gaps == (Gap(section="sockets", scope="net:[9]", reason="gone"),)
