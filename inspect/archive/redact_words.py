"""Finds names in text and replaces them, and tells names from the words that rules and messages are made of.  Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from dnet_tui.inspect.model.engine_kinds.registry import ENGINE_KINDS
from dnet_tui.inspect.model.protocols import PROTOCOLS

# What rules are written in (nft(8), iptables(8)), and what the model's own fields hold.
_WORDS = """
accept add address addrtype algo all and any arp arptables audit blackhole bm bpf bridge bridged broadcast burst bypass
bytes cgroup chain checksum classify cluster comment condition connbytes connection connlimit connmark connsecmark
conntrack constant container continue counter cpu ct daddr day dccp default delete devgroup dir dnat docker drop dscp
dst dstnat dup dynamic ecn egress element elements end eq error established ether exists expired expires export fib
filter firewall flags flow flush forever forward forwarding frag from fully fwd gateway geneve global gmtoff goto gre
handle hash hashlimit helper hex hmark host hour icmp icmpv6 icmpx id ifname iif iifgroup iifname iiftype imq in inet
inet6 ingress input insert interval invalid ip ip6 ip6tables iprange iptables ipsec ipset iptype ipv4 ipv4_addr ipv6
ipv6_addr jhash jump kmp length level limit link linux log lookup mac macvlan ipvlan main mangle map mark mask
masquerade master match meta minute missing mod mode monotonic mptcp multicast multiport nat neighbour netdev netflow
netlink netmap network new nflog nfproto nfqueue nfmask nft nftables nhop no nodst none nop notrack nth numgen ns
object of off offset oif oifgroup oifname oiftype on online or original osf other output over owner packet packets path
peer persistent pkts pkttype physdev podman policy port ports postrouting pre prefix prerouting prio priority process
prohibit protocol proto queue quick quota random range rate rateest raw realm reason recent redirect reject related
reply reset restore return rocker root route routing rpfilter rt rtclassid rule saddr save sctp second secmark security
seed send set sets size snat socket source space sport srcnat src srh state statistic status stop string symhash syn
synproxy sysctl table target tarpit tc tcp tcpmss tcpopt tee text then throw time timeout to tos total tproxy trace
transport ttl tun tunnel type u32 udp udplite unicast unknown unreachable untracked until update use user value veth
via vlan vmap vrf vtag vxlan week while wireguard with xor xt year zone
"""
_KNOWN = frozenset(_WORDS.split()) | frozenset(PROTOCOLS.values())
_DEVICE = re.compile(
    r"(?:lo|eth|ens|enp|eno|enx|em|wlan|wlp|wwan|docker|br|veth|tun|tap|wg|bond|team|virbr|vnet|podman|cni|ppp|sit|gre|"
    r"vxlan|geneve|dummy|ifb|macvlan|ipvlan|vlan|up|uplink|lxcbr|lxdbr|any|all|nic|net)\d*(?:[.:@]\d+)?"
)
_NO_DEVICE = re.compile(r"[\s/:]")
_PLAIN = re.compile(r"\w[\w.-]*")
_GAPS = re.compile(r"([._-]+)")
_MOST_PARTS = 12
"""A name isn't made of more parts than that between dots and dashes; longer runs are looked at part by part."""

USUAL_NETWORKS = frozenset(name for kind in ENGINE_KINDS for name in kind.default_networks)
USUAL_PROCESSES = frozenset({
    *(name for kind in ENGINE_KINDS for name in kind.programs),
    "dnsmasq", "rootlesskit", "rootlesskit-doc", "rootlessport", "slirp4netns", "pasta", "pasta.avx2", "systemd",
    "systemd-resolve", "sshd", "kubelet", "lxc-start",
})  # fmt: skip
"""Names that tell nothing: those that engines and distributions give."""


def is_common(name: str) -> bool:
    """Whether a name is also a word that rules, keys and messages use, so that it can't be told from that in text."""
    return len(name) < 2 or name.isdecimal() or name.lower() in _KNOWN or bool(_DEVICE.fullmatch(name))


class Names:
    """Original names and what stands in their place, numbered in the order they are introduced."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = frozenset(taken)
        self._given: dict[str, str] = {}
        self._in_text: dict[str, str] = {}
        self._odd: dict[str, str] = {}
        self._longest_first: list[str] | None = None
        self._devices: list[str] = []
        self._counts: dict[str, int] = {}

    def give(self, name: str, kind: str) -> str:
        """The replacement of a name: ``container-1`` and so on; one name has one, whatever it names."""
        if not name:
            return name
        if name not in self._given:
            new = ""
            while not new or new in self._taken:
                self._counts[kind] = self._counts.get(kind, 0) + 1
                new = f"{kind}-{self._counts[kind]}"
            self.keep(name, new)
        return self._given[name]

    def keep(self, name: str, new: str) -> None:
        """Set the replacement of a name."""
        self._given[name] = new
        if _PLAIN.fullmatch(name):
            if not is_common(name):
                self._in_text[name] = new
        elif len(name) > 1:
            self._odd[name] = new
            self._longest_first = None

    def known(self, name: str) -> str | None:
        """The replacement of a name that was introduced; None of another."""
        return self._given.get(name)

    def in_links(self) -> list[str]:
        """The names that a link may be called after, the longest first."""
        return sorted((name for name in self._in_text if len(name) > 2), key=len, reverse=True)

    def in_run(self, run: str) -> str:
        """A run of word characters, dots and dashes with the names in it replaced, longest first."""
        whole = self._in_text.get(run)
        if whole is not None or not self._in_text:
            return run if whole is None else whole
        parts = _GAPS.split(run)
        out: list[str] = []
        at = 0
        while at < len(parts):
            for end in range(min(len(parts), at + 2 * _MOST_PARTS), at, -1):
                new = self._in_text.get("".join(parts[at:end]))
                if new is not None:
                    out.append(new)
                    at = end
                    break
            else:
                out.append(parts[at])
                at += 1
        return "".join(out)

    def in_odd(self, text: str, *, devices_only: bool = False) -> str:
        """Text with the names replaced that have other characters in them (images, names with spaces).

        With ``devices_only`` those that an interface can have, as in rules.
        """
        if self._longest_first is None:
            self._longest_first = sorted(self._odd, key=len, reverse=True)
            self._devices = [name for name in self._longest_first if not _NO_DEVICE.search(name)]
        for name in self._devices if devices_only else self._longest_first:
            if name in text:
                text = text.replace(name, self._odd[name])
        return text
