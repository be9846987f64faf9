"""The model of IPsec policies: which packets are blocked, let pass, or must be transformed.  Pure data."""

from __future__ import annotations

from typing import Literal

from dnet_tui.inspect.model.links import Family, ModelStruct


class XfrmTemplate(ModelStruct, frozen=True, kw_only=True):
    """How a policy wants packets transformed.  ``optional``: it may also pass as it is (``level use``)."""

    proto: str
    """``esp``, ``ah``, ``comp`` …, or its number."""
    mode: str
    """``transport``, ``tunnel``, ``beet`` …, or its number."""
    src: str = ""
    dst: str = ""
    reqid: int = 0
    optional: bool = False


class XfrmPolicy(ModelStruct, frozen=True, kw_only=True):
    """One policy (``ip xfrm policy``).

    ``sport`` and ``dport`` are (value, mask); for ICMP its type and code.
    ``proto`` 0 is any, ``ifindex`` 0 too.  Of those that fit a packet the one
    with the lowest ``priority`` number decides.
    """

    family: Family
    direction: Literal["in", "out", "fwd"]
    action: Literal["allow", "block"] = "allow"
    priority: int = 0
    src: str
    """As a CIDR."""
    dst: str
    proto: int = 0
    sport: tuple[int, int] = (0, 0)
    dport: tuple[int, int] = (0, 0)
    ifindex: int = 0
    mark: tuple[int, int] = (0, 0)
    if_id: int = 0
    templates: tuple[XfrmTemplate, ...] = ()
    other: tuple[str, ...] = ()
    """What is there and not modelled: such a policy can't be decided by it."""
