"""Who answers when a neighbour is asked for: proxy ARP and NDP, and the settings of ARP."""

from __future__ import annotations

from lab.differential.features.draft import Draft, address
from lab.differential.spec import HOST, OUTSIDE, OUTSIDE_SERVER, UPLINK, UPLINK_ADDRESS, Extra

_CALICO = "10.65.0."


def proxy_arp(draft: Draft) -> None:
    """Pods as Calico wires them: no bridge, a gateway that nobody has, and a host that answers for it."""
    answering = draft.pick((1, 1, 1, 1, 0))
    for number in (2, 3):
        pod, link, own = f"pod{number}", f"cali{number}", f"{_CALICO}{number}"
        route = draft.pick((f"{own}/32 dev {link} scope link", f"{own}/32 dev {link} scope link", ""))
        draft.place(
            Extra(
                name=pod,
                links=(
                    f"link add {link} address ee:ee:ee:ee:ee:ee type veth peer name eth0 netns {pod}",
                    f"link set {link} up",
                    *((f"route add {route}",) if route else ()),
                ),
                inner=(
                    f"address add {own}/32 dev eth0",
                    "link set eth0 up",
                    "route add 169.254.1.1 dev eth0 scope link",
                    "route add default via 169.254.1.1 dev eth0",
                ),
                tcp=(80,),
                udp=(53,),
            )
        )
        draft.sysctl(HOST, f"ipv4.conf.{link}.forwarding", 1)
        draft.sysctl(HOST, f"ipv4.conf.{link}.proxy_arp", answering)
        draft.sysctl(HOST, f"ipv4.neigh.{link}.proxy_delay", 0)
        draft.step(OUTSIDE, f"ip route add {own}/32 via {UPLINK_ADDRESS}")
        if draft.chance(0.2):
            draft.sysctl(HOST, f"ipv4.conf.{link}.rp_filter", draft.pick((1, 2)))
        if draft.chance(0.1):
            draft.sysctl(HOST, f"ipv4.conf.{link}.forwarding", 0)
        if draft.chance(0.15):
            draft.step(pod, "ip neigh add 169.254.1.1 lladdr ee:ee:ee:ee:ee:ee dev eth0 nud permanent")
    for dst in (UPLINK_ADDRESS, OUTSIDE_SERVER, address(draft.box()), f"{_CALICO}3", "192.0.2.9", "169.254.1.1"):
        draft.probe("pod2", dst, draft.pick(("tcp", "udp", "icmp")), 80)
    draft.probes(HOST, f"{_CALICO}2")
    draft.probes(draft.box().name, f"{_CALICO}2")
    draft.probes(OUTSIDE, f"{_CALICO}3")


def proxy_arp_bridge(draft: Draft) -> None:
    """A bridge, or the uplink, on which the host answers for addresses that are elsewhere."""
    bridge = draft.bridge()
    other = draft.bridge()
    device = draft.pick((bridge.name, bridge.name, UPLINK))
    draft.sysctl(HOST, f"ipv4.conf.{device}.{draft.pick(('proxy_arp', 'proxy_arp', 'proxy_arp_pvlan'))}", 1)
    # Hundredths of a second: where it waits, another who has the address answers before it.
    draft.sysctl(HOST, f"ipv4.neigh.{device}.proxy_delay", draft.pick((0, 0, 0, 0, 5)))
    absent = address(bridge).rpartition(".")[0] + ".200" if device != UPLINK else "203.0.113.99"
    if draft.chance(0.7):
        target = draft.pick((other.name, UPLINK, device))
        draft.step(HOST, f"ip route add {absent}/32 dev {target}")
    if draft.chance(0.3):
        draft.step(HOST, f"ip neigh add proxy {absent} dev {device}")
    asking = [box for box in draft.spec.boxes if box.legs[0].bridge == device] or [draft.box()]
    for box in asking[:3]:
        draft.probes(box.name, absent)
        if draft.chance(0.4):  # an address elsewhere that is taken for near
            far = address(draft.box())
            draft.step(box.name, f"ip route add {far}/32 dev eth0")
            draft.probes(box.name, far)
    draft.probes(OUTSIDE, absent)


def proxy_ndp(draft: Draft) -> None:
    """IPv6: single addresses that the host answers for on its uplink."""
    if not draft.spec.has_ipv6:
        return
    box = draft.box()
    own = box.legs[0].address6.partition("/")[0]
    draft.sysctl(HOST, f"ipv6.conf.{UPLINK}.proxy_ndp", draft.pick((1, 1, 0)))
    if draft.chance(0.8):
        draft.step(HOST, f"ip -6 neigh add proxy {own} dev {UPLINK}")
    draft.sysctl(HOST, f"ipv6.neigh.{UPLINK}.proxy_delay", 0)
    draft.step(OUTSIDE, f"ip -6 route add {own}/128 dev eth0")
    for proto, port in (("tcp", 80), ("udp", 53), ("icmp", 0)):
        draft.probe(OUTSIDE, own, proto, port, src="2001:db8:113::1")  # type: ignore[arg-type]


def arp_settings(draft: Draft) -> None:
    """arp_ignore, arp_filter and arp_announce, where nobody is known yet."""
    bridge = draft.bridge()
    members = [box for box in draft.spec.boxes if box.legs[0].bridge == bridge.name]
    place = draft.pick((HOST, HOST, *(box.name for box in members)))
    device = draft.pick((bridge.name, "all")) if place == HOST else draft.pick(("eth0", "all"))
    key = draft.pick(("arp_ignore", "arp_ignore", "arp_filter", "arp_announce"))
    value = {"arp_ignore": (1, 2, 3, 8), "arp_filter": (1,), "arp_announce": (1, 2)}[key]
    draft.sysctl(place, f"ipv4.conf.{device}.{key}", draft.pick(value))
    if draft.chance(0.3):
        draft.sysctl(place, f"ipv4.conf.{device}.arp_ignore", draft.pick((1, 2)))
    if draft.chance(0.4):  # an address that is not of the subnet the others are in
        draft.step(place, f"ip address add 10.88.0.1/24 dev {bridge.name if place == HOST else 'eth0'}")
    for box in members:
        draft.step(box.name, "ip neigh flush all")
        if draft.chance(0.4):
            draft.step(box.name, "ip route add 10.88.0.1/32 dev eth0")
            draft.probes(box.name, "10.88.0.1")
    draft.step(HOST, f"ip neigh flush dev {bridge.name}")
    for box in members[:3]:
        draft.probes(box.name, address(bridge))
        draft.probes(HOST, address(box))
        draft.probe(HOST, address(box), "tcp", 80, src=UPLINK_ADDRESS)
        for other in draft.neighbours(box)[:1]:
            draft.probes(box.name, address(other))
        draft.probe(box.name, draft.pick((UPLINK_ADDRESS, address(draft.bridge()))), "icmp")
