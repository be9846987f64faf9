"""Links that aren't a veth on a bridge, uplinks without carrier, and a second uplink."""

from __future__ import annotations

from lab.differential.features.draft import Draft, address
from lab.differential.spec import HOST, OUTSIDE, OUTSIDE_ADDRESS, OUTSIDE_SERVER, UPLINK, UPLINK_ADDRESS, Extra

_SECOND, _SECOND_ADDRESS, _SECOND_FAR = "eth1", "192.0.2.2", "192.0.2.1"
_FAR_SERVER = "198.51.100.20"


def second_uplink(draft: Draft) -> None:
    """A second way out, chosen by policy routing for what comes from a network, or carries a mark."""
    _second(draft)
    bridge = draft.bridge()
    subnet = bridge.address.replace(".1/", ".0/")
    table = [f"default via {_SECOND_FAR} dev {_SECOND}"]
    if draft.chance(0.5):
        table.append(f"{subnet} dev {bridge.name}")
    for route in table:
        draft.step(HOST, f"ip route add {route} table 200")
    selector = draft.pick(
        (f"from {subnet}", f"from {_SECOND_ADDRESS}", "fwmark 0x7", f"iif {bridge.name}", f"to {_FAR_SERVER}")
    )
    draft.step(HOST, f"ip rule add {selector} pref {draft.pick((100, 900))} lookup 200")
    if selector.startswith("fwmark"):
        draft.rule("mangle", "PREROUTING", f"-i {bridge.name} -j MARK --set-xmark 0x7/0xffffffff", first=True)
    if draft.chance(0.6):
        draft.rule("nat", "POSTROUTING", f"-o {_SECOND} -j MASQUERADE", first=True)
    if draft.chance(0.3):
        draft.sysctl(HOST, f"ipv4.conf.{draft.pick((UPLINK, _SECOND, bridge.name))}.rp_filter", draft.pick((1, 2)))
    _probes(draft)


def _second(draft: Draft) -> None:
    draft.place(
        Extra(
            name="far",
            links=(
                f"link add {_SECOND} type veth peer name eth0 netns far",
                f"address add {_SECOND_ADDRESS}/24 dev {_SECOND}",
                f"link set {_SECOND} up",
            ),
            inner=(
                f"address add {_SECOND_FAR}/24 dev eth0",
                f"address add {_FAR_SERVER}/32 dev lo",
                f"address add {OUTSIDE_SERVER}/32 dev lo",
                "link set eth0 up",
                f"route add 10.0.0.0/8 via {_SECOND_ADDRESS}",
                f"route add {UPLINK_ADDRESS}/32 via {_SECOND_ADDRESS}",
            ),
            tcp=(80,),
            udp=(53,),
        )
    )
    draft.sysctl(HOST, f"ipv4.conf.{_SECOND}.forwarding", 1)


def _probes(draft: Draft) -> None:
    for box in [draft.box() for _ in range(3)]:
        draft.probes(box.name, draft.pick((OUTSIDE_SERVER, _FAR_SERVER, _SECOND_FAR)), real=True)
        draft.probe("far", address(box), "tcp", 80)
    draft.probes(HOST, _FAR_SERVER)
    draft.probe("far", UPLINK_ADDRESS, "tcp", 80)
    draft.probe("far", _SECOND_ADDRESS, "icmp")
    draft.probe(HOST, OUTSIDE_SERVER, "tcp", 80, src=_SECOND_ADDRESS)


def linkdown(draft: Draft) -> None:
    """An uplink, or a container's link, without carrier; sometimes there is another way, and the switch to take it."""
    backup = draft.chance(0.5)
    if backup:
        _second(draft)
        draft.step(HOST, f"ip route add default via {_SECOND_FAR} dev {_SECOND} metric 100")
    box = draft.box()
    place = draft.pick((OUTSIDE, OUTSIDE, box.name))
    draft.step(place, "ip link set eth0 down")
    draft.step(HOST, "sleep 1.2")  # the kernel looks at most once a second (linkwatch)
    if draft.chance(0.5):
        device = draft.pick((UPLINK, "all", draft.bridge().name))
        draft.sysctl(HOST, f"ipv4.conf.{device}.ignore_routes_with_linkdown", 1)
    for one in (box, draft.box()):
        draft.probes(one.name, OUTSIDE_SERVER)
        draft.probe(one.name, OUTSIDE_ADDRESS, "icmp")
        draft.probe(HOST, address(one), "tcp", 80)
    draft.probes(HOST, OUTSIDE_SERVER)
    draft.probe(draft.box().name, UPLINK_ADDRESS, "icmp")


