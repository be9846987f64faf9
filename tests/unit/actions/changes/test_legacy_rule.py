"""Rules' texts as python-iptables' dictionaries; the lab shows that what is written from them is the same rule."""

from __future__ import annotations

import pytest

from dnet_tui.actions.changes.legacy_rule import EasyRule, easy_rule, same_meaning


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("-j ACCEPT", {"target": "ACCEPT"}),
        ("-j DOCKER-USER", {"target": "DOCKER-USER"}),
        ("-g DOCKER", {"target": {"goto": "DOCKER"}}),
        (
            "! -s 10.0.0.1 -d 192.0.2.0/24 -j DROP",
            {"src": "!10.0.0.1/32", "dst": "192.0.2.0/24", "target": "DROP"},
        ),
        ("-s 10.1.2.3/8 -j DROP", {"src": "10.0.0.0/8", "target": "DROP"}),
        ("-s 0.0.0.0/0 -p all -j RETURN", {"target": "RETURN"}),
        (
            "-o lo ! -i docker0 -j RETURN",
            {"in-interface": "!docker0", "out-interface": "lo", "target": "RETURN"},
        ),
        ("! -p tcp -j ACCEPT", {"protocol": "!6", "target": "ACCEPT"}),
        (
            "-p tcp -m tcp ! --sport 1:2 --dport 80 -j ACCEPT",
            {"protocol": "6", "tcp": {"sport": ["!", "1:2"], "dport": ["80"]}, "target": "ACCEPT"},
        ),
        (
            "--protocol udp --destination-port 53: -j ACCEPT",
            {"protocol": "17", "udp": {"dport": ["53:65535"]}, "target": "ACCEPT"},
        ),
        ("-p tcp -m tcp -j ACCEPT", {"protocol": "6", "tcp": {}, "target": "ACCEPT"}),
        (
            "-p tcp -m tcp --tcp-flags SYN,FIN SYN -j DROP",
            {"protocol": "6", "tcp": {"tcp-flags": ["FIN,SYN", "SYN"]}, "target": "DROP"},
        ),
        (
            "-p tcp -m multiport --dports 443,80,1:9 -j ACCEPT",
            {"protocol": "6", "multiport": {"dports": ["443,80,1:9"]}, "target": "ACCEPT"},
        ),
        (
            "-p icmp -m icmp --icmp-type echo-request -j ACCEPT",
            {"protocol": "1", "icmp": {"icmp-type": ["8"]}, "target": "ACCEPT"},
        ),
        (
            "-m conntrack ! --ctstate RELATED,ESTABLISHED -j DROP",
            {"conntrack": {"ctstate": ["!", "ESTABLISHED,RELATED"]}, "target": "DROP"},
        ),
        ("-m state --state NEW -j DROP", {"state": {"state": ["NEW"]}, "target": "DROP"}),
        ("-m mark --mark 1/0xff -j DROP", {"mark": {"mark": ["0x1/0xff"]}, "target": "DROP"}),
        (
            "-m addrtype ! --src-type LOCAL --dst-type UNICAST -j DROP",
            {"addrtype": {"src-type": ["!", "LOCAL"], "dst-type": ["UNICAST"]}, "target": "DROP"},
        ),
        (
            r'-m comment --comment "-j \"x\" \\ ; $(y)" -j DROP',
            {"comment": {"comment": ['-j "x" \\ ; $(y)']}, "target": "DROP"},
        ),
        ("-j REJECT", {"target": {"REJECT": {"reject-with": ["icmp-port-unreachable"]}}}),
        (
            "-p tcp -j REJECT --reject-with tcp-reset",
            {"protocol": "6", "target": {"REJECT": {"reject-with": ["tcp-reset"]}}},
        ),
        ("-j MASQUERADE", {"target": "MASQUERADE"}),
        ("-j MASQUERADE --random-fully", {"target": {"MASQUERADE": {"random-fully": []}}}),
        (
            "-p tcp -j DNAT --to-destination 172.17.0.2:80",
            {"protocol": "6", "target": {"DNAT": {"to-destination": ["172.17.0.2:80"]}}},
        ),
        ("-p tcp -j DNAT --to-destination :80", {"protocol": "6", "target": {"DNAT": {"to-destination": [":80"]}}}),
        (
            "-j SNAT --to-source 192.0.2.1-192.0.2.9 --persistent",
            {"target": {"SNAT": {"to-source": ["192.0.2.1-192.0.2.9"], "persistent": []}}},
        ),
        ("-p udp -j REDIRECT --to-ports 5353", {"protocol": "17", "target": {"REDIRECT": {"to-ports": ["5353"]}}}),
        ("-j MARK --set-mark 0x10/0x30", {"target": {"MARK": {"set-xmark": ["0x10/0x30"]}}}),
    ],
)
def test_what_python_iptables_writes_exactly_is_mapped(text: str, rule: EasyRule) -> None:
    assert easy_rule(text, "ip") == rule


