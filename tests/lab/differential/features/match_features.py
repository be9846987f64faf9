"""Rules that look at more than addresses and ports, or change it: what a single packet can prove of them.

Rates, counts and amounts are far from what the probes reach, chance is 0 or
1, and lengths are none near those of probes: what is taken for granted of a
plain first packet then holds for every one of them.
"""

from __future__ import annotations

from lab.differential.features.draft import Draft, address
from lab.differential.spec import HOST, OUTSIDE, OUTSIDE_SERVER, UPLINK, UPLINK_ADDRESS

_JAIL, _SEEN = "jail", "seen"
_NATIVE = (
    "limit rate 1000/second burst 500 packets",
    "limit rate over 100000/second",
    "quota 100 mbytes",
    "quota over 100 mbytes",
    "ct count over 10000",
    "ip dscp cs1",
    "ip dscp != cs1",
    "ip ttl 64",
    "ip ttl < 64",
    "meta length 500-1000",
    "meta length < 200",
    "meta priority 1:2",
    'meta hour "00:00"-"23:59:59"',
    'meta time < "2020-01-01 00:00:00"',
    "ct packets 1",
    "ct original packets > 3",
    "ct zone 0",
    "ct zone 7",
    "ct label 5",
    "meta rtclassid 0",
    "numgen inc mod 1 == 0",
    "meta random >= 0",
)
_CHANGES = (
    "ip ttl set 1",
    "ip ttl set 9",
    "ip dscp set cs1",
    "meta priority set 1:2",
    "ip dscp set ef",
    "ct label set 5",
)


def matches(draft: Draft) -> None:
    """A few of iptables' matches before a verdict, targets that change what later rules see, and nftables' likewise."""
    _make_sets(draft)
    for _ in range(draft.random.randint(1, 2)):
        _change(draft)
    for _ in range(draft.random.randint(2, 4)):
        table, chain = draft.pick(
            (("filter", "FORWARD"), ("filter", "FORWARD"), ("filter", "INPUT"), ("mangle", "PREROUTING"),
             ("mangle", "POSTROUTING"), ("mangle", "FORWARD"), ("raw", "PREROUTING"))
        )  # fmt: skip
        scope = draft.pick(("", f"-i {draft.bridge().name} " if chain != "POSTROUTING" else "", "-p tcp ", "-p udp "))
        verdict = draft.pick(("DROP", "DROP", "ACCEPT"))
        draft.rule(table, chain, f"{scope}{_condition(draft, chain)} -j {verdict}", first=True)
    if draft.chance(0.3):
        who = draft.pick(("--uid-owner 0", "! --uid-owner 0", "--uid-owner 1000", "--gid-owner 0", "--socket-exists"))
        draft.rule("filter", "OUTPUT", f"-m owner {who} -j DROP", first=True)
    if draft.chance(0.4):
        _native(draft)
    if draft.chance(0.4):
        _translate(draft)
    for box in [draft.box() for _ in range(2)]:
        draft.probes(box.name, OUTSIDE_SERVER)
        draft.probes(OUTSIDE, address(box))
        draft.probe(box.name, address(draft.home(box)), "tcp", 80)
        draft.probe(HOST, address(box), "udp", 53)
        draft.probe(HOST, address(box), "tcp", 80)


