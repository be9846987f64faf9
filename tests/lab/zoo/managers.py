"""Hosts on which a manager keeps a bridge that nobody declared from the outside: its decision, and no fault.  Data.

Written in the shape that the programs give their rules, with a guest on a
bridge of its own beside the healthy demo host: what the guest may not do is
somebody's wish, and what the demo's networks promise still passes.
"""

from __future__ import annotations

from lab.zoo import constructed
from lab.zoo.animal import Animal, filter_table, in_table

GUEST = (
    "ip link add br-lan type bridge",
    "ip addr add 192.168.77.1/24 dev br-lan",
    "ip link set br-lan up",
    "ip netns add guest",
    "ip link add vguest type veth peer name eth0 netns guest",
    "ip link set vguest master br-lan",
    "ip link set vguest up",
    "ip -n guest addr add 192.168.77.2/24 dev eth0",
    "ip -n guest link set eth0 up",
    "ip -n guest route add default via 192.168.77.1",
)
"""A bridge with one guest, whose way out it is."""

_TWO = (
    *GUEST,
    "ip netns add other",
    "ip link add vother type veth peer name eth0 netns other",
    "ip link set vother master br-lan",
    "ip link set vother up",
    "ip -n other addr add 192.168.77.3/24 dev eth0",
    "ip -n other link set eth0 up",
    "ip -n other route add default via 192.168.77.1",
    "sysctl -qw net.bridge.bridge-nf-call-iptables=1",
)

_BRIDGES = (constructed.FRONT, constructed.BACK, constructed.VAULT)

_FW3 = filter_table(
    ":FORWARD DROP [0:0]",
    ":forwarding_rule - [0:0]",
    ":zone_lan_forward - [0:0]",
    ":zone_wan_forward - [0:0]",
    ":zone_lan_dest_ACCEPT - [0:0]",
    '-A FORWARD -m comment --comment "!fw3: Custom forwarding rule chain" -j forwarding_rule',
    '-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -m comment --comment "!fw3" -j ACCEPT',
    '-A FORWARD -i br-lan -m comment --comment "!fw3" -j zone_lan_forward',
    '-A zone_lan_forward -m comment --comment "!fw3" -j zone_lan_dest_ACCEPT',
    '-A zone_lan_dest_ACCEPT -o br-lan -m comment --comment "!fw3" -j ACCEPT',
)

_FW3_REJECTS = filter_table(
    ":FORWARD DROP [0:0]",
    ":forwarding_rule - [0:0]",
    ":zone_lan_forward - [0:0]",
    ":zone_wan_forward - [0:0]",
    ":reject - [0:0]",
    '-A FORWARD -m comment --comment "!fw3: Custom forwarding rule chain" -j forwarding_rule',
    '-A FORWARD -i br-lan -m comment --comment "!fw3" -j zone_lan_forward',
    '-A FORWARD -i br-lan -m comment --comment "!fw3" -j reject',
    '-A reject -p tcp -m comment --comment "!fw3" -j REJECT --reject-with tcp-reset',
    '-A reject -m comment --comment "!fw3" -j REJECT --reject-with icmp-port-unreachable',
)

_FW4 = """table inet fw4 {
 chain forward {
  type filter hook forward priority filter; policy drop;
  ct state { established, related } accept comment "!fw4: Handle forwarded flows"
  iifname { "br-front", "br-back", "br-vault", "eth0" } accept
  iifname "br-lan" jump forward_guest comment "!fw4: Handle guest IPv4/IPv6 forward traffic"
 }
 chain forward_guest { oifname "br-lan" accept; jump handle_reject; }
 chain handle_reject {
  meta l4proto tcp reject with tcp reset comment "!fw4: Reject TCP traffic"
  reject with icmpx type port-unreachable comment "!fw4: Reject any other traffic"
 }
}
"""

