"""Connections that exist already, proxies on the host, and sockets that listen on one address."""

from __future__ import annotations

from lab.differential.features.draft import Draft, address
from lab.differential.spec import HOST, OUTSIDE, OUTSIDE_SERVER, UPLINK, UPLINK_ADDRESS, Probe

_ANY = "0.0.0.0"  # noqa: S104 - of a host that is made up


def connections(draft: Draft) -> None:
    """Entries of conntrack for the very tuples that packets have."""
    # Without a rule that asks for connections the kernel doesn't track any.
    draft.rule("filter", "FORWARD", "-m conntrack --ctstate ESTABLISHED -j ACCEPT", first=True)
    box = draft.box()
    draft.rule(
        "nat", "PREROUTING", f"-p udp -m udp --dport 5300 -j DNAT --to-destination {address(box)}:53", first=True
    )
    if draft.chance(0.5):
        draft.rule("filter", "FORWARD", f"-d {address(box)} -m conntrack --ctstate NEW -j DROP")
    for origin in (draft.box().name, draft.box().name, OUTSIDE, OUTSIDE, HOST):
        for dst, port in ((address(draft.box()), 53), (UPLINK_ADDRESS, 5300), (OUTSIDE_SERVER, 53)):
            if origin == OUTSIDE and dst == OUTSIDE_SERVER:
                continue
            probe = draft.probe(origin, dst, draft.pick(("udp", "udp", "tcp")), port)
            if draft.chance(0.75):
                _remember(draft, probe)


def _remember(draft: Draft, probe: Probe) -> None:
    """Make an entry for a packet: as it is, translated, or as an answer to somebody."""
    src, dst, sport, dport = probe.src, probe.dst, probe.sport, probe.dport
    back = draft.chance(0.2)
    if back:
        src, dst, sport, dport = dst, src, dport, sport
    words = f"-I -p {probe.proto} -s {src} -d {dst} --sport {sport} --dport {dport} --timeout 600"
    if draft.chance(0.5) or back:
        words += " -u SEEN_REPLY"
    if probe.proto == "tcp":
        words += f" --state {draft.pick(('ESTABLISHED', 'SYN_SENT', 'TIME_WAIT', 'CLOSE'))}"
    if not back:
        words += draft.pick(
            (
                "",
                "",
                f" --dst-nat {address(draft.box())}:{dport}",
                " --dst-nat 10.1.0.250:53",
                f" --src-nat {UPLINK_ADDRESS}",
            )
        )
    if draft.chance(0.1):
        words += " -m 1"
    draft.step(HOST, f"conntrack {words}")


def proxies(draft: Draft) -> None:
    """Proxies as docker-proxy is one: whoever connects to the host is answered by a container, if all is well."""
    box = draft.box()
    port = 7070
    draft.proxy(draft.pick((_ANY, _ANY, "127.0.0.1", UPLINK_ADDRESS)), port, address(box), draft.pick((80, 80, 81)))
    trouble = draft.random.random()
    if trouble < 0.15:
        draft.step(HOST, f"ip link set {draft.port(box)} down")
    elif trouble < 0.3:
        draft.rule("filter", "OUTPUT", f"-d {address(box)} -j DROP", first=True)
    elif trouble < 0.45:
        draft.rule("filter", "INPUT", f"-i {draft.home(box).name} -j DROP", first=True)
    elif trouble < 0.55:
        draft.step(HOST, f"ip route add blackhole {address(box)}/32")
    elif trouble < 0.6:
        draft.rule("filter", "OUTPUT", f"-d {address(box)} -p tcp -j REJECT --reject-with tcp-reset", first=True)
    if draft.chance(0.3):
        draft.rule(
            "nat", "PREROUTING", f"-p tcp -m tcp --dport {port} -j DNAT --to-destination {address(box)}:80", first=True
        )
    for origin in (HOST, OUTSIDE, box.name, draft.box().name):
        draft.probe(origin, UPLINK_ADDRESS, "tcp", port, connects=True)
    draft.probe(HOST, "127.0.0.1", "tcp", port, connects=True)
    draft.probe(HOST, address(draft.home(box)), "tcp", port, connects=True)
    draft.probe(draft.box().name, address(draft.home(box)), "tcp", port, connects=True)