def remembered(draft: Draft) -> None:
    """Lists of recent addresses and sets that packets fill: each packet is judged by what the ones before it left."""
    name = "r1"
    asked = (
        f"-m recent --rcheck --name {name} --rsource",
        f"-m recent ! --rcheck --name {name} --rsource",
        f"-m recent --rcheck --seconds 60 --hitcount 3 --name {name} --rsource",
        f"-m recent --update --hitcount 2 --name {name} --rsource",
        f"-m recent --remove --name {name} --rsource",
        f"-m set --match-set {_SEEN} src",
        f"-m set ! --match-set {_SEEN} dst",
    )
    draft.step(HOST, f"ipset create {_SEEN} hash:ip -exist")
    for table, chain in (("filter", "FORWARD"), ("mangle", "PREROUTING")):
        draft.rule(table, chain, f"{draft.pick(asked)} -j {draft.pick(('DROP', 'DROP', 'ACCEPT'))}", first=True)
    for what in (f"-m recent --set --name {name} --rsource", f"-j SET --add-set {_SEEN} src"):
        if draft.chance(0.7):
            draft.rule("raw", "PREROUTING", f"{draft.pick(('', '-p tcp ', '-p udp '))}{what}", first=True)
    box = draft.box()
    for _ in range(2):
        draft.probe(box.name, OUTSIDE_SERVER, "tcp", 80)
        draft.probe(box.name, OUTSIDE_SERVER, "udp", 53)
        draft.probe(OUTSIDE, address(box), "tcp", 80)
        draft.probe(HOST, address(box), "tcp", 80)


def transparent_proxy(draft: Draft) -> None:
    """TPROXY to a socket that is transparent, one that isn't, or none; with and without the route that leads there."""
    port = draft.pick((3128, 3129))
    if draft.chance(0.75):
        draft.bound(HOST, "tcp", UPLINK_ADDRESS, port, transparent=draft.chance(0.7))
    if draft.chance(0.7):
        draft.step(HOST, "ip rule add fwmark 0x77 lookup 177")
        draft.step(HOST, "ip route add local 0.0.0.0/0 dev lo table 177")
    scope = draft.pick(("", f"-i {draft.bridge().name} ", f"-i {UPLINK} "))
    where = f"--on-ip {UPLINK_ADDRESS} --on-port {port} --tproxy-mark 0x77/0xff"
    draft.rule("mangle", "PREROUTING", f"{scope}-p tcp -m tcp --dport 80 -j TPROXY {where}", first=True)
    if draft.chance(0.3):
        draft.rule("mangle", "PREROUTING", "-p tcp -m socket -j ACCEPT", first=True)
    for box in [draft.box() for _ in range(3)]:
        draft.probe(box.name, OUTSIDE_SERVER, "tcp", 80)
        draft.probe(box.name, OUTSIDE_SERVER, "tcp", 443)
        draft.probe(box.name, address(draft.home(box)), "tcp", 80)
        draft.probe(OUTSIDE, address(box), "tcp", 80)


def _make_sets(draft: Draft) -> None:
    draft.step(HOST, f"ipset create {_JAIL} hash:ip timeout 600")
    draft.step(HOST, f"ipset create {_SEEN} hash:ip -exist")
    for _ in range(2):
        draft.step(HOST, f"ipset add {_JAIL} {address(draft.box())} timeout {draft.pick((0, 300))} -exist")


