"""Phase two: which link is whose peer, across namespaces.  Pure.

A veth names its peer by ifindex (``IFLA_LINK``) and namespace
(``IFLA_LINK_NETNSID``, a number that means something only in the namespace
where it was read).  Older kernels leave ``IFLA_LINK`` out when it equals the
link's own index.  Both ends must name each other; where they don't, or where
one end couldn't be seen, the link says so in ``peer_note``.

For the other kinds that lie on top of a link (macvlan, ipvlan, vlan, vxlan)
``peer`` is that lower link.  A tunnel's outer packets travel in the namespace
where it was made, which the kernel names likewise; a moved one keeps it.

Source: rtnl_fill_link_netnsid() and nla_put_iflink() in net/core/rtnetlink.c,
veth_get_iflink() in drivers/net/veth.c.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from dnet_tui.inspect.model import Link, LinkRef
from dnet_tui.inspect.model.coverage.namespace_reading import AS_ROOT, NamespaceReading
from dnet_tui.inspect.model.links import OUT_OF_SIGHT, PAIRS, TUNNELS, UNDERLAY_UNSEEN


def resolve_links(seen: Iterable[NamespaceReading], *, privileged: bool = True) -> dict[str, tuple[Link, ...]]:
    """The links of every namespace (by its id) with ``peer`` and ``peer_note`` filled in."""
    spaces = {contents.id: contents for contents in seen}
    peers = _Peers(spaces, privileged=privileged)
    return {key: tuple(peers.resolved(key, link) for link in contents.links) for key, contents in spaces.items()}


def is_out_of_sight(link: Link) -> bool:
    """Whether a link, once resolved, has its other end in a namespace that wasn't read."""
    if link.kind in PAIRS:
        return link.leads_out_of_sight
    if link.kind in TUNNELS:
        return link.underlay == UNDERLAY_UNSEEN
    return link.peer is None and link.lower_nsid is not None and bool(link.lower)


class _Peers:
    """What every link says of its peer, and which links say so of it."""

    def __init__(self, spaces: Mapping[str, NamespaceReading], *, privileged: bool) -> None:
        self._spaces = spaces
        self._privileged = privileged
        self._links = {
            LinkRef(namespace=key, ifindex=link.ifindex): link
            for key, contents in spaces.items()
            for link in contents.links
        }
        self._claims = dict(self._claimed())
        self._claimants: dict[LinkRef, list[LinkRef]] = {}
        for ref, claim in self._claims.items():
            if self._links[ref].kind in PAIRS:
                self._claimants.setdefault(claim, []).append(ref)

    def _claimed(self) -> Iterator[tuple[LinkRef, LinkRef]]:
        """The peer that each link names, where its namespace's number is known."""
        for ref, link in self._links.items():
            index = lower_ifindex(link, self._spaces[ref.namespace].peers)
            space = self._space(ref.namespace, link)
            if index is not None and space is not None:
                yield ref, LinkRef(namespace=space, ifindex=index)

    def _space(self, own: str, link: Link) -> str | None:
        if link.lower_nsid is None:
            return own
        return self._spaces[own].nsids.get(link.lower_nsid)

    def resolved(self, space: str, link: Link) -> Link:
        ref = LinkRef(namespace=space, ifindex=link.ifindex)
        if link.kind not in PAIRS:
            claim = self._claims.get(ref)
            changes: dict[str, object] = {"peer": claim} if claim in self._links else {}
            if link.kind in TUNNELS and link.lower_nsid is not None:
                below = self._space(space, link)
                changes["underlay"] = below if below in self._spaces else UNDERLAY_UNSEEN
            return msgspec.structs.replace(link, **changes) if changes else link
        peer, note = self._veth_peer(ref, link)
        return msgspec.structs.replace(link, peer=peer, peer_note=note)

    def _veth_peer(self, ref: LinkRef, link: Link) -> tuple[LinkRef | None, str]:
        claim = self._claims.get(ref)
        if claim is None:
            return self._by_the_other_end(ref, link)
        if claim.namespace not in self._spaces:
            return None, self._unseen(f"interface {claim.ifindex} of {claim.namespace}")
        other = self._links.get(claim)
        if other is None:
            return None, (
                f"peer not found reliably: interface {claim.ifindex}, which it names, is not in {claim.namespace};"
                " it may have been removed while it was being read"
            )
        if self._claims.get(claim) == ref:
            return claim, self._witness_note(ref, link)
        if claim not in self._claims and other.kind == link.kind and self._fits(other, ref):
            return claim, f"by its own word only: {other.name} could not tell its peer's namespace"
        return None, (
            f"peer not found reliably: it names {other.name} (interface {claim.ifindex} of {claim.namespace}),"
            " which does not name it"
        )

    def _by_the_other_end(self, ref: LinkRef, link: Link) -> tuple[LinkRef | None, str]:
        """The veth can't say in which namespace its peer is; another's word for it will do, if there is just one."""
        if link.lower == 0:
            return None, "it has no peer: the other end is being removed"
        index = lower_ifindex(link, self._spaces[ref.namespace].peers)
        fitting = [claimant for claimant in self._claimants.get(ref, []) if index in (None, claimant.ifindex)]
        if len(fitting) == 1:
            return fitting[0], "by the word of its peer: this end could not tell the namespace"
        where = f"interface {index}" if index is not None else "an unknown interface"
        number = f" (number {link.lower_nsid} here)" if link.lower_nsid is not None and link.lower_nsid >= 0 else ""
        return None, self._unseen(where + number)

    def _fits(self, other: Link, ref: LinkRef) -> bool:
        """Whether an end that can't tell its peer's namespace could mean ``ref``."""
        return other.lower != 0 and lower_ifindex(other, {}) in (None, ref.ifindex)

    def _witness_note(self, ref: LinkRef, link: Link) -> str:
        """Say so where the index came from the driver's statistic."""
        by_ethtool = link.lower is None and link.lower_nsid is None and ref.ifindex in self._spaces[ref.namespace].peers
        return "by the driver's statistic peer_ifindex" if by_ethtool else ""

    def _unseen(self, what: str) -> str:
        return f"{OUT_OF_SIGHT}: {what}" + ("" if self._privileged else f"; {AS_ROOT} to see it")


def lower_ifindex(link: Link, witness: Mapping[int, int]) -> int | None:
    """The index of the link below, or of the veth's peer; None when nothing tells it.

    ``witness`` is ethtool's word by ifindex, used where netlink is silent.
    """
    if link.lower is not None:
        # Many tunnels tell their own index, which in the namespace of their outer packets means nothing.
        return None if link.kind in TUNNELS and link.lower == link.ifindex else link.lower or None
    said = witness.get(link.ifindex) if link.kind == "veth" else None
    if said is None and link.lower_nsid is not None and link.kind not in TUNNELS:
        return link.ifindex  # older kernels leave the index out when it equals the link's own
    return said
