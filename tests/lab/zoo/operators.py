"""Healthy hosts as their operators have them: policies, bans, tunnels, guests and pods beside containers.  Data.

Each is put onto a healthy demo host, like those of :mod:`lab.zoo.animals`.
``owners`` are those whom the report must name in its notes, where it has some.
"""

from __future__ import annotations

from dnet_tui.inspect.model.network_label import Intention, encode
from lab.zoo.animal import Animal, filter_table, in_table

_NO_ICC = encode(Intention(name="front", icc=False))

_CALICO = """*filter
:cali-FORWARD - [0:0]
:cali-from-wl-dispatch - [0:0]
:cali-to-wl-dispatch - [0:0]
:cali-fw-cali1 - [0:0]
:cali-tw-cali1 - [0:0]
-I FORWARD 1 -m comment --comment "cali:wUHhoiAYhphO9Mso" -j cali-FORWARD
-A cali-FORWARD -j MARK --set-xmark 0x0/0xe0000
-A cali-FORWARD -i cali+ -j cali-from-wl-dispatch
-A cali-FORWARD -o cali+ -j cali-to-wl-dispatch
-A cali-FORWARD -m mark --mark 0x10000/0x10000 -j ACCEPT
-A cali-from-wl-dispatch -i cali1 -g cali-fw-cali1
-A cali-from-wl-dispatch -m comment --comment "Unknown interface" -j DROP
-A cali-to-wl-dispatch -o cali1 -g cali-tw-cali1
-A cali-to-wl-dispatch -m comment --comment "Unknown interface" -j DROP
-A cali-fw-cali1 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A cali-fw-cali1 -m conntrack --ctstate INVALID -j DROP
-A cali-fw-cali1 -j MARK --set-xmark 0x10000/0x10000
-A cali-tw-cali1 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A cali-tw-cali1 -p tcp -m tcp --dport 8443 -j MARK --set-xmark 0x10000/0x10000
-A cali-tw-cali1 -m mark ! --mark 0x10000/0x10000 -m comment --comment "Drop if no policies passed packet" -j DROP
COMMIT
"""

_KUBE_NFT = """table ip kube-proxy {
 map service-ips { type ipv4_addr . inet_proto . inet_service : verdict
  elements = { 10.96.0.10 . udp . 53 : goto service-dns } }
 map no-endpoint-services { type ipv4_addr . inet_proto . inet_service : verdict
  elements = { 10.96.0.20 . tcp . 443 : goto reject-chain } }
 set cluster-ips { type ipv4_addr
  elements = { 10.96.0.10, 10.96.0.20 } }
 chain reject-chain { reject; }
 chain service-dns { numgen random mod 1 vmap { 0 : goto endpoint-dns }; }
 chain endpoint-dns { meta l4proto udp dnat to 203.0.113.30:53; }
 chain filter-forward { type filter hook forward priority -101; policy accept;
  ct state new ip daddr . meta l4proto . th dport vmap @no-endpoint-services; }
 chain filter-output { type filter hook output priority -101; policy accept;
  ct state new ip daddr . meta l4proto . th dport vmap @no-endpoint-services; }
 chain cluster-ips-check { ip daddr @cluster-ips reject comment "Reject traffic to invalid ports of ClusterIPs"; }
 chain filter-prerouting { type filter hook prerouting priority -110; policy accept; }
 chain services { ip daddr . meta l4proto . th dport vmap @service-ips; }
 chain nat-prerouting { type nat hook prerouting priority dstnat; policy accept; jump services; }
 chain nat-output { type nat hook output priority -100; policy accept; jump services; }
 chain masquerading { meta mark & 0x4000 == 0 return; meta mark set meta mark ^ 0x4000; masquerade fully-random; }
 chain nat-postrouting { type nat hook postrouting priority srcnat; policy accept; jump masquerading; }
}
"""

