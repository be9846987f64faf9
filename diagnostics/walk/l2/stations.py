"""Where a bridge sends a frame: by its forwarding entries, or flooded.  Pure.

Sources: net/bridge/br_fdb.c (br_fdb_update: a static entry moves with its
owner, a sticky one and the bridge's own don't), br_input.c (br_handle_frame_finish),
br_device.c (br_dev_xmit), br_forward.c (br_flood).
"""

from __future__ import annotations

from dnet_tui.diagnostics.walk.namespace_index import NamespaceIndex
from dnet_tui.diagnostics.walk.packet import Decider, Learned
from dnet_tui.inspect.model import FdbEntry, Link


class Stations:
    """What a walk's bridges know of MAC addresses: the snapshot's entries, and what the walk's own frames taught."""

    def __init__(self, learned: Learned) -> None:
        self._ports = {(namespace, bridge, mac): port for namespace, bridge, mac, port in learned.stations}
        self._remotes = {(namespace, link, mac): remote for namespace, link, mac, remote in learned.remotes}
        self._neighbours = {(namespace, link, address): mac for namespace, link, address, mac in learned.neighbours}

    def learned(self) -> Learned:
        """What was taught, for the answer's walk."""
        return Learned(
            stations=tuple((*key, port) for key, port in self._ports.items()),
            neighbours=tuple((*key, mac) for key, mac in self._neighbours.items()),
            remotes=tuple((*key, remote) for key, remote in self._remotes.items()),
        )

    def meet(self, namespace: str, ifindex: int, address: str, mac: str) -> None:
        """Who answers a question learns who asked."""
        self._neighbours[namespace, ifindex, address] = mac

    def neighbour(self, namespace: str, ifindex: int, address: str) -> str:
        """The MAC address learnt by being asked; empty for none."""
        return self._neighbours.get((namespace, ifindex, address), "")

    def teach_remote(self, namespace: str, ifindex: int, mac: str, remote: str) -> None:
        """A VXLAN has received a frame from ``mac`` by an outer packet from ``remote`` (vxlan_snoop)."""
        if mac and remote:
            self._remotes[namespace, ifindex, mac] = remote

    def remote(self, namespace: str, ifindex: int, mac: str) -> str:
        """The tunnel's end that a VXLAN has learnt for a MAC address; empty for none."""
        return self._remotes.get((namespace, ifindex, mac), "")

    def teach(self, index: NamespaceIndex, bridge: Link, port: Link, mac: str, vlan: int = 0) -> None:
        """A frame from ``mac`` came in by a port, in a VLAN of a bridge that filters (0: of one that doesn't)."""
        if not mac or (port.port is not None and not port.port.learning):
            return
        entry = _entry(index, bridge, mac, vlan)
        if entry is not None and ("sticky" in entry.flags or entry.state == "permanent"):
            return  # what is the bridge's own it doesn't learn to be elsewhere
        self._ports[index.ns.id, bridge.ifindex, _key(mac, vlan)] = port.ifindex

    def port(self, index: NamespaceIndex, bridge: Link, mac: str, vlan: int = 0) -> tuple[int, FdbEntry | None] | None:
        """The port (its ifindex) to which a bridge sends frames for ``mac``, and the entry that says so.

        None where it doesn't know and floods; no entry where the walk's own
        frames taught it.
        """
        taught = self._ports.get((index.ns.id, bridge.ifindex, _key(mac, vlan)))
        if taught is not None:
            return taught, None
        entry = _entry(index, bridge, mac, vlan)
        return None if entry is None else (entry.ifindex, entry)


def _key(mac: str, vlan: int) -> str:
    """How a MAC address is kept: each VLAN of a bridge has entries of its own."""
    return f"{mac} vlan {vlan}" if vlan else mac


def _entry(index: NamespaceIndex, bridge: Link, mac: str, vlan: int) -> FdbEntry | None:
    return index.fdb_of_vlan.get((bridge.ifindex, mac, vlan)) if vlan else index.fdb.get((bridge.ifindex, mac))


def is_own(known: tuple[int, FdbEntry | None]) -> bool:
    """Whether a bridge takes a MAC address for its host's (a permanent entry): what comes by a port goes no further."""
    return known[1] is not None and known[1].state == "permanent"


def astray(index: NamespaceIndex, bridge: Link, mac: str, port: int, entry: FdbEntry | None) -> Decider:
    """The decider when an entry leads frames away from their owner."""
    name = index.names.get(port, str(port))
    kind = " ".join(filter(None, (entry.state, *entry.flags))) if entry is not None else "learnt"
    text = f"{bridge.name} sends frames for {mac} to port {name} ({kind} entry), where its owner isn't"
    return Decider(kind="link", text=text, namespace=index.ns.id, value=f"fdb {kind}", interface=name)


def unflooded(index: NamespaceIndex, port: Link, mac: str) -> Decider:
    """The decider when a bridge doesn't know a MAC address, and its port gets nothing that is flooded."""
    text = f"the bridge doesn't know {mac}, and port {port.name} gets no unknown unicast"
    return Decider(kind="link", text=text, namespace=index.ns.id, value="flood off", interface=port.name)
