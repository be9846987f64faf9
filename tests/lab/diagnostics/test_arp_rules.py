"""Rules about ARP and at devices on a real host: each breaks traffic, has its owner named, and its command helps."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.faults.links_family import cable
from lab.faults.machinery import doctor, roots, serious
from lab.machines.hosts import DemoHost
from lab.packets.plans import EGRESS, FROM_HOST, OK, TIMEOUT
from lab.packets.traffic import expect

_RULES = {
    "the router's answers": ("arp", "input", "iifname UPLINK drop", EGRESS),
    "questions for the router": ("arp", "output", "oifname UPLINK drop", EGRESS),
    "answers of containers": ("arp", "input", "iifname BRIDGE drop", FROM_HOST),
    "answers of one container": ("arp", "input", "arp saddr ip ADDRESS drop", FROM_HOST),
    "what a device receives": ("netdev", "ingress device VETH", "drop", EGRESS),
}


@pytest.fixture(scope="module")
def host() -> Iterator[DemoHost]:
    with DemoHost.start() as started:
        yield started


@pytest.mark.lab
@pytest.mark.parametrize("what", _RULES)
def test_it_is_named_first_with_its_owner_and_the_command_shown_helps(host: DemoHost, what: str) -> None:
    family, hook, text, probe = _RULES[what]
    web = cable(host, "web")
    names = {"UPLINK": host.target.uplink, "BRIDGE": web.bridge, "VETH": web.veth, "ADDRESS": str(web.address.ip)}
    for name, value in names.items():
        hook, text = hook.replace(name, value), text.replace(name, value)
    forget = [("ip", "neigh", "flush", "dev", link) for link in (host.target.uplink, web.bridge)]
    expect(host, {probe: OK})
    host.run("nft", f"add table {family} x; add chain {family} x c {{ type filter hook {hook} priority 0; }}")
    try:
        host.run("nft", f"add rule {family} x c {text}")
        for argv in forget:
            host.run(*argv)
        expect(host, {probe: TIMEOUT})
        report = doctor(host)
        assert roots(report) in (["foreign-base-drop"], [])
        told = [item for item in report["findings"] if item["check"] in {"foreign-base-drop", "policy-drop"}]
        assert [item["owner"]["name"] for item in told] == ["administrator"]
        if serious(report):
            for step in told[0]["remedy"]["steps"]:
                host.run(*step)
            expect(host, {probe: OK})
    finally:
        host.run("nft", "delete", "table", family, "x")
    assert serious(doctor(host)) == []
