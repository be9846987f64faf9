"""What else decides over a packet: redirects, xfrm policies, connections that are not tracked or in zones."""

from __future__ import annotations

from lab.differential.features.draft import Draft, address
from lab.differential.spec import HOST, OUTSIDE, OUTSIDE_ADDRESS6, OUTSIDE_SERVER, UPLINK, UPLINK_ADDRESS


def redirect(draft: Draft) -> None:
    """A REDIRECT to a port of the host, with or without an interface, where somebody listens or not."""
    port = draft.pick((9090, 9091))
    if draft.chance(0.7):
        draft.listens(port)
    which = draft.pick(("", "", f"-i {draft.bridge().name} ", f"-i {UPLINK} "))
    draft.rule("nat", "PREROUTING", f"{which}-p tcp -m tcp --dport 80 -j REDIRECT --to-ports {port}", first=True)
    if draft.chance(0.4):
        draft.rule("nat", "OUTPUT", f"-p tcp -m tcp --dport 80 -j REDIRECT --to-ports {port}", first=True)
    boxes = [draft.box() for _ in range(3)]
    for box in boxes:
        draft.probe(box.name, address(draft.box()), "tcp", 80)
        draft.probe(box.name, OUTSIDE_SERVER, "tcp", 80)
        draft.probe(box.name, OUTSIDE_SERVER, "tcp", 80, connects=True)
        draft.probe(box.name, OUTSIDE_SERVER, "tcp", 443, connects=True)
        draft.probe(OUTSIDE, address(box), "tcp", 80, connects=True)
    draft.probe(HOST, OUTSIDE_SERVER, "tcp", 80, connects=True)
    draft.probe(HOST, address(boxes[0]), "tcp", 80, connects=True)


def xfrm(draft: Draft) -> None:
    """Policies that block, that ask for encryption, or that let pass what others would not."""
    for _ in range(draft.random.randint(1, 3)):
        bridge = draft.bridge()
        near, far = bridge.address.replace(".1/", ".0/"), draft.pick(("0.0.0.0/0", "198.51.100.0/24", "10.0.0.0/8"))
        direction = draft.pick(("fwd", "fwd", "out", "in"))
        src, dst = draft.pick(((near, far), (far, near)))
        upper = draft.pick(("", "", " proto tcp", " proto udp dport 53", " proto icmp", " proto tcp dport 80"))
        device = draft.pick(("", "", "", f" dev {UPLINK}"))
        what = draft.pick(
            (
                "action block",
                "action block",
                "action allow priority 5",
                "tmpl src 192.0.2.1 dst 192.0.2.2 proto esp mode tunnel",
                "tmpl src 192.0.2.1 dst 192.0.2.2 proto esp mode tunnel level use",
                "tmpl proto esp mode transport",
            )
        )
        if direction == "out":  # the kernel takes no tunnel that may be left out there (xfrm_user.c, validate_tmpl)
            what = what.removesuffix(" level use")
            # What a raw socket sends with its own header has no protocol to a policy for what goes out (raw_sendmsg).
            upper = ""
        place = draft.pick((HOST, HOST, HOST, draft.box().name))
        draft.step(place, f"ip xfrm policy update dir {direction} src {src} dst {dst}{upper}{device} {what}")
    if draft.chance(0.2):
        device = draft.pick((draft.bridge().name, UPLINK, "all"))
        draft.sysctl(HOST, f"ipv4.conf.{device}.{draft.pick(('disable_policy', 'disable_xfrm'))}", 1)
    for box in [draft.box() for _ in range(3)]:
        draft.probes(box.name, OUTSIDE_SERVER)
        draft.probes(OUTSIDE, address(box))
        draft.probes(HOST, address(box))
        draft.probes(box.name, address(draft.home(box)))


