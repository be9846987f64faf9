"""The model of traffic control: the filters that decide over packets at a device.  Pure data."""

from __future__ import annotations

from typing import Literal

from dnet_tui.inspect.model.links import ModelStruct


class TrafficFilter(ModelStruct, frozen=True, kw_only=True):
    """A filter of ``tc`` at a link, a BPF program attached there by tcx, or a qdisc that drops; in the kernel's order.

    ``place``: ``ingress`` and ``egress`` of a clsact (or ingress) qdisc,
    ``root`` of a classful qdisc, which what is sent passes after egress.
    """

    ifindex: int
    place: Literal["ingress", "egress", "root"]
    kind: str
    """``bpf``, ``u32``, ``matchall``, ``flower`` … as in ``TCA_KIND``; ``tcx`` for a program without a filter."""
    protocol: int = 3
    """The EtherType that it looks at; 3 (ETH_P_ALL): every one."""
    priority: int = 0
    chain: int = 0
    program: str = ""
    """A BPF program's name and id."""
    actions: tuple[str, ...] = ()
    """What it does with a packet it matches, in order: ``gact drop``, ``mirred`` …; none: it only classifies."""
    qdisc: str = ""
    """What a qdisc, rather than a filter, does: it drops all it is given (``unmodelled``: only some of it)."""
    unmodelled: bool = False
    """It has something that isn't modelled: an action of the old kind, one by chance, one for hardware alone."""