def macvlan(draft: Draft) -> None:
    """Containers with macvlans of all modes above the uplink, or above a bridge."""
    bridge = draft.bridge()
    on_bridge = draft.chance(0.35)
    lower, near = (bridge.name, address(bridge).rpartition(".")[0]) if on_bridge else (UPLINK, "203.0.113")
    gateway = OUTSIDE_ADDRESS if not on_bridge else address(bridge)
    mode = draft.pick(("bridge", "bridge", "private", "vepa"))
    mode2 = draft.pick((mode, mode, "private", "bridge"))
    for number, kind in ((1, mode), (2, mode2)):
        name = f"mac{number}"
        draft.place(
            Extra(
                name=name,
                links=(
                    f"link add mv{number} link {lower} type macvlan mode {kind}",
                    f"link set mv{number} netns {name}",
                ),
                inner=(
                    f"link set mv{number} name eth0",
                    f"address add {near}.{130 + number}/24 dev eth0",
                    "link set eth0 up",
                    f"route add default via {gateway}",
                ),
                tcp=(80,),
                udp=(53,),
            )
        )
        if draft.chance(0.15):
            draft.step(name, "ip link set eth0 down")
            draft.step(name, "ip link set eth0 up" if draft.chance(0.5) else "ip link show eth0")
    if draft.chance(0.3):
        draft.place(
            Extra(
                name="macvhost",
                links=(f"link add mvh link {lower} type macvlan mode bridge", "link set mvh netns macvhost"),
                inner=(f"address add {near}.140/24 dev mvh", "link set mvh up"),
            )
        )
        draft.probe("macvhost", f"{near}.131", "icmp")
    own = address(bridge) if on_bridge else UPLINK_ADDRESS
    if draft.chance(0.2):  # nobody needs to be asked, and yet it doesn't arrive
        draft.step("mac1", f"ip neigh replace {own} lladdr {_MAC_OF_THE_HOST} dev eth0 nud permanent")
    members = [box for box in draft.spec.boxes if box.legs[0].bridge == bridge.name] if on_bridge else []
    for one, two in (("mac1", f"{near}.132"), ("mac2", f"{near}.131")):
        draft.probes(one, two)
        draft.probe(one, own, "icmp")
        draft.probe(one, OUTSIDE_ADDRESS, "tcp", 80)
        draft.probe(one, OUTSIDE_SERVER, "udp", 53)
        draft.probe(one, address(draft.pick(members) if members else draft.box()), "tcp", 80)
    for dst in (f"{near}.131", f"{near}.132"):
        draft.probe(OUTSIDE, dst, "tcp", 80)
        draft.probe(HOST, dst, "icmp")
        draft.probe((draft.pick(members) if members else draft.box()).name, dst, "tcp", 80)


_MAC_OF_THE_HOST = "02:00:5e:00:00:00"
"""The first bridge's; of the uplink it is a wrong one."""


