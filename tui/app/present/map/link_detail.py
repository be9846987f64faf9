"""Everything known of one interface, and of the network on a bridge.  Pure."""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.difference.rates import LinkRate, Rates, spoken
from dnet_tui.diagnostics.report.report import Report
from dnet_tui.inspect.model import Link, LinkRef, Namespace, Network
from dnet_tui.inspect.model.view import View
from dnet_tui.tui.app.present import findings, findings_of
from dnet_tui.tui.app.present.map.kernel_defaults import departing
from dnet_tui.tui.app.present.map.link_stack import stack
from dnet_tui.tui.app.present.styled_text import BLANK, Paragraph, TextRole, TextSpan, bullet, fact, heading, line, say


def detail(
    view: View, report: Report | None, namespace: str, ifindex: int, rates: Rates | None = None
) -> Iterator[Paragraph]:
    """Yield the detail pane of a link; nothing when it is gone."""
    ref = LinkRef(namespace=namespace, ifindex=ifindex)
    link = view.links.get(ref)
    ns = view.namespaces.get(namespace)
    if link is None or ns is None:
        return
    network = view.network_of_bridge(link.name) if ns.kind == "host" else None
    kind = link.kind or "device"
    where = "" if ns.kind == "host" else f" in {view.label(ns.id)}"
    yield Paragraph(line(say(link.name, "head"), say(f"  {kind}{where}", "dim")))
    if network is not None:
        yield fact("network", say(network.name, "info"), f" ({network.engine})")
    yield from facts(view, ns, link)
    if ns.kind == "host":
        yield from findings.briefly(findings_of.concerning(report, findings_of.of_link(link, network)))
    if link.kind == "bridge":
        yield from _bridge(view, ns, link)
    if network is not None:
        yield BLANK
        yield heading(f"{network.engine} network {network.name}")
        yield from network_facts(network)
    if link.port is not None:
        yield from _port(link)
    yield from _sysctls(ns, link)
    yield from _counters(link, rates.link(ref) if rates else None)


def facts(view: View, ns: Namespace, link: Link) -> Iterator[Paragraph]:
    """Yield what is asked of an interface first: state, addresses, where it leads."""
    yield fact("state", *_state(link))
    for index, address in enumerate(view.addresses_of(LinkRef(namespace=ns.id, ifindex=link.ifindex))):
        scope = "" if address.scope == "global" else f" {address.scope}"
        flags = "".join(f" {flag}" for flag in address.flags)
        yield fact("" if index else "addresses", say(address.cidr, "name"), say(scope + flags, "dim"))
    if link.master is not None:
        master = view.links.get(LinkRef(namespace=ns.id, ifindex=link.master))
        yield fact("port of", say(master.name if master else f"index {link.master}", "name"))
    if link.kind == "veth":
        yield from _peer(view, link)
    yield from stack(view, ns, link)
    if link.mac:
        yield fact("mac", link.mac)
    yield fact("mtu", str(link.mtu))
    yield fact("index", str(link.ifindex))
    if link.alias:
        yield fact("alias", link.alias)


def _state(link: Link) -> tuple[TextSpan, ...]:
    if not link.up:
        return (say("down", "bad"), say(" (administratively)", "dim"))
    if not link.carrier and link.kind != "loopback":
        return (say("up, no carrier", "warn"),)
    return (say("up", "good"), say(f" {link.operstate.lower()}" if link.operstate not in {"UP", "UNKNOWN"} else ""))


def _peer(view: View, link: Link) -> Iterator[Paragraph]:
    """Both ends, each with its index: what ``ethtool -S`` and ``ip link`` would tell apart."""
    if link.peer is None:
        yield fact("peer", say("not found reliably", "warn"))
        if link.peer_note:
            yield fact("", say(link.peer_note, "dim"))
        return
    far = view.links.get(link.peer)
    name = far.name if far else "?"
    yield fact("peer", say(name, "name"), f" index {link.peer.ifindex} in {view.label(link.peer.namespace)}")
    far_ns = view.namespaces.get(link.peer.namespace)
    if far is not None and far.master is not None and far_ns is not None:
        master = view.links.get(LinkRef(namespace=far_ns.id, ifindex=far.master))
        if master is not None:
            network = view.network_of_bridge(master.name)
            called = f" (network {network.name})" if network else ""
            yield fact("on bridge", say(master.name, "name"), called)


