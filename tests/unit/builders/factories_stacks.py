"""Small hosts of links that lie on others, put together from a line each.  Constructed: no kernel made them."""

from __future__ import annotations

import ipaddress
from typing import Any

from dnet_tui.diagnostics.walk.api import reply, walk
from dnet_tui.diagnostics.walk.packet import Packet, Walk
from dnet_tui.inspect.model import (
    Address,
    AnyDetail,
    BridgePort,
    Host,
    Link,
    LinkRef,
    Namespace,
    NextHop,
    PolicyRule,
    Route,
    Snapshot,
    Socket,
)
from dnet_tui.inspect.model.firewall import Firewall
from dnet_tui.inspect.model.view import View

HOST = "net:[1]"
_MAIN, _LOCAL = 254, 255


def device(ifindex: int, name: str, kind: str = "", *, peer: tuple[str, int] | None = None, **more: Any) -> Link:
    """A link that is up; ``peer`` is the other end, or the link it lies on."""
    fields: dict[str, Any] = {"mac": f"02:00:00:00:{len(name):02x}:{ifindex:02x}", "mtu": 1500}
    fields |= {"operstate": "UP", "up": True, "carrier": True}
    ref = LinkRef(namespace=peer[0], ifindex=peer[1]) if peer is not None else None
    return Link(ifindex=ifindex, name=name, kind=kind, peer=ref, **{**fields, **more})


def bridge_port(ifindex: int, name: str, master: int, peer: tuple[str, int] | None, **more: Any) -> Link:
    """A bridge's port that forwards."""
    port = more.pop("port", BridgePort(state="forwarding"))
    return device(ifindex, name, more.pop("kind", "veth"), peer=peer, master=master, port=port, **more)


def above(ifindex: int, name: str, kind: str, lower: tuple[str, int], detail: AnyDetail, **more: Any) -> Link:
    """A link above another."""
    return device(ifindex, name, kind, peer=lower, detail=detail, **more)


def space(
    ident: str,
    *links: Link,
    addresses: dict[int, str] | None = None,
    routes: tuple[str, ...] = (),
    listens: tuple[int, ...] = (80,),
    **more: Any,
) -> Namespace:
    """A namespace: addresses by ifindex (``10.0.0.1/24``), routes as ``DST via GATEWAY dev IFINDEX table N``."""
    lo = Link(ifindex=1, name="lo", kind="loopback", up=True, carrier=True)
    held = [(index, ipaddress.ip_interface(cidr)) for index, cidr in (addresses or {}).items()]
    own = [
        Address(ifindex=index, family="ip", address=str(item.ip), prefixlen=item.network.prefixlen)
        for index, item in held
    ]
    made = [
        Route(
            family="ip",
            table=_LOCAL,
            type="local",
            dst=f"{item.ip}/32",
            hops=(NextHop(ifindex=index),),
            scope="host",
            protocol="kernel",
        )
        for index, item in held
    ]
    made.append(Route(family="ip", table=_LOCAL, type="local", dst="127.0.0.0/8", hops=(NextHop(ifindex=1),)))
    made += [
        Route(family="ip", table=_MAIN, type="unicast", dst=str(item.network), hops=(NextHop(ifindex=index),))
        for index, item in held
        if item.network.prefixlen < 32
    ]
    links = (lo, *links)
    sysctls = {f"net.ipv4.conf.{link.name.replace('.', '/')}.forwarding": "1" for link in links}
    fields: dict[str, Any] = {"sysctls": sysctls, "wireguard": (), "xfrm_policies": 0, "xfrm": ()}
    return Namespace(
        id=ident,
        inode=int("".join(filter(str.isdigit, ident)) or 0),
        kind="host" if ident == HOST else "container",
        names=() if ident == HOST else (ident,),
        links=links,
        addresses=tuple(own),
        routes=(*made, *(_route(text) for text in routes)),
        policy_rules=more.pop("rules", _rules()),
        sockets=tuple(
            Socket(proto="tcp", address="0.0.0.0", port=port, process="app")  # noqa: S104 - described, not bound
            for port in listens
        ),
        firewall=more.pop("firewall", Firewall()),
        **{**fields, **more},
    )


def _rules() -> tuple[PolicyRule, ...]:
    return tuple(
        PolicyRule(family="ip", priority=priority, table=table) for priority, table in ((0, 255), (32766, 254))
    )


def _route(text: str) -> Route:
    words = text.split()
    given = dict(zip(words[1::2], words[2::2], strict=True))
    hop = NextHop(ifindex=int(given["dev"]), gateway=given.get("via"))
    dst = "0.0.0.0/0" if words[0] == "default" else words[0]
    return Route(family="ip", table=int(given.get("table", _MAIN)), type="unicast", dst=dst, hops=(hop,))


def host_of(*spaces: Namespace, **more: Any) -> Snapshot:
    """A snapshot of these namespaces."""
    return Snapshot(host=Host(hostname="lab", kernel="6.12.0"), namespaces=spaces, **more)


def sent(snapshot: Snapshot, origin: str, src: str, dst: str, *, port: int = 80, **more: Any) -> Walk:
    """A SYN from a namespace."""
    packet = Packet(src=src, dst=dst, proto="tcp", sport=40000, dport=port, tcp_flags=("SYN",))
    return walk(View(snapshot), packet, origin=origin, **more)


def there_and_back(snapshot: Snapshot, origin: str, src: str, dst: str, **more: Any) -> tuple[str, str, str]:
    """How a SYN ends, in which namespace, and how its answer does (empty where there is none)."""
    there = sent(snapshot, origin, src, dst, **more)
    back = reply(View(snapshot), there).end if there.arrives else ""
    return there.end, there.last_namespace, back


def why(found: Walk) -> str:
    """What decided."""
    return found.decided_by.text if found.decided_by is not None else ""
