"""Healthy but unusual hosts: what other software leaves beside containers, none of it a fault.  Data.

Each is put onto a healthy demo host.  The rulesets are written from how the
programs named set theirs up, cut down to the chains that packets of
containers meet.
"""

from __future__ import annotations

from lab.zoo import constructed
from lab.zoo.animal import Animal, filter_table, in_table

UFW = """*filter
:INPUT DROP [0:0]
:ufw-before-input - [0:0]
:ufw-before-forward - [0:0]
:ufw-after-forward - [0:0]
:ufw-user-forward - [0:0]
:ufw-user-input - [0:0]
:ufw-track-forward - [0:0]
:ufw-skip-to-policy-input - [0:0]
:ufw-logging-deny - [0:0]
:ufw-reject-forward - [0:0]
-A INPUT -j ufw-before-input
-A FORWARD -j ufw-before-forward
-A FORWARD -j ufw-after-forward
-A FORWARD -j ufw-reject-forward
-A FORWARD -j ufw-track-forward
-A ufw-before-input -i lo -j ACCEPT
-A ufw-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A ufw-before-input -m conntrack --ctstate INVALID -j ufw-logging-deny
-A ufw-before-input -m conntrack --ctstate INVALID -j DROP
-A ufw-before-input -j ufw-user-input
-A ufw-user-input -p tcp -m tcp --dport 22 -j ACCEPT
-A ufw-before-forward -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A ufw-before-forward -p icmp -m icmp --icmp-type 8 -j ACCEPT
-A ufw-before-forward -j ufw-user-forward
-A ufw-logging-deny -m limit --limit 3/min --limit-burst 10 -j LOG --log-prefix "[UFW BLOCK] "
COMMIT
"""

TAILSCALE = """*filter
:ts-input - [0:0]
:ts-forward - [0:0]
-I INPUT 1 -j ts-input
-I FORWARD 1 -j ts-forward
-A ts-input -s 100.101.102.103/32 -i lo -j ACCEPT
-A ts-input -s 100.115.92.0/23 ! -i tailscale0 -j RETURN
-A ts-input -s 100.64.0.0/10 ! -i tailscale0 -j DROP
-A ts-input -i tailscale0 -j ACCEPT
-A ts-forward -i tailscale0 -j MARK --set-xmark 0x40000/0xff0000
-A ts-forward -m mark --mark 0x40000/0xff0000 -j ACCEPT
-A ts-forward -s 100.64.0.0/10 -o tailscale0 -j DROP
-A ts-forward -o tailscale0 -j ACCEPT
COMMIT
*nat
:ts-postrouting - [0:0]
-I POSTROUTING 1 -j ts-postrouting
-A ts-postrouting -m mark --mark 0x40000/0xff0000 -j MASQUERADE
COMMIT
"""

KUBE_PROXY = """*filter
:KUBE-FORWARD - [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-EXTERNAL-SERVICES - [0:0]
:KUBE-FIREWALL - [0:0]
-I FORWARD 1 -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
-I FORWARD 2 -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP
-A KUBE-FORWARD -m comment --comment "kubernetes forwarding rules" -m mark --mark 0x4000/0x4000 -j ACCEPT
-A KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP
-A KUBE-SERVICES -d 10.96.0.20/32 -p tcp -m tcp --dport 443 -j REJECT --reject-with icmp-port-unreachable
COMMIT
*nat
:KUBE-SERVICES - [0:0]
:KUBE-POSTROUTING - [0:0]
:KUBE-MARK-MASQ - [0:0]
:KUBE-SVC-NPX46M4PTMTKRN6Y - [0:0]
:KUBE-SEP-AAAAAAAAAAAAAAAA - [0:0]
:KUBE-SEP-BBBBBBBBBBBBBBBB - [0:0]
-I PREROUTING 1 -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-I OUTPUT 1 -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-I POSTROUTING 1 -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
-A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0
-A KUBE-POSTROUTING -j MASQUERADE --random-fully
-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m tcp --dport 443 -j KUBE-SVC-NPX46M4PTMTKRN6Y
-A KUBE-SVC-NPX46M4PTMTKRN6Y -m statistic --mode random --probability 0.50000000000 -j KUBE-SEP-AAAAAAAAAAAAAAAA
-A KUBE-SVC-NPX46M4PTMTKRN6Y -j KUBE-SEP-BBBBBBBBBBBBBBBB
-A KUBE-SEP-AAAAAAAAAAAAAAAA -p tcp -m tcp -j DNAT --to-destination 203.0.113.21:6443
-A KUBE-SEP-BBBBBBBBBBBBBBBB -p tcp -m tcp -j DNAT --to-destination 203.0.113.22:6443
COMMIT
"""