def sockets(draft: Draft) -> None:
    """Sockets on one address beside those on all, or alone."""
    box = draft.box()
    for place, own in ((HOST, UPLINK_ADDRESS), (HOST, address(draft.bridge())), (box.name, address(box))):
        if draft.chance(0.6):
            draft.bound(place, "udp", own, draft.pick((53, 5353)))
        if draft.chance(0.6):
            draft.bound(place, "tcp", own, 8181)
    if draft.chance(0.5):
        draft.bound(HOST, "udp", "127.0.0.1", 53)
        draft.bound(HOST, "tcp", "127.0.0.1", 8181)
    if draft.chance(0.3):
        draft.rule("nat", "PREROUTING", f"-i {UPLINK} -p udp -m udp --dport 53 -j REDIRECT --to-ports 5353", first=True)
    for origin in (HOST, OUTSIDE, box.name, draft.box().name):
        for dst in (UPLINK_ADDRESS, address(draft.bridge()), address(box)):
            draft.probe(origin, dst, "udp", draft.pick((53, 5353)))
            draft.probe(origin, dst, "tcp", 8181, connects=True)
    draft.probe(HOST, "127.0.0.1", "tcp", 8181, connects=True)
    draft.probe(HOST, "127.0.0.1", "udp", 53)


_OPENING = "--tcp-flags FIN,SYN,RST,ACK"
_LATER = (
    "-m conntrack --ctstate ESTABLISHED --ctdir ORIGINAL",
    "-m conntrack --ctstate ESTABLISHED --ctdir REPLY",
    "-m conntrack --ctstate ESTABLISHED",
    "-m conntrack --ctstate INVALID",
    "-m conntrack --ctstatus ASSURED",
    "-m conntrack --ctstatus SEEN_REPLY --ctdir ORIGINAL",
    f"-p tcp -m tcp ! {_OPENING} SYN",
    f"-p tcp -m tcp {_OPENING} ACK",
    f"-p tcp -m tcp {_OPENING} ACK -m conntrack --ctdir REPLY",
    "-p tcp -m tcp --tcp-flags PSH PSH",
    "-p tcp -m length --length 100:200",
    "-p tcp -m length ! --length 0:61",
    "-p tcp -m length --length 1000:1500",
    "-p tcp -m length --length 100:200 -m conntrack --ctdir REPLY",
    "-p tcp -m conntrack ! --ctstate NEW -m length --length 0:100",
)
_NATIVE_LATER = (
    "ct state vmap { established : drop, new : accept }",
    "ct state established ct direction original drop",
    "tcp flags & (fin | syn | rst | ack) == ack meta length > 100 drop",
    "ct direction reply meta length 100-1500 drop",
    "tcp flags ack counter drop",
)


def later(draft: Draft) -> None:
    """Rules that let a handshake pass and stop what follows, or only seem to; real connections with data."""
    draft.listens(8080)
    for _ in range(draft.random.randint(1, 2)):
        table, chain = draft.pick(
            (("filter", "FORWARD"), ("filter", "FORWARD"), ("filter", "INPUT"), ("filter", "OUTPUT"),
             ("mangle", "PREROUTING"), ("mangle", "POSTROUTING"))
        )  # fmt: skip
        scope = f"-i {draft.bridge().name} " if chain not in {"OUTPUT", "POSTROUTING"} and draft.chance(0.4) else ""
        draft.rule(table, chain, f"{scope}{draft.pick(_LATER)} -j {draft.pick(('DROP', 'DROP', 'ACCEPT'))}", first=True)
    if draft.chance(0.3):
        hook, text = draft.pick(("forward", "input", "output")), draft.pick(_NATIVE_LATER)
        draft.native(f"table inet later {{ chain c {{ type filter hook {hook} priority 5; {text}; }}; }}")
    if draft.chance(0.3):
        draft.rule("filter", "INPUT", "-p tcp -m tcp --syn -j ACCEPT", first=True)
        draft.rule("filter", "INPUT", "-p tcp -j DROP")
    for origin in (draft.box().name, draft.box().name, HOST, OUTSIDE):
        for dst, port in ((address(draft.box()), 80), (UPLINK_ADDRESS, 8080), (OUTSIDE_SERVER, 80)):
            if origin != OUTSIDE or dst != OUTSIDE_SERVER:
                draft.probe(origin, dst, "tcp", port, connects=True)
