"""Rules for some ports in INPUT, OUTPUT, bridge tables and at devices: asked by a packet, and real ones agree."""

from __future__ import annotations

import pytest

from lab.faults.machinery import doctor, serious
from lab.faults.unlisted import Inject, filled, nft, place, rule
from lab.machines.docker_host import DockerHost
from lab.machines.hosts import OUTSIDE_SERVER, LabHost
from lab.packets.traffic import Probe, Went, went

_CHAIN = "add table {0} x; add chain {0} x c {{ type filter hook {1} priority 0; }}; add rule {0} x c {2}"


def _frames(family: str, hook: str, text: str) -> Inject:
    return nft(_CHAIN.format(family, hook, text))


ASKED: dict[str, tuple[Inject, tuple[str, str, int], str]] = {
    "INPUT": (
        rule("-I", "INPUT", "-i", "BRIDGE", "-p", "tcp", "--dport", "22", "-j", "DROP"),
        ("web", "GATEWAY", 22),
        "keeps web from tcp port 22 of the host",
    ),
    "OUTPUT": (
        rule("-I", "OUTPUT", "-d", "ADDRESS", "-p", "tcp", "--dport", "81", "-j", "DROP"),
        ("host", "web", 81),
        "keeps the host from 172.17.0.2 (tcp port 81)",
    ),
    "frames that come in": (
        _frames("bridge", "prerouting", "iifname VETH tcp dport 25 drop"),
        ("web", OUTSIDE_SERVER, 25),
        "keeps web from tcp port 25 outside",
    ),
    "frames across": (
        _frames("bridge", "forward", "ip saddr 10.10.0.2 tcp dport 99 drop"),
        ("app1", "app2", 99),
        "keeps app1 from 10.10.0.3 (tcp port 99)",
    ),
    "a device": (
        _frames("netdev", "ingress device VETH", "tcp dport 25 drop"),
        ("web", OUTSIDE_SERVER, 25),
        "keeps web from tcp port 25 outside",
    ),
}


def _probe(host: LabHost, source: str, to: str, port: int) -> Probe:
    return Probe(source, filled(host, (to,))[0], port)


@pytest.mark.docker
@pytest.mark.parametrize("what", ASKED)
def test_it_is_named_with_whom_it_keeps_from_what(what: str) -> None:
    inject, flow, words = ASKED[what]
    with DockerHost.start() as host:
        assert place(host).address == "172.17.0.2"
        probe = _probe(host, *flow)
        assert went(host, probe) is Went.REFUSED
        for argv in inject(host):
            host.run(*argv)
        assert went(host, probe) is Went.TIMEOUT
        report = doctor(host)
        assert serious(report) == []
        assert [item["check"] for item in report["findings"]] == ["policy-drop"]
        assert words in report["findings"][0]["summary"]
        assert report["findings"][0]["owner"]["kind"] == "administrator"