LIBVIRT = """*filter
:LIBVIRT_INP - [0:0]
:LIBVIRT_FWI - [0:0]
:LIBVIRT_FWO - [0:0]
:LIBVIRT_FWX - [0:0]
-I INPUT 1 -j LIBVIRT_INP
-I FORWARD 1 -j LIBVIRT_FWX
-I FORWARD 2 -j LIBVIRT_FWI
-I FORWARD 3 -j LIBVIRT_FWO
-A LIBVIRT_INP -i virbr0 -p udp -m udp --dport 53 -j ACCEPT
-A LIBVIRT_FWI -d 192.168.122.0/24 -o virbr0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A LIBVIRT_FWI -o virbr0 -j REJECT --reject-with icmp-port-unreachable
-A LIBVIRT_FWO -s 192.168.122.0/24 -i virbr0 -j ACCEPT
-A LIBVIRT_FWO -i virbr0 -j REJECT --reject-with icmp-port-unreachable
-A LIBVIRT_FWX -i virbr0 -o virbr0 -j ACCEPT
COMMIT
*nat
:LIBVIRT_PRT - [0:0]
-I POSTROUTING 1 -j LIBVIRT_PRT
-A LIBVIRT_PRT -s 192.168.122.0/24 -d 224.0.0.0/24 -j RETURN
-A LIBVIRT_PRT -s 192.168.122.0/24 ! -d 192.168.122.0/24 -p tcp -j MASQUERADE --to-ports 1024-65535
-A LIBVIRT_PRT -s 192.168.122.0/24 ! -d 192.168.122.0/24 -j MASQUERADE
COMMIT
"""

FIREWALLD = """table inet firewalld {
 chain mangle_PREROUTING { type filter hook prerouting priority mangle + 10; policy accept; }
 chain nat_POSTROUTING { type nat hook postrouting priority srcnat + 10; policy accept; jump nat_POST_docker; }
 chain nat_POST_docker { return; }
 chain filter_INPUT {
  type filter hook input priority filter + 10; policy accept;
  ct state { established, related } accept
  ct status dnat accept
  iifname "lo" accept
  ct state invalid drop
  tcp dport 22 accept
  reject with icmpx admin-prohibited
 }
 chain filter_FORWARD {
  type filter hook forward priority filter + 10; policy accept;
  ct state { established, related } accept
  ct status dnat accept
  iifname "lo" accept
  ct state invalid drop
  ip6 daddr { ::/96, ::ffff:0.0.0.0/96, 2002:a00::/24 } reject with icmpv6 addr-unreachable
  jump filter_FORWARD_ZONES
  reject with icmpx admin-prohibited
 }
 chain filter_FORWARD_ZONES {
  iifname "br-front" goto filter_FWD_docker
  iifname "br-back" goto filter_FWD_docker
  iifname "br-vault" goto filter_FWD_docker
  goto filter_FWD_public
 }
 chain filter_FWD_docker { accept; }
 chain filter_FWD_public { reject with icmpx admin-prohibited; }
}
"""

LXD = """table inet lxd {
 chain pstrt.lxdbr0 {
  type nat hook postrouting priority srcnat; policy accept;
  ip saddr 10.158.0.0/24 ip daddr != 10.158.0.0/24 masquerade
 }
 chain fwd.lxdbr0 {
  type filter hook forward priority filter; policy accept;
  ip version 4 oifname "lxdbr0" accept
  ip version 4 iifname "lxdbr0" accept
 }
 chain in.lxdbr0 { type filter hook input priority filter; policy accept; iifname "lxdbr0" udp dport 53 accept; }
}
"""

OWN_DROP = """table inet filter {
 chain input {
  type filter hook input priority filter; policy drop;
  ct state established,related accept
  iif lo accept
  tcp dport { 22, 80, 443 } accept
 }
 chain forward {
  type filter hook forward priority filter; policy drop;
  ct state vmap { established : accept, related : accept, invalid : drop }
  iifname "br-*" accept
  oifname "br-front" ct status dnat accept
 }
}
"""


_BRIDGES = (constructed.FRONT, constructed.BACK, constructed.VAULT)