def xfrm6(draft: Draft) -> None:
    """IPv6: policies of which the loopback and neighbour discovery aren't free, where nobody is known yet."""
    if not draft.spec.has_ipv6:
        return
    box = draft.box()
    own = box.legs[0].address6.partition("/")[0]
    for _ in range(draft.random.randint(1, 2)):
        direction = draft.pick(("in", "in", "out", "fwd"))
        # What a raw socket sends with its own header is no TCP or ICMPv6 to a policy for what goes out (rawv6_sendmsg).
        sent = () if direction == "out" else ("proto tcp", "proto ipv6-icmp", "proto ipv6-icmp type 128")
        upper = draft.pick(("", "proto ipv6-icmp type 135", "proto ipv6-icmp type 136", *sent))
        src, dst = draft.pick((("::/0", "::/0"), ("::/0", f"{own}/128"), (f"{own}/128", "::/0")))
        place = draft.pick((HOST, box.name, box.name))
        device = draft.pick(("", "", f" dev {draft.home(box).name}" if place == HOST else " dev eth0"))
        draft.step(place, f"ip xfrm policy update dir {direction} src {src} dst {dst} {upper}{device} action block")
    if draft.chance(0.5):
        place = draft.pick((HOST, box.name))
        version, switch = draft.pick((("ipv6", "disable_policy"), ("ipv4", "disable_policy"), ("ipv4", "disable_xfrm")))
        draft.sysctl(place, f"{version}.conf.{draft.pick(('all', 'eth0', 'lo'))}.{switch}", 1)
    for place in (HOST, box.name):
        if draft.chance(0.6):
            draft.step(place, "ip -6 neigh flush all")
    gateway = draft.home(box).address6.partition("/")[0]
    for origin, src, dst in (
        (box.name, own, gateway),
        (HOST, gateway, own),
        (box.name, own, OUTSIDE_ADDRESS6),
        (OUTSIDE, OUTSIDE_ADDRESS6, own),
        (box.name, own, own),
    ):
        draft.probe(origin, dst, draft.pick(("tcp", "udp", "icmp")), 80, src=src)


def untracked(draft: Draft) -> None:
    """Connections that conntrack doesn't see, or keeps in a zone of their own, beside NAT."""
    bridge = draft.bridge()
    box = next((item for item in draft.spec.boxes if item.legs[0].bridge == bridge.name), draft.box())
    draft.rule("nat", "POSTROUTING", f"-o {UPLINK} -j MASQUERADE", first=True)
    draft.rule(
        "nat", "PREROUTING", f"-p tcp -m tcp --dport 8888 -j DNAT --to-destination {address(box)}:80", first=True
    )
    what = draft.pick(("--notrack", "--notrack", "--zone 5", "--zone-orig 5", "--zone-reply 5", "--zone 5 --notrack"))
    if what.endswith("5 --notrack"):
        what = "--notrack"
    where = draft.pick(
        (f"-i {bridge.name} ", f"-i {UPLINK} ", f"-s {address(box)} ", "-p udp ", "-p tcp -m tcp --sport 80 ")
    )
    draft.rule("raw", "PREROUTING", f"{where}-j CT {what}", first=True)
    if draft.chance(0.5):
        other = draft.pick((f"-d {address(box)} ", f"-o {UPLINK} ", "-p tcp -m tcp --sport 80 "))
        draft.rule("raw", "OUTPUT", f"{other}-j CT {what}", first=True)
    if draft.chance(0.3):
        draft.rule("filter", "FORWARD", f"-m conntrack --ctstate {draft.pick(('INVALID', 'UNTRACKED', 'NEW'))} -j DROP")
    for origin in (box.name, draft.box().name):
        draft.probes(origin, OUTSIDE_SERVER, real=True)
        draft.probe(origin, UPLINK_ADDRESS, "tcp", 8888, connects=True)
    draft.probe(OUTSIDE, UPLINK_ADDRESS, "tcp", 8888)
    draft.probe(OUTSIDE, UPLINK_ADDRESS, "tcp", 8888, connects=True)
    draft.probes(OUTSIDE, address(box), real=True)
    draft.probes(HOST, address(box), real=True)
    draft.probe(HOST, UPLINK_ADDRESS, "tcp", 8888)
