"""Which kernel parameters are worth a line: those that decide much, and those that somebody set otherwise.  Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

_ALWAYS = frozenset({"net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"})
"""What decides for everything: shown whatever it is."""

_DEFAULTS = {
    "accept_ra": "1",
    "accept_redirects": "1",
    "bridge-nf-call-arptables": "1",
    "bridge-nf-call-ip6tables": "1",
    "bridge-nf-call-iptables": "1",
    "gc_thresh3": "1024",
    "hop_limit": "64",
    "ip_default_ttl": "64",
    "ip_local_port_range": "32768 60999",
    "ip_unprivileged_port_start": "1024",
    "ping_group_range": "1 0",
    "send_redirects": "1",
}
"""With what a kernel begins (Documentation/networking/ip-sysctl.rst); all that isn't here begins with 0."""

_FOLLOWS = frozenset({"mtu", "nf_conntrack_count", "nf_conntrack_max"})
"""Numbers that follow the device, the traffic or the memory: they have no default."""

_SHARED = "net.ipv4.ip_forward"
"""What sets every IPv4 ``forwarding`` at once: those that follow it say nothing of their own."""


def departing(values: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield what differs from the kernel's defaults, and what decides for everything, sorted by name."""
    forwarding = values.get(_SHARED, "0")
    for key, value in sorted(values.items()):
        name = key.rpartition(".")[2]
        text = " ".join(value.split())
        if key in _ALWAYS:
            yield key, text
        elif name not in _FOLLOWS:
            ipv4_forwarding = name == "forwarding" and key.startswith("net.ipv4.")
            usual = forwarding if ipv4_forwarding else _DEFAULTS.get(name, "0")
            if text != usual:
                yield key, text