ANIMALS: tuple[Animal, ...] = (
    Animal(id="as it is"),
    Animal(id="ufw", restore=UFW),
    Animal(
        id="tailscale",
        restore=TAILSCALE,
        commands=(
            "ip rule add pref 5210 fwmark 0x80000/0xff0000 lookup main",
            "ip rule add pref 5230 fwmark 0x80000/0xff0000 lookup default",
            "ip rule add pref 5250 fwmark 0x80000/0xff0000 unreachable",
            "ip rule add pref 5270 lookup 52",
            "ip route add 100.100.100.100/32 dev eth0 table 52",
        ),
    ),
    Animal(id="kube-proxy", restore=KUBE_PROXY),
    Animal(
        id="libvirt",
        restore=LIBVIRT,
        commands=(
            "ip link add virbr0 type bridge",
            "ip addr add 192.168.122.1/24 dev virbr0",
            "ip link set virbr0 up",
        ),
    ),
    Animal(
        id="fail2ban",
        restore=filter_table(
            ":f2b-sshd - [0:0]",
            "-I INPUT 1 -p tcp -m multiport --dports 22 -j f2b-sshd",
            "-A f2b-sshd -s 198.51.100.200/32 -j REJECT --reject-with icmp-port-unreachable",
            "-A f2b-sshd -j RETURN",
        ),
    ),
    Animal(id="firewalld with the bridges in its docker zone", nft=FIREWALLD),
    Animal(id="firewalld 2.5 with StrictForwardPorts=no", nft=constructed.firewalld(*_BRIDGES)),
    Animal(
        id="docker 29's nftables, and nothing in iptables",
        commands=constructed.WITHOUT_DOCKER,
        nft=constructed.native_docker(),
    ),
    Animal(
        id="docker 29's nftables, and an iptables policy drop with accepts for the bridges",
        commands=constructed.WITHOUT_DOCKER,
        restore=filter_table(
            ":FORWARD DROP [0:0]", *(f"-A FORWARD {way} {name} -j ACCEPT" for name in _BRIDGES for way in ("-i", "-o"))
        ),
        nft=constructed.native_docker(),
    ),
    Animal(
        id="docker 29's nftables beside firewalld",
        commands=constructed.WITHOUT_DOCKER,
        nft=constructed.native_docker() + constructed.firewalld(*_BRIDGES),
    ),
    Animal(id="lxd", nft=LXD, commands=("ip link add lxdbr0 type bridge", "ip addr add 10.158.0.1/24 dev lxdbr0")),
    Animal(id="own nftables that accept the bridges", nft=OWN_DROP),
    Animal(
        id="own nftables with an input policy only",
        nft="""table inet filter {
 chain input {
  type filter hook input priority filter; policy drop;
  ct state established,related accept
  iif lo accept
 }
 chain forward { type filter hook forward priority filter; policy accept; }
 chain output { type filter hook output priority filter; policy accept; }
}
""",
    ),
    Animal(
        id="crowdsec: a set of banned addresses with timeouts",
        nft="""table ip crowdsec {
 set blacklist { type ipv4_addr; flags timeout; elements = { 198.51.100.201 timeout 4h } }
 chain fwd1 { type filter hook forward priority -10; policy accept; ip saddr @blacklist drop; }
}
""",
    ),
    Animal(
        id="nftables for arp and bridges that drop nothing of ours",
        nft="""table arp filter {
 chain in { type filter hook input priority 0; policy accept; }
}
table bridge filter {
 chain fwd1 { type filter hook forward priority 0; policy accept; ether type 0x88a2 drop; }
}
""",
    ),
    Animal(
        id="a dormant table that would drop everything",
        nft="""table inet sleeping {
 flags dormant
 chain fwd1 { type filter hook forward priority 0; policy drop; }
}
""",
    ),
    Animal(
        id="a chain for another hook that drops",
        nft="""table inet guard {
 chain out { type filter hook output priority 0; policy accept; skuid 4294967 drop; }
}
""",
    ),
    Animal(id="forward policy accept", restore=filter_table(":FORWARD ACCEPT [0:0]")),
    Animal(id="docker-user without its return", commands=("iptables-nft -F DOCKER-USER",)),
    Animal(
        id="docker-user that counts and logs",
        restore=filter_table(
            "-I DOCKER-USER 1 -j LOG --log-prefix seen",
            "-I DOCKER-USER 2 -p tcp",
            "-I DOCKER-USER 3 -j NFLOG",
        ),
    ),
    Animal(
        id="docker-user that keeps a subnet from a port, after letting answers in",
        restore=filter_table(
            "-I DOCKER-USER 1 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
            "-I DOCKER-USER 2 -i eth0 -p tcp -m tcp --dport 80 -s 203.0.113.128/25 -j DROP",
        ),
    ),
    Animal(
        id="input policy drop",
        restore=filter_table(
            ":INPUT DROP [0:0]",
            "-A INPUT -i lo -j ACCEPT",
            "-A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT",
        ),
    ),
    Animal(
        id="output policy drop that lets answers and what is for containers out",
        restore=filter_table(
            ":OUTPUT DROP [0:0]",
            "-A OUTPUT -o lo -j ACCEPT",
            "-A OUTPUT -d 172.30.0.0/16 -j ACCEPT",
            "-A OUTPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT",
        ),
    ),
    Animal(
        id="invalid packets dropped first",
        restore=filter_table(
            "-I FORWARD 1 -m conntrack --ctstate INVALID -j DROP",
            "-I INPUT 1 -m conntrack --ctstate INVALID -j DROP",
        ),
    ),
    Animal(
        id="a reject at the end of forward",
        restore=filter_table("-A FORWARD -j REJECT --reject-with icmp-host-prohibited"),
    ),
    Animal(id="a drop of an interface that isn't here", restore=filter_table("-I FORWARD 1 -i wlan0 -j DROP")),
    Animal(id="a drop of forwarded mail", restore=filter_table("-I FORWARD 1 -p tcp -m tcp --dport 25 -j DROP")),
    Animal(
        id="spoofed sources dropped",
        restore=filter_table(
            "-I FORWARD 1 -i eth0 -s 172.30.0.0/16 -j DROP",
            "-I FORWARD 2 ! -i br-front -s 172.30.1.0/24 -j DROP",
        ),
    ),
    Animal(
        id="bad tcp flags dropped",
        restore=filter_table(
            "-I FORWARD 1 -p tcp -m tcp --tcp-flags FIN,SYN FIN,SYN -j DROP",
            "-I FORWARD 2 -p tcp -m tcp --tcp-flags FIN,SYN,RST,PSH,ACK,URG NONE -j DROP",
            "-I FORWARD 3 -p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -m conntrack --ctstate NEW -j DROP",
        ),
    ),
    Animal(
        id="direct access dropped in raw, as docker 28 does",
        restore=in_table(
            "raw",
            "-A PREROUTING -d 172.30.1.2/32 ! -i br-front -j DROP",
            "-A PREROUTING -d 172.30.1.3/32 ! -i br-front -j DROP",
            "-A PREROUTING -d 172.30.2.2/32 ! -i br-back -j DROP",
        ),
    ),
    Animal(
        id="loopback addresses from outside dropped in raw",
        restore=in_table(
            "raw",
            "-A PREROUTING -d 127.0.0.1/32 ! -i lo -p tcp -m tcp --dport 8081 -j DROP",
        ),
    ),
    Animal(
        id="mss clamped",
        restore=in_table(
            "mangle",
            "-A FORWARD -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu",
        ),
    ),
    Animal(
        id="multi-wan marks that are saved and restored",
        restore=in_table(
            "mangle",
            "-A PREROUTING -j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xff",
            "-A PREROUTING -m mark ! --mark 0x0/0xff -j ACCEPT",
            "-A PREROUTING -i eth0 -j MARK --set-xmark 0x1/0xff",
            "-A PREROUTING -j CONNMARK --save-mark --nfmask 0xff --ctmask 0xff",
        ),
    ),
    Animal(
        id="snat instead of masquerade",
        restore=in_table(
            "nat",
            "-I POSTROUTING 1 -s 172.30.1.0/24 -o eth0 -j SNAT --to-source 203.0.113.2",
        ),
    ),
    Animal(
        id="a redirect of the host's own port",
        restore=in_table(
            "nat",
            "-A PREROUTING -i eth0 -p tcp -m tcp --dport 9000 -j REDIRECT --to-ports 9001",
        ),
    ),
    Animal(
        id="udp of the host's resolver not tracked",
        restore=in_table(
            "raw",
            "-A PREROUTING -i eth0 -p udp -m udp --dport 5353 -j CT --notrack",
        ),
    ),
    Animal(
        id="a banned set of addresses",
        commands=(
            "ipset create banned hash:net",
            "ipset add banned 198.51.100.192/26",
            "iptables-nft -I FORWARD 1 -m set --match-set banned src -j DROP",
        ),
    ),
    Animal(
        id="a flood limit that depends on past traffic",
        restore=filter_table(
            "-I FORWARD 1 -p tcp -m tcp --tcp-flags SYN SYN "
            "-m hashlimit --hashlimit-above 500/sec --hashlimit-burst 500 "
            "--hashlimit-mode srcip --hashlimit-name syn -j DROP",
        ),
    ),
    Animal(id="a limited log", restore=filter_table("-I FORWARD 1 -m limit --limit 5/min -j LOG --log-prefix fwd")),
    Animal(
        id="comments with quotes and escapes",
        restore=filter_table(
            '-I FORWARD 1 -i eth9 -m comment --comment "say \\"no\\" [red]to[/red] $(this) \\\\ and -j ACCEPT" -j DROP',
        ),
    ),
    Animal(
        id="legacy tables loaded but empty",
        commands=("iptables-legacy -t filter -L -n", "iptables-legacy -t nat -L -n"),
    ),
    Animal(
        id="br_netfilter not calling",
        commands=(
            "sysctl -qw net.bridge.bridge-nf-call-iptables=0",
            "sysctl -qw net.bridge.bridge-nf-call-ip6tables=0",
        ),
    ),
    Animal(
        id="strict reverse path filtering everywhere",
        commands=(
            "sysctl -qw net.ipv4.conf.all.rp_filter=1",
            "sysctl -qw net.ipv4.conf.default.rp_filter=1",
        ),
    ),
    Animal(id="loose reverse path filtering", commands=("sysctl -qw net.ipv4.conf.all.rp_filter=2",)),
    Animal(
        id="a second default route with a worse metric",
        commands=(
            "ip link add eth1 type veth peer name eth1far",
            "ip addr add 192.0.2.2/24 dev eth1",
            "ip link set eth1 up",
            "ip link set eth1far up",
            "ip route add default via 192.0.2.1 metric 500",
        ),
    ),
    Animal(
        id="a rule for the host's own address",
        commands=(
            "ip rule add pref 1000 from 203.0.113.2 lookup 100",
            "ip rule add pref 900 to 172.30.0.0/16 lookup main",  # without it containers get no answer from there
            "ip route add default via 203.0.113.1 table 100",
        ),
    ),
    Animal(
        id="private ranges that lead nowhere",
        commands=(
            "ip route add blackhole 10.0.0.0/8",
            "ip route add unreachable 192.168.0.0/16",
        ),
    ),
    Animal(
        id="a marked rule to another table",
        commands=(
            "ip rule add pref 900 fwmark 0x7 lookup 77",
            "ip route add blackhole default table 77",
        ),
    ),
    Animal(
        id="an empty bridge that is down",
        commands=(
            "ip link add docker0 type bridge",
            "ip addr add 172.17.0.1/16 dev docker0",
        ),
    ),
    Animal(
        id="a bridge without an address and without ports",
        commands=(
            "ip link add br0 type bridge",
            "ip link set br0 up",
        ),
    ),
    Animal(id="namespaces that are nobody's", commands=("ip netns add spare", "ip netns add we[red]ird")),
    Animal(
        id="a tunnel with a route of its own",
        commands=(
            "ip link add tun9 type veth peer name tun9far",
            "ip addr add 10.8.0.1/24 dev tun9",
            "ip link set tun9 up",
            "ip link set tun9far up",
            "ip route add 10.9.0.0/16 via 10.8.0.2",
        ),
    ),
    Animal(
        id="a vxlan overlay",
        commands=(
            "ip link add vx7 type vxlan id 7 dstport 4789 local 203.0.113.2 remote 203.0.113.9",
            "ip link set vx7 up",
        ),
    ),
    Animal(id="a macvlan beside the uplink", commands=("ip link add mv0 link eth0 type macvlan mode bridge",)),
    Animal(id="ipv6 forward policy drop", restore6=filter_table(":FORWARD DROP [0:0]")),
    Animal(
        id="a container with a firewall of its own",
        commands=(
            "ip netns exec web iptables-nft -A INPUT -p tcp --dport 80 -j ACCEPT",
            "ip netns exec web iptables-nft -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
            "ip netns exec web iptables-nft -P INPUT DROP",
        ),
    ),
    Animal(
        id="twelve more networks",
        commands=tuple(
            command
            for number in range(12)
            for command in (
                f"ip link add br-n{number} type bridge",
                f"ip addr add 172.31.{number}.1/24 dev br-n{number}",
                f"ip link set br-n{number} up",
            )
        ),
    ),
    Animal(
        id="arp and redirects hardened",
        commands=(
            "sysctl -qw net.ipv4.conf.all.arp_ignore=1",
            "sysctl -qw net.ipv4.conf.all.arp_announce=2",
            "sysctl -qw net.ipv4.conf.all.accept_redirects=0",
            "sysctl -qw net.ipv4.conf.all.send_redirects=0",
        ),
    ),
    Animal(
        id="a link-local address on the uplink",
        commands=("ip addr add 169.254.7.9/16 dev eth0 scope link",),
    ),
    Animal(
        id="a node-local name server on a link of its own",
        commands=(
            "ip link add nodelocaldns type veth peer name nodelocalfar",
            "ip addr add 169.254.20.10/32 dev nodelocaldns",
            "ip link set nodelocaldns up",
        ),
    ),
    Animal(
        id="a cloud's metadata server by the uplink",
        commands=("ip route add 169.254.169.254/32 via 203.0.113.1 dev eth0 proto dhcp metric 100",),
    ),
    Animal(
        id="an uplink that was set by dhcp",
        commands=(
            "ip route add default via 203.0.113.1 dev eth0 proto dhcp src 203.0.113.2 metric 100",
            "ip route del default via 203.0.113.1 dev eth0 metric 0",
        ),
    ),
    Animal(
        id="more addresses on a network's bridge",
        commands=(
            "ip addr add 172.30.1.9/24 dev br-front",
            "ip addr add 10.77.0.1/24 dev br-front",
        ),
    ),
    Animal(
        id="an overlay's permanent neighbours",
        commands=tuple(
            f"ip neigh add 203.0.113.{number} lladdr 02:00:00:00:00:{number:02x} dev eth0 nud permanent"
            for number in range(100, 160)
        ),
    ),
    Animal(
        id="containers that may ask nobody outside for names",
        restore=filter_table(
            "-I FORWARD 1 -i br-front -p udp -m udp --dport 53 -j DROP",
            "-I FORWARD 2 -i br-front -p tcp -m tcp --dport 53 -j REJECT --reject-with tcp-reset",
        ),
    ),
    Animal(
        id="questions for names redirected to the host's own server",
        restore="""*nat
-I PREROUTING 1 -i br-front -p udp -m udp --dport 53 -j REDIRECT --to-ports 5353
-I PREROUTING 2 -i br-front -p tcp -m tcp --dport 53 -j REDIRECT --to-ports 5353
COMMIT
""",
    ),
    Animal(
        id="tracked connections that nobody answered",
        commands=tuple(
            f"conntrack -I -p udp -t 60 -s 198.51.100.{number} -d 203.0.113.2 --sport {40000 + number} --dport 8080"
            for number in range(1, 9)
        ),
    ),
    Animal(
        id="low ports for everybody and liberal tracking",
        commands=(
            "sysctl -qw net.ipv4.ip_unprivileged_port_start=0",
            "sysctl -qw net.netfilter.nf_conntrack_tcp_be_liberal=1",
        ),
    ),
    Animal(
        id="libvirt's rules in nftables, and guests that a policy of the administrator's stops",
        commands=(
            "ip link add virbr0 type bridge",
            "ip addr add 192.168.122.1/24 dev virbr0",
            "ip link add vnet0 type veth peer name vm0",
            "ip link set vnet0 master virbr0 up",
            "ip link set vm0 up",
            "ip link set virbr0 up",
            "iptables-nft -P FORWARD DROP",
        ),
        nft="""table ip libvirt_network {
 chain forward { type filter hook forward priority filter; policy accept; jump guest_output; }
 chain guest_output { ip saddr 192.168.122.0/24 iifname "virbr0" accept; iifname "virbr0" reject; }
}
""",
    ),
    Animal(
        id="two uplinks with a policy rule for the address of each",
        commands=(
            "ip link add eth1 type veth peer name far1",
            "ip addr add 192.0.2.2/24 dev eth1",
            "ip link set eth1 up",
            "ip link set far1 up",
            "ip route add default via 192.0.2.1 dev eth1 table 100",
            "ip rule add from 192.0.2.2 lookup 100 pref 1000",
            "ip rule add to 172.30.0.0/16 lookup main pref 900",
        ),
    ),
    Animal(
        id="a table of iptables' own that nft has put a rule into",
        decided=False,
        commands=("nft insert rule ip filter FORWARD ct state invalid log drop",),
    ),
)
