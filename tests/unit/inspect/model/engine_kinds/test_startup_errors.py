"""Engines' words about failed starts are told apart, and nothing else is taken for one."""

from __future__ import annotations

import pytest

from dnet_tui.inspect.model.engine_kinds.startup_errors import recognise

ENDPOINT = "driver failed programming external connectivity on endpoint late (4371c165cc27): "

SAID = {
    "docker 20.10, port": (
        ENDPOINT + "Error starting userland proxy: listen tcp4 0.0.0.0:9099: bind: address already in use",
        ("port-taken", 9099),
    ),
    "docker, port of a container": (
        ENDPOINT + "Bind for 0.0.0.0:8080 failed: port is already allocated",
        ("port-taken", 8080),
    ),
    "docker 28, port of a container": (
        ENDPOINT + "Bind for :::8080 failed: port is already allocated",
        ("port-taken", 8080),
    ),
    "docker 28, port": (
        "failed to set up container networking: "
        + ENDPOINT
        + "failed to bind host port for 0.0.0.0:9099:172.17.0.3:80/tcp: address already in use",
        ("port-taken", 9099),
    ),
    "docker 29, port": ("failed to bind host port 0.0.0.0:8081/tcp: address already in use", ("port-taken", 8081)),
    "docker 29, port of IPv6": ("failed to bind host port [::]:53/udp: address already in use", ("port-taken", 53)),
    "podman, port": (
        "cannot listen on the TCP port: listen tcp4 :8080: bind: address already in use",
        ("port-taken", 8080),
    ),
    "docker 20.10, pools": (
        "could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the network",
        ("pool-exhausted", None),
    ),
    "docker 28, pools": ("all predefined address pools have been fully subnetted", ("pool-exhausted", None)),
    "docker, veth": (
        "failed to add the host (vethb2f1) <=> sandbox (vethc2f1) pair interfaces: operation not supported",
        ("veth-unsupported", None),
    ),
    "netavark, veth": (
        "netavark: create veth pair: Netlink error: Operation not supported (os error 95)",
        ("veth-unsupported", None),
    ),
    "cni, veth": ("failed to make veth pair: operation not supported", ("veth-unsupported", None)),
    "raw": (
        "-j DROP: iptables v1.8.7 (legacy): can't initialize iptables table `raw': Table does not exist (do",
        ("no-raw-table", None),
    ),
    "masquerade": (
        "-j MASQUERADE: Warning: Extension MASQUERADE revision 0 not supported, missing kernel module?",
        ("no-xt-masq", None),
    ),
    "full bridge": ("adding interface veth5f0a1b2 to bridge br-12ab failed: exchange full", ("exchange-full", None)),
    "port that waits": ('level=warning msg="Bridge port not forwarding" portState=49', ("port-not-fwd", None)),
    "firewalld": (
        "Failed to setup firewall: ZONE_CONFLICT: 'docker0' already bound to 'trusted'",
        ("zone-conflict", None),
    ),
    "br_netfilter": (
        "cannot restrict inter-container communication or run without the userland proxy: modprobe failed",
        ("icc-no-brnf", None),
    ),
    "forwarding": (
        "IPv4 forwarding is disabled: check your host's firewalling and set sysctl net.ipv4.ip_forward=1",
        ("forwarding-off", None),
    ),
    "two kinds of rules": (
        "iptables v1.8.9 (nf_tables): table `filter' is incompatible, use 'nft' tool.",
        ("iptables-incompatible", None),
    ),
}


@pytest.mark.parametrize("case", SAID)
def test_a_failure_is_recognised_by_its_own_words(case: str) -> None:
    said, (kind, port) = SAID[case]
    found = recognise(said)
    assert found is not None
    assert (found.kind, found.port) == (kind, port)
    assert found.text in said


OTHER = {
    "nothing": "",
    "an application's own": "listen tcp 0.0.0.0:80: bind: permission denied",
    "a program that is missing": 'exec: "httpd": executable file not found in $PATH: unknown',
    "another reason for no veth": "failed to add the host (veth1) <=> sandbox (veth2) pair interfaces: file exists",
    "a bridge that isn't one": "adding interface veth1 to bridge ovsbr0 failed: operation not supported",
    "another table": "can't initialize iptables table `filter': Permission denied (you must be root)",
    "an address": "Address already in use",
    "a warning of every start": "IPv4 forwarding is disabled. Networking will not work.",
}


@pytest.mark.parametrize("case", OTHER)
def test_other_words_are_no_known_failure(case: str) -> None:
    assert recognise(OTHER[case]) is None


def test_a_bridges_addresses_are_taken_out_of_the_text() -> None:
    found = recognise("Error response: bridge IPv4 (10.99.0.6) does not match requested configuration 10.99.0.1.")
    assert found is not None
    assert (found.kind, found.have, found.want) == ("bridge-ip-mismatch", "10.99.0.6", "10.99.0.1")


def test_a_long_text_is_looked_at_to_its_bound_only_and_never_kept_whole() -> None:
    assert recognise("x" * 10_000 + "all predefined address pools have been fully subnetted") is None
    found = recognise("all predefined address pools have been fully subnetted" + "x" * 5_000)
    assert found is not None
    assert len(found.text) < 300