_FW4_POLICY = """table inet fw4 {
 chain forward {
  type filter hook forward priority filter; policy drop;
  ct state { established, related } accept comment "!fw4: Handle forwarded flows"
  iifname { "br-front", "br-back", "br-vault", "eth0" } accept
 }
}
"""

_UFW = filter_table(
    ":INPUT DROP [0:0]",
    ":FORWARD DROP [0:0]",
    ":ufw-before-input - [0:0]",
    ":ufw-before-forward - [0:0]",
    ":ufw-user-forward - [0:0]",
    "-A INPUT -j ufw-before-input",
    "-A ufw-before-input -i lo -j ACCEPT",
    "-A ufw-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
    "-A FORWARD -j ufw-before-forward",
    "-A ufw-before-forward -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
    "-A ufw-before-forward -j ufw-user-forward",
    "-A ufw-user-forward -d 192.168.77.5/32 -p tcp -m tcp --dport 80 -j ACCEPT",
)

_CSF = filter_table(
    ":INPUT DROP [0:0]",
    ":FORWARD DROP [0:0]",
    ":LOCALINPUT - [0:0]",
    ":DENYIN - [0:0]",
    ":LOGDROPIN - [0:0]",
    "-A INPUT -i lo -j ACCEPT",
    "-A INPUT -j LOCALINPUT",
    "-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
    "-A LOCALINPUT -j DENYIN",
    "-A FORWARD -j LOCALINPUT",
)

_SHOREWALL = filter_table(
    ":FORWARD DROP [0:0]",
    ":shorewall - [0:0]",
    ":dynamic - [0:0]",
    ":lan_frwd - [0:0]",
    ":lan2net - [0:0]",
    "-A FORWARD -i br-lan -j lan_frwd",
    "-A lan_frwd -o eth0 -j lan2net",
    "-A lan2net -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
    "-A lan2net -p tcp -m tcp --dport 8443 -j ACCEPT",
)

_FIREWALLD = filter_table(
    ":FORWARD_direct - [0:0]",
    ":FORWARD_IN_ZONES - [0:0]",
    ":FWDI_public - [0:0]",
    "-A FORWARD -j FORWARD_direct",
    "-A FORWARD -j FORWARD_IN_ZONES",
    "-A FORWARD -m conntrack --ctstate INVALID -j DROP",
    "-A FORWARD -j REJECT --reject-with icmp-host-prohibited",
    "-A FORWARD_IN_ZONES -i eth0 -g FWDI_public",
)

_MESH = tuple(
    f"ip netns exec api nft {words}"
    for words in (
        "add table inet istio-ambient-nat",
        "add chain inet istio-ambient-nat output '{ type nat hook output priority -100 ; }'",
        "add chain inet istio-ambient-nat istio-output",
        "add rule inet istio-ambient-nat output jump istio-output",
        "add rule inet istio-ambient-nat istio-output ip daddr != 127.0.0.1 meta l4proto tcp redirect to :15001",
    )
)

_INTERNAL = """table ip docker-bridges {
 chain filter-FORWARD { type filter hook forward priority filter; policy accept; jump filter-forward-out__br-lan; }
 chain filter-forward-out__br-lan {
  iifname "br-lan" oifname != "br-lan" counter drop comment "INTERNAL NETWORK EGRESS"
 }
}
"""

_LIBVIRT_OUT = filter_table(
    ":LIBVIRT_FWO - [0:0]",
    "-I FORWARD 1 -j LIBVIRT_FWO",
    "-A LIBVIRT_FWO -i br-lan -j REJECT --reject-with icmp-port-unreachable",
)

_ROUTER = filter_table(
    ":KUBE-ROUTER-FORWARD - [0:0]",
    ":KUBE-POD-FW-X - [0:0]",
    "-I FORWARD 1 -j KUBE-ROUTER-FORWARD",
    "-A KUBE-ROUTER-FORWARD -s 192.168.77.2/32 -j KUBE-POD-FW-X",
    "-A KUBE-POD-FW-X -m mark ! --mark 0x10000/0x10000 -j REJECT --reject-with icmp-port-unreachable",
)