def overlay(draft: Draft) -> None:
    """An overlay network as a swarm makes it: a bridge with a VXLAN in a namespace of its own, made by the host."""
    learning = draft.pick(("", " nolearning"))
    near = f"link add vxs type vxlan id 7 local {UPLINK_ADDRESS} remote {OUTSIDE_ADDRESS} dstport 4790{learning}"
    draft.place(
        Extra(
            name="sbx",
            links=(near, "link set vxs netns sbx"),
            inner=("link add br0 type bridge", "link set br0 up", "link set vxs master br0 up"),
        )
    )
    for number in (1, 2):
        draft.place(
            Extra(
                name=f"ov{number}",
                links=(
                    f"link add ovp{number} type veth peer name eth0 netns ov{number}",
                    f"link set ovp{number} netns sbx",
                ),
                inner=(f"address add 10.77.0.{number}/24 dev eth0", "link set eth0 up"),
                tcp=(80,),
                udp=(53,),
            )
        )
        draft.step("sbx", f"ip link set ovp{number} master br0 up")
    vni = draft.pick((7, 7, 7, 7, 8))
    draft.step(
        OUTSIDE, f"ip link add vxs type vxlan id {vni} local {OUTSIDE_ADDRESS} remote {UPLINK_ADDRESS} dstport 4790"
    )
    draft.step(OUTSIDE, "ip address add 10.77.0.9/24 dev vxs")
    draft.step(OUTSIDE, "ip link set vxs up")
    if draft.chance(0.25):
        chain = draft.pick(("INPUT", "OUTPUT"))
        draft.rule("filter", chain, "-p udp --dport 4790 -j DROP", first=True)
    if draft.chance(0.15):
        draft.step("sbx", f"bridge link set dev ovp1 isolated {draft.pick(('on', 'off'))}")
        draft.step("sbx", "bridge link set dev vxs isolated on")
    for origin, dst in (("ov1", "10.77.0.2"), ("ov2", "10.77.0.1"), ("ov1", "10.77.0.9"), ("ov2", "10.77.0.77")):
        draft.probes(origin, dst)
    draft.probe(OUTSIDE, "10.77.0.1", "tcp", 80, src="10.77.0.9")
    draft.probe(OUTSIDE, "10.77.0.2", "icmp", src="10.77.0.9")


def vxlan(draft: Draft) -> None:
    """A tunnel to the far end of the uplink, by a bridge or an address of its own, with and without entries."""
    remote = draft.pick((f"remote {OUTSIDE_ADDRESS}", ""))
    learning = draft.pick(("", " nolearning"))
    link = (
        f"link add vx0 address 02:00:5e:02:00:01 type vxlan id 5 local {UPLINK_ADDRESS} {remote} dstport 4789{learning}"
    )
    bridged = draft.chance(0.5)
    bridge = draft.bridge()
    draft.step(HOST, f"ip {link}")
    if bridged:
        draft.step(HOST, f"ip link set vx0 master {bridge.name} up")
        far = address(bridge).rpartition(".")[0] + ".77"
    else:
        draft.step(HOST, "ip address add 10.99.0.1/24 dev vx0")
        draft.step(HOST, "ip link set vx0 up")
        draft.step(HOST, "sysctl -q -w net.ipv4.conf.vx0.forwarding=1")
        far = "10.99.0.2"
    draft.step(
        OUTSIDE,
        f"ip link add vx0 address 02:00:5e:02:00:02 type vxlan id 5 local {OUTSIDE_ADDRESS} "
        f"remote {UPLINK_ADDRESS} dstport 4789",
    )
    draft.step(OUTSIDE, f"ip address add {far}/24 dev vx0" if bridged else "ip address add 10.99.0.2/24 dev vx0")
    draft.step(OUTSIDE, "ip link set vx0 up")
    if draft.chance(0.5):
        draft.step(HOST, f"bridge fdb append 02:00:5e:02:00:02 dev vx0 dst {OUTSIDE_ADDRESS}")
        if not bridged:
            draft.step(HOST, f"ip neigh replace {far} lladdr 02:00:5e:02:00:02 dev vx0 nud permanent")
    box = next((item for item in draft.spec.boxes if item.legs[0].bridge == bridge.name), draft.box())
    draft.probes(box.name, far)
    draft.probes(HOST, far, src="" if bridged else "10.99.0.1")


def multicast(draft: Draft) -> None:
    """Packets for a group.  For everybody, a socket must ask to be allowed to send."""
    box = draft.box()
    for origin, src in ((box.name, address(box)), (HOST, address(draft.home(box)))):
        for dst in ("239.1.2.3", "224.0.0.251", "224.0.0.1"):
            draft.probe(origin, dst, "udp", 53, src=src)