def _condition(draft: Draft, chain: str) -> str:
    no = draft.pick(("", "! "))
    return draft.pick(
        (
            "-m limit --limit 1000/sec --limit-burst 500",
            "-m hashlimit --hashlimit-upto 1000/sec --hashlimit-burst 500 --hashlimit-mode srcip --hashlimit-name h1",
            "-m hashlimit --hashlimit-above 100000/sec --hashlimit-burst 500 --hashlimit-name h2",
            "-m connlimit --connlimit-above 10000 --connlimit-mask 32 --connlimit-saddr",
            "-m connlimit --connlimit-upto 10000 --connlimit-mask 32 --connlimit-saddr",
            f"-m quota {no}--quota 100000000",
            "-m quota --quota 0",
            "-m statistic --mode nth --every 1 --packet 0",
            f"-m statistic --mode random {no}--probability 1",
            f"-m ttl --ttl-{draft.pick(('eq 64', 'eq 63', 'lt 64', 'gt 63', 'eq 9'))}",
            f"-m tos {no}--tos {draft.pick(('0x10/0xff', '0x00/0xff', '0x20/0xfc'))}",
            f"-m dscp {no}--dscp {draft.pick(('0x08', '0x00'))}",
            f"-m length {no}--length {draft.pick(('500:1000', '0:200'))}",
            f"-m mark {no}--mark {draft.pick(('0x5', '0x0/0xf', '0x10/0xf0'))} -m mark {no}--mark 0x1/0x1",
            f"-m connmark {no}--mark {draft.pick(('0x5', '0x500/0xff00', '0x0'))}",
            f"-m connlabel {no}--label {draft.pick(('40', '41'))}",
            f"-m helper {no}--helper ftp",
            f"-m realm {no}--realm 0x1" if chain in {"FORWARD", "INPUT"} else "-m ttl --ttl-eq 63",
            f"-m set {no}--match-set {_JAIL} src",
            f"-m set {no}--match-set {_SEEN} {draft.pick(('src', 'dst'))}",
            "-m time --datestop 2020-01-01T00:00:00",
            "-m time --timestart 00:00:00 --timestop 23:59:59",
            f"-m policy --dir {'out' if chain == 'POSTROUTING' else 'in'} --pol {draft.pick(('none', 'ipsec'))}",
            f"-m connbytes {no}--connbytes 1:1 --connbytes-mode packets --connbytes-dir original",
            f"-s {address(draft.box())}/255.0.0.255",
        )
    )


def _change(draft: Draft) -> None:
    table, rule = draft.pick(
        (
            ("mangle", f"-j TTL --ttl-{draft.pick(('set 1', 'set 9', 'dec 1', 'dec 70', 'inc 3', 'set 64'))}"),
            ("mangle", f"-j TOS --set-tos {draft.pick(('0x10/0xff', '0x20/0xfc'))}"),
            ("mangle", "-j DSCP --set-dscp 0x08"),
            ("mangle", "-j MARK --set-xmark 0x15/0xffffffff"),
            ("mangle", "-j CONNMARK --set-xmark 0x5/0xffffffff"),
            ("mangle", "-j CONNMARK --save-mark --nfmask 0xff --ctmask 0xff00"),
            ("mangle", "-j CONNMARK --restore-mark --nfmask 0xf0 --ctmask 0xff"),
            ("mangle", "-j CLASSIFY --set-class 0001:0002"),
            ("mangle", "-m connlabel --label 40 --set"),
            ("filter", "-j NFQUEUE --queue-num 7 --queue-bypass"),
        )
    )
    chain = "FORWARD" if table == "filter" or " CLASSIFY " in rule else "PREROUTING"
    draft.rule(table, chain, f"{draft.pick(('', '-p tcp ', '-p udp '))}{rule}", first=True)


def _native(draft: Draft) -> None:
    hook, priority = draft.pick((("forward", 10), ("prerouting", -90), ("input", 10), ("forward", -5)))
    lines = [draft.pick(_CHANGES)] if draft.chance(0.5) and hook != "input" else []
    lines += [f"{draft.pick(_NATIVE)} {draft.pick(('drop', 'accept'))}" for _ in range(2)]
    body = "\n    ".join(lines)
    chain = f"type filter hook {hook} priority {priority}; policy accept;"
    draft.native(f"table ip few {{\n  chain c {{\n    {chain}\n    {body}\n  }}\n}}\n")


def _translate(draft: Draft) -> None:
    box = draft.box()
    draft.rule(
        "nat",
        "PREROUTING",
        f"-p tcp -m tcp --dport 9000:9003 -j DNAT --to-destination {address(box)}:78-82/9000",
        first=True,
    )
    draft.rule(
        "nat",
        "PREROUTING",
        f"-d 192.0.2.0/24 -j NETMAP --to {draft.home(box).address.replace('.1/', '.0/')}",
        first=True,
    )
    for port in (9000, 9002):
        draft.probe(OUTSIDE, UPLINK_ADDRESS, "tcp", port)
    draft.probe(draft.box().name, f"192.0.2.{address(box).rpartition('.')[2]}", "tcp", 80)
