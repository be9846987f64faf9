"""Managers of a host's own firewall, and programs that ban addresses.  Pure data.

Sources: ufw-framework(8) and DEFAULT_INPUT_POLICY of ufw(8), firewalld's core/ipXtables.py and core/nftables.py,
csf.pl and its csf.conf, Shorewall's Perl compiler (Chains.pm), OpenWrt's
firewall3 (defaults.c, zones.c) and firewall4 (ruleset.uc), fail2ban's
action.d, CrowdSec's cs-firewall-bouncer, SSHGuard's sshg-fw, pve-firewall's
Firewall.pm, NixOS' firewall module.  Ferm has no names of its own and is an administrator's like any script.
"""

from __future__ import annotations

from dnet_tui.inspect.model.rule_writers.traits import RuleWriter

FIREWALLS: tuple[RuleWriter, ...] = (
    RuleWriter(
        kind="ufw",
        title="ufw",
        chain_prefixes=("ufw-", "ufw6-"),
        keeps_policies=True,
        files=("/etc/ufw/",),
        change=("ufw", "status", "numbered"),
        sysctls=(("net.ipv4.conf.all.rp_filter", "1"), ("net.ipv4.conf.default.rp_filter", "1")),
    ),
    RuleWriter(
        kind="firewalld",
        title="firewalld",
        chain_marks=("FORWARD_direct", "INPUT_direct", "PREROUTING_direct", "FORWARD_POLICIES_pre"),
        chain_pattern=r"(?:INPUT|FORWARD|OUTPUT|PREROUTING|POSTROUTING)(?:_IN|_OUT)?_"
        r"(?:direct|ZONES|ZONES_SOURCE|POLICIES_pre|POLICIES_post)"
        r"|(?:PRE|POST|IN|FWD[IO]?)_[A-Za-z0-9-]+(?:_(?:pre|log|deny|allow|post))?",
        tables=("firewalld",),
        closings=(
            "-m conntrack --ctstate INVALID -j DROP",
            "-j REJECT --reject-with icmp-host-prohibited",
            "-j REJECT --reject-with icmp6-adm-prohibited",
        ),
        files=("/etc/firewalld/",),
        change=("firewall-cmd", "--list-all-zones"),
    ),
    RuleWriter(
        kind="csf",
        title="csf",
        chains=("LOCALINPUT", "LOCALOUTPUT", "DENYIN", "DENYOUT", "ALLOWIN", "ALLOWOUT", "LOGDROPIN", "LOGDROPOUT"),
        chain_marks=("LOCALINPUT", "DENYIN"),
        chain_pattern=r"GALLOWIN|GALLOWOUT|GDENYIN|GDENYOUT|INVALID|INVDROP|SYNFLOOD|PORTFLOOD|UDPFLOOD|CONNLIMIT"
        r"|LOGACCEPT|WATCHIN|WATCHLOGIN|SMTPOUTPUT|DOCKERIN|CC_DENY|CC_ALLOW|BLOCKDROP\w*|chain_DENY",
        sets=("chain_DENY", "chain_ALLOW"),
        keeps_policies=True,
        files=("/etc/csf/csf.deny", "/etc/csf/csf.conf"),
        change=("csf", "-g", "ADDRESS"),
    ),
    RuleWriter(
        kind="shorewall",
        title="Shorewall",
        chain_marks=("shorewall", "dynamic", "sfilter"),
        chain_pattern=r"shorewall6?|dynamic|sfilter|sfilter1|smurfs|smurflog|tcpflags|logflags|logdrop|logreject|reject"
        r"|reject1|[A-Za-z0-9]{1,12}(?:2|-)(?:fw|all|[A-Za-z0-9]{1,12})|[A-Za-z0-9.]{1,12}_(?:frwd|fwd|in|out|dnat|masq)"
        r"|Drop|Reject|Broadcast|%\w+",
        keeps_policies=True,
        files=("/etc/shorewall/",),
        change=("shorewall", "show", "policies"),
    ),
    RuleWriter(
        kind="openwrt",
        title="OpenWrt's firewall",
        chain_marks=("forwarding_rule", "zone_lan_forward", "zone_wan_forward"),
        chain_pattern=r"zone_\w+|(?:forwarding|input|output|prerouting|postrouting)(?:_\w+)?_rule|reject|syn_flood"
        r"|MINIUPNPD(?:-\w+)?",
        tables=("fw4",),
        comments=("!fw3", "!fw4"),
        keeps_policies=True,
        files=("/etc/config/firewall",),
        change=("uci", "show", "firewall"),
    ),
    RuleWriter(
        kind="fail2ban",
        title="fail2ban",
        chain_prefixes=("f2b-", "fail2ban-"),
        tables=("f2b-table", "fail2ban"),
        sets=("f2b-", "addr-set-", "fail2ban-"),
        files=("/etc/fail2ban/jail.local",),
        change=("fail2ban-client", "status"),
    ),
    RuleWriter(
        kind="crowdsec",
        title="CrowdSec",
        chain_prefixes=("CROWDSEC",),
        tables=("crowdsec", "crowdsec6"),
        sets=("crowdsec-", "crowdsec6-"),
        change=("cscli", "decisions", "list"),
    ),
    RuleWriter(
        kind="sshguard",
        title="SSHGuard",
        chains=("sshguard",),
        tables=("sshguard",),
        sets=("sshguard",),
        files=("/etc/sshguard/whitelist",),
    ),
    RuleWriter(
        kind="proxmox",
        title="Proxmox' firewall",
        chain_prefixes=("PVEFW-",),
        sets=("PVEFW-",),
        files=("/etc/pve/firewall/",),
        change=("pve-firewall", "status"),
        sysctls=(("net.bridge.bridge-nf-call-iptables", "1"),),
    ),
    RuleWriter(
        kind="nixos",
        title="NixOS' firewall",
        chain_prefixes=("nixos-",),
        tables=("nixos-fw",),
        files=("/etc/nixos/configuration.nix",),
    ),
)