def _bridge(view: View, ns: Namespace, link: Link) -> Iterator[Paragraph]:
    ports = view.ports_of(ns.id, link.ifindex)
    yield BLANK
    yield heading(f"Ports ({len(ports)})")
    for port in ports:
        far = view.links.get(port.peer) if port.peer else None
        leads = f" ↔ {view.label(port.peer.namespace)} {far.name if far else '?'}" if port.peer else ""
        state = port.port.state if port.port else "unknown"
        role: TextRole = "dim" if state == "forwarding" else "warn"
        yield bullet(say(port.name, "name"), leads, say(f" {state}", role))
    if link.bridge is None:
        return
    yield BLANK
    yield heading("Bridge")
    yield fact("stp", _on(on=link.bridge.stp))
    yield fact("vlan filter", _on(on=link.bridge.vlan_filtering))
    calls = [
        name
        for name, on in (
            ("iptables", link.bridge.nf_call_iptables),
            ("ip6tables", link.bridge.nf_call_ip6tables),
            ("arptables", link.bridge.nf_call_arptables),
        )
        if on
    ]
    yield fact("nf-call", ", ".join(calls) or "none of its own")
    yield fact("ageing", f"{link.bridge.ageing_time / 100:g} s")


def _on(*, on: bool) -> str:
    return "on" if on else "off"


def _port(link: Link) -> Iterator[Paragraph]:
    port = link.port
    if port is None:
        return
    yield BLANK
    yield heading("Bridge port")
    yield fact("stp state", say(port.state, "good" if port.state == "forwarding" else "warn"))
    yield fact("isolated", _on(on=port.isolated))
    yield fact("hairpin", _on(on=port.hairpin))
    yield fact("learning", _on(on=port.learning))
    kinds = (("unicast", port.flood), ("broadcast", port.broadcast_flood), ("multicast", port.multicast_flood))
    yield fact("floods", ", ".join(name for name, on in kinds if on) or say("nothing", "warn"))


def _sysctls(ns: Namespace, link: Link) -> Iterator[Paragraph]:
    """This interface's kernel parameters that somebody set otherwise (a dot in its name is a slash in theirs)."""
    name = link.name.replace(".", "/")
    own = {key: value for key, value in ns.sysctls.values.items() if f".{name}." in key}
    wanted = tuple(departing(own))
    if not wanted:
        return
    yield BLANK
    yield heading("Kernel parameters")
    for key, value in wanted:
        head, _, tail = key.partition(f".{name}.")
        yield bullet(f"{head.split('.')[1]} {tail} = ", say(value, "name"))


def _counters(link: Link, rate: LinkRate | None) -> Iterator[Paragraph]:
    stats = link.stats
    yield BLANK
    yield heading("Counters")
    for word, packets, size, errors, dropped in (
        ("received", stats.rx_packets, stats.rx_bytes, stats.rx_errors, stats.rx_dropped),
        ("sent", stats.tx_packets, stats.tx_bytes, stats.tx_errors, stats.tx_dropped),
    ):
        lost = (say(f", {errors} errors, {dropped} dropped", "warn"),) if errors or dropped else ()
        yield fact(word, f"{packets} packets, {size} bytes", *lost)
        if rate is not None:
            now = (rate.rx_packets, rate.rx_bytes) if word == "received" else (rate.tx_packets, rate.tx_bytes)
            yield fact("", f"{spoken(now[0])}, {spoken(now[1], 'B')}", say(f"  over {rate.seconds:.0f} s", "dim"))


def network_facts(network: Network) -> Iterator[Paragraph]:
    """Yield a network's intention as its engine stated it; what nobody stated is left out."""
    yield fact("id", network.id[:12])
    yield fact("driver", network.driver)
    if network.bridge:
        yield fact("bridge", network.bridge)
    for index, subnet in enumerate(network.subnets):
        gateway = f" gateway {subnet.gateway}" if subnet.gateway else ""
        yield fact("" if index else "subnet", say(subnet.cidr, "name"), gateway)
    stated = (
        ("internal", network.internal),
        ("masquerade", network.masquerade),
        ("isolated", network.isolated),
        ("icc", network.icc),
    )
    for name, value in stated:
        if value is not None:
            yield fact(name, "yes" if value else "no")
    for name, text in (
        ("mode v4", network.gateway_mode4),
        ("mode v6", network.gateway_mode6),
        ("binds to", network.host_binding),
        ("mtu", str(network.mtu) if network.mtu else ""),
    ):
        if text:
            yield fact(name, text)
    for key, text in sorted(network.options.items()):
        yield bullet(say(key.removeprefix("com.docker.network."), "dim"), f" = {text}")