def test_matches_keep_their_order() -> None:
    rule = easy_rule("-m comment --comment x -p tcp -m tcp --dport 1 -m mark --mark 1 -j X", "ip")

    assert rule is not None
    assert list(rule) == ["protocol", "comment", "tcp", "mark", "target"]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("-s fd00::1 -p tcp -j DROP", {"src": "fd00::1/128", "protocol": "6", "target": "DROP"}),
        ("-p ipv6-icmp -j DROP", {"protocol": "58", "target": "DROP"}),
        ("-j REJECT", {"target": {"REJECT": {"reject-with": ["icmp6-port-unreachable"]}}}),
        ("-j DNAT --to-destination [fd00::2]:80", {"target": {"DNAT": {"to-destination": ["[fd00::2]:80"]}}}),
        ("-j DNAT --to-destination fd00::2", {"target": {"DNAT": {"to-destination": ["fd00::2"]}}}),
    ],
)
def test_of_ipv6_the_same(text: str, rule: EasyRule) -> None:
    assert easy_rule(text, "ip6") == rule


@pytest.mark.parametrize(
    ("text", "family"),
    [
        # python-iptables writes these wrong, however right they are printed.
        ("-i eth0 -j DROP", "ip6"),
        ("! -o eth0 -j DROP", "ip6"),
        ("! -p tcp -j DROP", "ip6"),
        ("-i br-+ -j DROP", "ip"),
        ('-m comment --comment "it\'s" -j DROP', "ip"),
        ('-m comment --comment "--ctstate NEW" -j DROP', "ip"),
        ('-m comment --comment "!" -j DROP', "ip"),
        ('-m comment --comment "" -j DROP', "ip"),
        ('-m comment --comment "caf\u00e9" -j DROP', "ip"),
        ('-m comment --comment "a\nb" -j DROP', "ip"),
        (f"-m comment --comment {'x' * 256} -j DROP", "ip"),
        # Not mapped, or not a rule.
        ("", "ip"),
        ("-s 10.0.0.1", "ip"),
        ("-f -j DROP", "ip"),
        ("-s fd00::1 -j DROP", "ip"),
        ("-s 10.0.0.1 -j DROP", "ip6"),
        ("-s example.com -j DROP", "ip"),
        ("-s 10.0.0.1,10.0.0.2 -j DROP", "ip"),
        ("-s 10.0.0.0/255.0.255.0 -j DROP", "ip"),
        ("! -s 0.0.0.0/0 -j DROP", "ip"),
        ("-s 10.0.0.1 -s 10.0.0.2 -j DROP", "ip"),
        ("-i abcdefghijklmnop -j DROP", "ip"),
        ('-i "lo" -j DROP', "ip"),
        ("-i !lo -j DROP", "ip"),
        ("-p nonsense -j DROP", "ip"),
        ("! -p all -j DROP", "ip"),
        ("--dport 80 -j DROP", "ip"),
        ("! -p tcp --dport 80 -j DROP", "ip"),
        ("-p tcp -m udp --syn -j DROP", "ip"),
        ("-p tcp --syn -j DROP", "ip"),
        ("-p tcp --dport http -j DROP", "ip"),
        ("-p tcp --dport -j DROP", "ip"),
        ("-p tcp --dport 70000 -j DROP", "ip"),
        ("-p icmp -m icmp --icmp-type any -j DROP", "ip"),
        ("-m limit --limit 5/sec -j DROP", "ip"),
        ("-m mark -j DROP", "ip"),
        ("-m mark --mark 1 -m mark --mark 2 -j DROP", "ip"),
        ("-m conntrack --ctstate NEW --ctproto 6 -j DROP", "ip"),
        ("-m conntrack --ctstate NEW --ctstate NEW -j DROP", "ip"),
        ("-m conntrack --ctstate OLD -j DROP", "ip"),
        ("-m addrtype --dst-type LOCAL --limit-iface-in -j DROP", "ip"),
        ("-m set --match-set a src -j DROP", "ip"),
        ("-j LOG", "ip"),
        ("-j QUEUE", "ip"),
        ('-j LOG --log-prefix "x"', "ip"),
        ("-j CT --notrack", "ip"),
        ("-j CONNMARK --set-xmark 0x1/0xffffffff", "ip"),
        ("-j SNAT --to-source 192.0.2.1 --to-source 192.0.2.2", "ip"),
        ("-j REJECT --reject-with tcp-reset --more", "ip"),
        ("-j DROP -s 10.0.0.1", "ip"),
        ("! -j DROP", "ip"),
        ("-j DROP -j DROP", "ip"),
        ("-g DOCKER --more", "ip"),
        ("-j", "ip"),
        ("-m", "ip"),
        ("!", "ip"),
        ('-m comment --comment "open -j DROP', "ip"),
    ],
)
def test_anything_else_is_left_to_iptables(text: str, family: str) -> None:
    assert easy_rule(text, family) is None


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("-s 10.0.0.1 -p tcp --dport 80 -j REJECT", "-p tcp -s 10.0.0.1/32 -m tcp --dport 80 -j REJECT", True),
        ("-m mark --mark 1 -j DROP", "-m mark --mark 0x1 -j DROP", True),
        ("-p tcp -j DROP", "-p tcp -m tcp -j DROP", False),
        ("-s 10.0.0.1 -j DROP", "! -s 10.0.0.1 -j DROP", False),
        ("-j DROP", "-j ACCEPT", False),
        ("-j X", "-g X", False),
        (
            "-m mark --mark 1 -m comment --comment x -j DROP",
            "-m comment --comment x -m mark --mark 1 -j DROP",
            False,
        ),
        ("-m limit --limit 1/s -j DROP", "-m limit --limit 1/s -j DROP", False),
    ],
)
def test_texts_mean_the_same_when_their_dictionaries_are(one: str, other: str, same: bool) -> None:
    assert same_meaning(one, other, "ip") is same