_CORPORATE = """table inet corp {
 set banned { type ipv4_addr; flags interval; auto-merge; elements = { 192.0.2.128/25, 198.51.100.192/26 } }
 set internal { type ipv4_addr; flags interval; elements = { 172.30.0.0/16 } }
 chain egress { tcp dport { 25, 135-139, 445 } counter drop; udp dport { 137-138, 161 } counter drop; return; }
 chain forward { type filter hook forward priority filter - 5; policy accept;
  ct state vmap { established : accept, related : accept }
  ip saddr @banned counter drop
  ip daddr @banned counter reject with icmp admin-prohibited
  ip saddr @internal oifname "eth0" jump egress
 }
}
"""

_POD = (
    "ip netns add pod1",
    "ip link add cali1 type veth peer name eth0 netns pod1",
    "ip link set cali1 up",
    "sysctl -qw net.ipv4.conf.cali1.proxy_arp=1",
    "ip route add 10.244.7.2/32 dev cali1 scope link",
    "ip netns exec pod1 ip link set lo up",
    "ip netns exec pod1 ip link set eth0 up",
    "ip netns exec pod1 ip addr add 10.244.7.2/32 dev eth0",
    "ip netns exec pod1 ip route add 169.254.1.1/32 dev eth0 scope link",
    "ip netns exec pod1 ip route add default via 169.254.1.1 dev eth0",
    "iptables-nft -t nat -A POSTROUTING -s 10.244.7.0/24 -o eth0 -j MASQUERADE",
)


def _bridge(name: str, address: str) -> tuple[str, ...]:
    return (f"ip link add {name} type bridge", f"ip addr add {address} dev {name}", f"ip link set {name} up")


def _guest(bridge: str, name: str, cidr: str, router: str) -> tuple[str, ...]:
    """A namespace that nobody's engine knows, on a bridge: an LXC container, or a pod of a CNI."""
    return (
        f"ip netns add {name}",
        f"ip link add v-{name} type veth peer name eth0 netns {name}",
        f"ip link set v-{name} master {bridge} up",
        f"ip netns exec {name} ip addr add {cidr} dev eth0",
        f"ip netns exec {name} ip link set lo up",
        f"ip netns exec {name} ip link set eth0 up",
        f"ip netns exec {name} ip route add default via {router}",
    )


def _accepts(bridge: str, subnet: str) -> tuple[str, ...]:
    return (
        f"iptables-nft -I FORWARD -i {bridge} -j ACCEPT",
        f"iptables-nft -I FORWARD -o {bridge} -j ACCEPT",
        f"iptables-nft -t nat -A POSTROUTING -s {subnet} ! -d {subnet} -j MASQUERADE",
    )


_SECOND_UPLINK = (
    "ip link add eth1 type veth peer name eth1 netns internet",
    "ip addr add 192.0.2.2/24 dev eth1",
    "ip link set eth1 up",
    "ip netns exec internet ip addr add 192.0.2.1/24 dev eth1",
    "ip netns exec internet ip link set eth1 up",
    "ip route add default via 192.0.2.1 dev eth1 table 200",
)

