"""Rulesets of programs that aren't here, constructed for the demo host in the form these write them.  Data.

firewalld 2.5 (``core/nftables.py``), cut down to the chains that packets of
containers meet, and Docker 29 with its nftables backend (``internal/nftabler``).
"""

from __future__ import annotations

FRONT, BACK, VAULT = "br-front", "br-back", "br-vault"

WITHOUT_DOCKER = (
    "iptables-nft -P FORWARD ACCEPT",
    *(f"iptables-nft -t {table} {what}" for table in ("filter", "nat") for what in ("-F", "-X")),
)
"""What takes the iptables rules of the demo host away, as Docker does when its backend is changed."""

_HEAD = """  ct state { established, related } accept
  %s
  iifname "lo" accept
  ct state { invalid } drop
"""


def firewalld(*bridges: str, strict: bool = False) -> str:
    """``inet firewalld`` with these bridges in its zone docker, everything else in public; ``strict`` forward ports."""
    dnat = "ct status dnat jump filter_FORWARD_dnat" if strict else "ct status dnat accept"
    return "\n".join(
        [
            "table inet firewalld {",
            *((" chain filter_FORWARD_dnat { reject with icmpx admin-prohibited; }",) if strict else ()),
            " chain filter_FWD_docker_to_ANY { accept; }",
            " chain filter_FWD_public_to_ANY { reject with icmpx admin-prohibited; }",
            " chain filter_FWD_docker_dispatch_stage2 { jump filter_FWD_docker_to_ANY; }",
            " chain filter_FWD_public_dispatch_stage2 { jump filter_FWD_public_to_ANY; }",
            " chain filter_FORWARD_dispatch {",
            *(f'  iifname "{name}" jump filter_FWD_docker_dispatch_stage2' for name in bridges),
            "  jump filter_FWD_public_dispatch_stage2",
            " }",
            " chain filter_INPUT {",
            "  type filter hook input priority filter + 10; policy accept;",
            _HEAD % "ct status dnat accept",
            "  tcp dport 22 accept",
            "  reject with icmpx admin-prohibited",
            " }",
            " chain filter_FORWARD {",
            "  type filter hook forward priority filter + 10; policy accept;",
            _HEAD % dnat,
            "  ip6 daddr { ::/96, ::ffff:0.0.0.0/96, 2002:a00::/24 } reject with icmpv6 addr-unreachable",
            "  jump filter_FORWARD_dispatch",
            "  reject with icmpx admin-prohibited",
            " }",
            "}",
            "",
        ]
    )


def native_docker() -> str:
    """``ip docker-bridges`` for the demo's networks, with web's port 80 published on 8080."""
    outer = {FRONT: "172.30.1.0/24", BACK: "172.30.2.0/24"}
    published = {FRONT: '  ip daddr 172.30.1.2 tcp dport 80 counter accept comment "PUBLISHED"\n'}
    bridges = (*outer, VAULT)
    lines = ["table ip docker-bridges {"]
    for way in ("in", "out"):
        jumps = ", ".join(f'"{name}" : jump filter-forward-{way}__{name}' for name in bridges)
        lines.append(f" map filter-forward-{way}-jumps {{ type ifname : verdict; elements = {{ {jumps} }}; }}")
    jumps = ", ".join(f'"{name}" : jump nat-postrouting-out__{name}' for name in outer)
    lines.append(f" map nat-postrouting-out-jumps {{ type ifname : verdict; elements = {{ {jumps} }}; }}")
    for name, subnet in outer.items():
        lines.append(f" chain filter-forward-in__{name} {{")
        lines.append("  ct state established,related counter accept")
        lines.append(f'  iifname "{name}" counter accept comment "ICC"')
        lines.append(f'{published.get(name, "")}  counter drop comment "UNPUBLISHED PORT DROP"\n }}')
        lines.append(f" chain filter-forward-out__{name} {{")
        lines.append('  ct state established,related counter accept\n  counter accept comment "OUTGOING"\n }')
        lines.append(f" chain nat-postrouting-out__{name} {{")
        lines.append(f'  oifname != "{name}" ip saddr {subnet} counter masquerade comment "MASQUERADE"\n }}')
    lines += [
        f" chain filter-forward-in__{VAULT} {{",
        f'  iifname != "{VAULT}" counter drop comment "INTERNAL NETWORK INGRESS"\n  counter accept comment "ICC"\n }}',
        f" chain filter-forward-out__{VAULT} {{",
        f'  oifname != "{VAULT}" counter drop comment "INTERNAL NETWORK EGRESS"\n }}',
        " chain filter-FORWARD { type filter hook forward priority filter; policy accept;",
        "  oifname vmap @filter-forward-in-jumps\n  iifname vmap @filter-forward-out-jumps\n }",
        " chain nat-prerouting-and-output {",
        f'  iifname != "{FRONT}" tcp dport 8080 counter dnat to 172.30.1.2:80 comment "DNAT"\n }}',
        " chain nat-PREROUTING { type nat hook prerouting priority dstnat; policy accept;",
        "  fib daddr type local counter jump nat-prerouting-and-output\n }",
        " chain nat-OUTPUT { type nat hook output priority -100; policy accept;",
        "  ip daddr != 127.0.0.0/8 fib daddr type local counter jump nat-prerouting-and-output\n }",
        " chain nat-POSTROUTING { type nat hook postrouting priority srcnat; policy accept;",
        "  iifname vmap @nat-postrouting-out-jumps\n }",
        " chain raw-PREROUTING { type filter hook prerouting priority raw; policy accept;",
        f'  ip daddr 172.30.1.2 iifname != "{FRONT}" counter drop comment "DROP DIRECT ACCESS"\n }}',
        "}",
        "",
    ]
    return "\n".join(lines)