MANAGED: tuple[Animal, ...] = (
    Animal(
        id="openwrt 21 whose forward policy keeps the lan in",
        commands=GUEST,
        restore=_FW3,
        owners=frozenset({"OpenWrt's firewall"}),
    ),
    Animal(
        id="openwrt 21 that rejects what the lan sends elsewhere",
        commands=_TWO,
        restore=_FW3_REJECTS,
        owners=frozenset({"OpenWrt's firewall"}),
    ),
    Animal(
        id="openwrt's nftables with a guest zone that gets nowhere",
        commands=GUEST,
        nft=_FW4,
        owners=frozenset({"OpenWrt's firewall"}),
    ),
    Animal(
        id="openwrt's nftables whose policy keeps a bridge in",
        commands=GUEST,
        nft=_FW4_POLICY,
        owners=frozenset({"OpenWrt's firewall"}),
    ),
    Animal(id="ufw's policy keeps a bridge in", commands=GUEST, restore=_UFW, owners=frozenset({"ufw"})),
    Animal(id="ufw's policy keeps guests apart", commands=_TWO, restore=_UFW, owners=frozenset({"ufw"})),
    Animal(id="csf's policy keeps a bridge in", commands=GUEST, restore=_CSF, owners=frozenset({"csf"})),
    Animal(
        id="shorewall's policy keeps a zone in", commands=GUEST, restore=_SHOREWALL, owners=frozenset({"Shorewall"})
    ),
    Animal(
        id="firewalld in iptables ends forward with its reject, and a bridge is in no zone",
        commands=GUEST,
        restore=_FIREWALLD,
        owners=frozenset({"firewalld"}),
    ),
    Animal(id="an own bridge that docker's forward policy keeps in", commands=GUEST, owners=frozenset({"docker"})),
    Animal(
        id="docker 29's rules for an internal network, and no engine to ask",
        commands=GUEST,
        nft=_INTERNAL,
        owners=frozenset({"docker"}),
    ),
    Animal(id="an ambient mesh in a container's own namespace", commands=_MESH, owners=frozenset({"Istio"})),
    Animal(
        id="libvirt's reject of what an isolated network sends",
        commands=GUEST,
        restore=_LIBVIRT_OUT,
        owners=frozenset({"libvirt"}),
    ),
    Animal(
        id="a pod that kube-router's policies let out nowhere",
        commands=GUEST,
        restore=_ROUTER,
        owners=frozenset({"kube-router"}),
    ),
    Animal(
        id="the administrator's own table that lets one bridge nowhere",
        commands=GUEST,
        nft="""table inet site {
 chain fwd1 {
  type filter hook forward priority 10; policy accept;
  iifname "br-lan" drop comment "no way out for guests"
 }
}
""",
        owners=frozenset({"administrator"}),
    ),
    Animal(
        id="the administrator's table whose policy lets only known bridges through",
        commands=GUEST,
        nft="""table inet site {
 chain fwd1 { type filter hook forward priority 10; policy drop;
  ct state established,related accept; iifname { "br-front", "br-back", "eth0" } accept; }
}
""",
        owners=frozenset({"administrator"}),
    ),
    Animal(
        id="the administrator's reject at the end of forward, and a bridge that nobody accepts",
        commands=GUEST,
        restore=filter_table("-A FORWARD -j REJECT --reject-with icmp-host-prohibited"),
        owners=frozenset({"administrator"}),
    ),
    Animal(
        id="an own bridge exempt from tracking",
        commands=(
            *GUEST,
            "iptables-nft -I FORWARD 1 -i br-lan -j ACCEPT",
            "iptables-nft -I FORWARD 1 -o br-lan -j ACCEPT",
        ),
        restore=in_table("raw", "-A PREROUTING -i br-lan -j CT --notrack"),
    ),
)
"""What managers and administrators decide over bridges that no engine declared."""