OPERATORS: tuple[Animal, ...] = (
    Animal(id="a corporate policy in nftables with sets", nft=_CORPORATE, owners={"administrator"}),
    Animal(
        id="an administrator's chain that keeps containers from mail and windows shares",
        restore=filter_table(
            ":ADMIN-FWD - [0:0]",
            "-I DOCKER-USER 1 -o eth0 -j ADMIN-FWD",
            "-A ADMIN-FWD -p tcp -m multiport --dports 25,135:139,445 -j REJECT --reject-with tcp-reset",
            "-A ADMIN-FWD -p udp -m multiport --dports 137,138 -j DROP",
            "-A ADMIN-FWD -j RETURN",
        ),
        owners={"administrator"},
    ),
    Animal(
        id="pairs of address and port that nobody may reach, in an ipset",
        commands=(
            "ipset create nope hash:ip,port",
            "ipset add nope 192.0.2.7,tcp:6667",
            "iptables-nft -I FORWARD -m set --match-set nope dst,dst -j DROP",
        ),
        owners={"administrator"},
    ),
    Animal(
        id="fail2ban in nftables",
        nft="""table inet f2b-table {
 set addr-set-sshd { type ipv4_addr; elements = { 198.51.100.200, 198.51.100.201 } }
 chain f2b-chain { type filter hook input priority filter - 1; policy accept;
  tcp dport 22 ip saddr @addr-set-sshd reject with icmp port-unreachable; }
}
""",
    ),
    Animal(
        id="fail2ban's bans in docker-user",
        restore=filter_table(
            ":f2b-nginx - [0:0]",
            "-I DOCKER-USER 1 -p tcp -m multiport --dports 80,443 -j f2b-nginx",
            "-A f2b-nginx -s 198.51.100.202/32 -j REJECT --reject-with icmp-port-unreachable",
            "-A f2b-nginx -j RETURN",
        ),
    ),
    Animal(
        id="crowdsec's iptables bouncer in input and docker-user",
        commands=(
            "ipset create crowdsec-blacklists hash:net timeout 300 maxelem 131072",
            "ipset add crowdsec-blacklists 198.51.100.203 timeout 14000",
            "iptables-nft -I INPUT -m set --match-set crowdsec-blacklists src -j DROP",
            "iptables-nft -I DOCKER-USER -m set --match-set crowdsec-blacklists src -j DROP",
        ),
    ),
    Animal(
        id="a long blocklist of networks",
        commands=(
            "ipset create blocklist_de hash:net hashsize 4096",
            *(f"ipset add blocklist_de 198.18.{number}.0/24" for number in range(40)),
            "iptables-nft -I INPUT -m set --match-set blocklist_de src -j DROP",
            "iptables-nft -I FORWARD -i eth0 -m set --match-set blocklist_de src -j DROP",
        ),
    ),
    Animal(
        id="single hosts that an intrusion detection sends nowhere",
        commands=tuple(f"ip route add blackhole 198.51.100.{number}/32" for number in range(220, 226)),
        owners={"administrator"},
    ),
    Animal(
        id="pings limited, and dropped above the limit",
        restore=filter_table(
            "-I FORWARD 1 -p icmp -m icmp --icmp-type 8 -m limit --limit 10/sec --limit-burst 20 -j ACCEPT",
            "-I FORWARD 2 -p icmp -m icmp --icmp-type 8 -j DROP",
        ),
        owners={"administrator"},
    ),
    Animal(
        id="brute force on the host's ssh slowed by a list of recent addresses",
        restore=filter_table(
            "-A INPUT -p tcp -m tcp --dport 22 -m conntrack --ctstate NEW -m recent --set --name SSH",
            "-A INPUT -p tcp -m tcp --dport 22 -m conntrack --ctstate NEW -m recent --update --seconds 60 --hitcount 4 "
            "--name SSH -j DROP",
        ),
    ),
    Animal(
        id="published ports for one network outside only, as docker's manual has it",
        restore=filter_table("-I DOCKER-USER 1 -i eth0 ! -s 203.0.113.0/24 -m conntrack --ctstate NEW -j DROP"),
    ),
    Animal(
        id="a list of who may come in, in an ipset",
        commands=(
            "ipset create lan hash:net",
            "ipset add lan 203.0.113.0/24",
            "iptables-nft -I DOCKER-USER -i eth0 -m conntrack --ctstate NEW -m set ! --match-set lan src -j DROP",
        ),
    ),
    Animal(
        id="containers that may only browse",
        restore=filter_table(
            "-I DOCKER-USER 1 -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN",
            "-I DOCKER-USER 2 -i br-front -o eth0 -p tcp -m multiport ! --dports 80,443 -j REJECT",
        ),
        owners={"administrator"},
    ),
    Animal(
        id="a server of a vpn beside containers",
        commands=(
            "ip tuntap add wg0 mode tun",
            "ip addr add 10.200.0.1/24 dev wg0",
            "ip link set wg0 up",
            *_accepts("wg0", "10.200.0.0/24"),
        ),
    ),
    Animal(
        id="a vpn that takes the host's own traffic by its mark, and leaves containers alone",
        commands=(
            "ip tuntap add wg1 mode tun",
            "ip addr add 10.201.0.2/32 dev wg1",
            "ip link set wg1 up",
            "ip route add default dev wg1 table 51820",
            "ip rule add pref 100 fwmark 0x1/0x1 lookup 51820",
            "iptables-nft -t mangle -A OUTPUT -m owner --uid-owner 12345 -j MARK --set-mark 0x1/0x1",
        ),
    ),
    Animal(
        id="a vpn's routes for a company's networks",
        commands=(
            "ip tuntap add wg2 mode tun",
            "ip addr add 10.202.0.2/32 dev wg2",
            "ip link set wg2 up",
            "ip route add 10.0.0.0/8 dev wg2",
            "ip route add 192.168.0.0/16 dev wg2",
        ),
    ),
    Animal(
        id="one network's containers leave by a second uplink",
        commands=(
            *_SECOND_UPLINK,
            "ip rule add pref 900 to 172.30.0.0/16 lookup main",
            "ip rule add pref 1000 from 172.30.2.0/24 lookup 200",
            "sysctl -qw net.ipv4.conf.eth1.rp_filter=2",
        ),
    ),
    Animal(
        id="answers leave by the uplink that their connection came in by",
        commands=(
            *_SECOND_UPLINK,
            "ip rule add pref 1000 fwmark 0x2/0xff lookup 200",
            "iptables-nft -t mangle -A PREROUTING -i eth1 -m conntrack --ctstate NEW -j CONNMARK --set-mark 0x2/0xff",
            "iptables-nft -t mangle -A PREROUTING ! -i eth1 -j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xff",
            "sysctl -qw net.ipv4.conf.eth1.rp_filter=2",
        ),
    ),
    Animal(
        id="kvm guests by taps on a bridge of their own",
        commands=(
            *_bridge("br-kvm", "192.168.50.1/24"),
            "ip tuntap add tap0 mode tap",
            "ip link set tap0 master br-kvm up",
            *_accepts("br-kvm", "192.168.50.0/24"),
        ),
    ),
    Animal(
        id="lxc's bridge with a guest that goes out",
        commands=(
            *_bridge("lxcbr0", "10.0.3.1/24"),
            *_guest("lxcbr0", "lxc1", "10.0.3.20/24", "10.0.3.1"),
            *_accepts("lxcbr0", "10.0.3.0/24"),
            "iptables-nft -I INPUT -i lxcbr0 -p udp -m udp --dport 67 -j ACCEPT",
            "iptables-nft -t mangle -A POSTROUTING -o lxcbr0 -p udp -m udp --dport 68 -j CHECKSUM --checksum-fill",
        ),
    ),
    Animal(id="kube-proxy in nftables mode", nft=_KUBE_NFT),
    Animal(id="calico's pod with its policy", commands=_POD, restore=_CALICO),
    Animal(
        id="flannel's bridge and overlay",
        commands=(
            "ip link add flannel.1 type vxlan id 1 local 203.0.113.2 dev eth0 nolearning dstport 8472",
            "ip addr add 10.244.0.0/32 dev flannel.1",
            "ip link set flannel.1 up",
            *_bridge("cni0", "10.244.0.1/24"),
            *_guest("cni0", "pod2", "10.244.0.9/24", "10.244.0.1"),
            "ip route add 10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink",
        ),
        restore=filter_table(
            ":FLANNEL-FWD - [0:0]",
            "-A FORWARD -m comment --comment flanneld -j FLANNEL-FWD",
            "-A FLANNEL-FWD -s 10.244.0.0/16 -j ACCEPT",
            "-A FLANNEL-FWD -d 10.244.0.0/16 -j ACCEPT",
        )
        + in_table(
            "nat",
            ":FLANNEL-POSTRTG - [0:0]",
            "-A POSTROUTING -j FLANNEL-POSTRTG",
            "-A FLANNEL-POSTRTG -s 10.244.0.0/24 -d 10.244.0.0/16 -j RETURN",
            "-A FLANNEL-POSTRTG -s 10.244.0.0/16 ! -d 224.0.0.0/4 -j MASQUERADE --random-fully",
        ),
    ),
    Animal(
        id="a container of its own on the uplink's network by macvlan",
        commands=(
            "ip netns add lanbox",
            "ip link add mv0 link eth0 type macvlan mode bridge",
            "ip link set mv0 netns lanbox name eth0",
            "ip netns exec lanbox ip addr add 203.0.113.50/24 dev eth0",
            "ip netns exec lanbox ip link set lo up",
            "ip netns exec lanbox ip link set eth0 up",
            "ip netns exec lanbox ip route add default via 203.0.113.1",
        ),
    ),
    Animal(
        id="neighbours of one network kept apart on purpose",
        commands=(
            f"ip link set br-front alias {_NO_ICC!r}",
            "iptables-nft -D FORWARD -i br-front -o br-front -j ACCEPT",
            "iptables-nft -A FORWARD -i br-front -o br-front -j DROP",
        ),
    ),
    Animal(id="hairpin on where the proxy is off", commands=("bridge link set dev veth-web hairpin on",)),
    Animal(id="a container without ipv6", commands=("ip netns exec web sysctl -qw net.ipv6.conf.all.disable_ipv6=1",)),
    Animal(
        id="a host without ipv6",
        commands=("sysctl -qw net.ipv6.conf.all.disable_ipv6=1", "sysctl -qw net.ipv6.conf.default.disable_ipv6=1"),
    ),
    Animal(
        id="a conntrack zone of its own for what begins in one network",
        restore=in_table("raw", "-A PREROUTING -i br-front -j CT --zone-orig 5"),
    ),
    Animal(
        id="a second address of the cluster's, as keepalived has it",
        commands=("ip addr add 203.0.113.100/32 dev eth0", "sysctl -qw net.ipv4.ip_nonlocal_bind=1"),
    ),
    Animal(
        id="the uplink shaped",
        commands=("tc qdisc add dev eth0 root tbf rate 100mbit burst 64kb latency 400ms",),
    ),
    Animal(
        id="a user of the host that may not reach containers",
        restore=filter_table("-A OUTPUT -d 172.30.0.0/16 -m owner --uid-owner 65534 -j REJECT"),
    ),
    Animal(
        id="the host's input by a list of what may come in",
        restore=filter_table(
            ":INPUT DROP [0:0]",
            "-A INPUT -i lo -j ACCEPT",
            "-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
            "-A INPUT -p icmp -j ACCEPT",
            "-A INPUT -p tcp -m multiport --dports 22,80,443 -j ACCEPT",
            "-A INPUT -i br-front -p udp -m udp --dport 53 -j ACCEPT",
            "-A INPUT -m limit --limit 5/min -j LOG --log-prefix input",
        ),
    ),
    Animal(
        id="a set that fills itself with who opens too many connections",
        nft="""table inet meters {
 set flood { type ipv4_addr; size 65535; flags dynamic; }
 chain in1 { type filter hook input priority 5; policy accept;
  tcp dport 22 ct state new add @flood { ip saddr limit rate over 10/second burst 5 packets } drop; }
}
""",
    ),
    Animal(
        id="a drop at night",
        restore=filter_table(
            "-I DOCKER-USER 1 -o eth0 -p tcp -m tcp --dport 6881 -m time --timestart 22:00 --timestop 23:00 -j DROP"
        ),
    ),
    Animal(
        id="frames of foreign vlans dropped on bridges",
        nft="""table bridge guard {
 chain fwd1 { type filter hook forward priority 0; policy accept; ether type 8021q drop; ether type 0x88cc drop; }
}
""",
    ),
)
"""What operators have."""
