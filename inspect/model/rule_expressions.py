"""The expressions of a rule that stand for themselves: conditions on a packet, and what is done to it.  Pure data.

Those that lead to other chains, or look into sets, are beside the tables in
:mod:`dnet_tui.inspect.model.firewall`, where all of them can be had.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from dnet_tui.inspect.model.match_fields import FieldName


class Expr(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="expr", gc=False):
    """Base of the expressions a rule is made of.  They hold only values, so the garbage collector needn't look."""


class Match(Expr, frozen=True, kw_only=True, tag="match"):
    """True when ``field`` of the packet is (or with ``negate``: is not) one of ``values``.

    The fields, and the form of their values, are in ``match_fields``.

    All values of one match are alternatives; without values nothing matches
    (and with ``negate`` everything).  Evaluators must answer "unknown" for a
    field they don't know.  nftables' unmodelled keys of verdict maps and
    concatenations are fields named by their text (``meta cpu``).

    A match on something that the packet doesn't have is False, negated or
    not: an address of the other family, a port of a protocol without ports, a
    MAC address at output, whatever belongs to the connection (``ct…`` but
    ``ctstate``) of an untracked or invalid packet.  The reader of nftables
    writes what nft takes for granted (``nfproto``, ``proto``) before such
    matches all the same.  tcp-flags of nftables may name ``ECE`` and ``CWR``.
    """

    field: FieldName
    values: tuple[str, ...]
    negate: bool = False


class SetLookup(Expr, frozen=True, kw_only=True, tag="set"):
    """``-m set --match-set NAME DIRS`` or nft ``@NAME``; ``dirs`` such as ``("src", "dst")``."""

    name: str
    dirs: tuple[str, ...]
    negate: bool = False


class Opaque(Expr, frozen=True, kw_only=True, tag="opaque"):
    """A construct that is not modelled.  ``role`` tells whether it decides (match) or acts (target).

    ``needs``: what a packet must have for such a match to hold at all.
    """

    text: str
    role: Literal["match", "target"] = "match"
    needs: tuple[Match, ...] = ()


EVERY_PACKET, NO_PACKET = "for every packet", "for no packet"
"""What is said of a condition on more than one packet that depends on none."""


class StatefulMatch(Expr, frozen=True, kw_only=True, tag="stateful"):
    """A condition on more than one packet: a rate, a count, an amount, chance.

    ``first`` tells what it is for a packet that comes alone, before any other
    like it; ``words`` say for which packets it holds: "while at most 10 a
    second come (burst 5)".  Where it is ``chance``, nobody can foretell it for
    a single packet, and ``first`` is what is likelier.  ``needs``: as with
    :class:`Opaque`.  ``answer`` tells what it is for the first answer; None: the same.
    """

    text: str
    first: bool
    words: str
    answer: bool | None = None
    chance: bool = False
    needs: tuple[Match, ...] = ()

    @property
    def is_certain(self) -> bool:
        """Whether it holds for every packet, or for none, whatever came before."""
        return self.words in {EVERY_PACKET, NO_PACKET}


class SetMark(Expr, frozen=True, kw_only=True, tag="setmark"):
    """Sets the packet's (``meta``) or the connection's (``ct``) mark: ``(old & ~mask) ^ value``.

    ``op`` ``save`` copies meta to ct and ``restore`` ct to meta, under
    ``mask`` (and of the other mark only the bits of ``source_mask``, where
    that differs); ``unknown`` sets what nobody can tell from the rule.
    """

    where: Literal["meta", "ct"] = "meta"
    op: Literal["set", "save", "restore", "unknown"] = "set"
    value: int = 0
    mask: int = 0xFFFFFFFF
    source_mask: int | None = None


class SetField(Expr, frozen=True, kw_only=True, tag="setfield"):
    """Changes a packet's field: its hop limit (``ttl``), its type of service, its priority, its TCP segment size.

    ``set``: ``(old & ~mask) ^ value``; ``add`` adds ``value``, which may be
    negative; ``at-most`` sets a smaller value only; ``unknown`` sets what
    nobody can tell from the rule.
    """

    field: Literal["ttl", "tos", "priority", "mss"]
    op: Literal["set", "add", "at-most", "unknown"] = "set"
    value: int = 0
    mask: int = 0xFFFFFFFF


class Remember(Expr, frozen=True, kw_only=True, tag="remember"):
    """Puts something of the packet into a list that later rules may ask, or (``remove``) takes it out.

    ``ipset``: ``key`` are the directions; ``set`` (nftables): the fields;
    ``recent``: ``src`` or ``dst`` and the mask; ``label`` (of the
    connection): nothing.
    """

    kind: Literal["ipset", "set", "recent", "label"]
    name: str
    key: tuple[str, ...] = ()
    remove: bool = False


class TransparentProxy(Expr, frozen=True, kw_only=True, tag="tproxy"):
    """Gives the packet to a local socket without changing it, and sets its mark; where there is none, drops it.

    Empty ``address``: one of the receiving interface; empty ``port``: the
    packet's own.  ``final``: the packet is accepted (iptables); otherwise the
    rule goes on.
    """

    address: str = ""
    port: str = ""
    value: int = 0
    mask: int = 0
    final: bool = False


class SetZone(Expr, frozen=True, kw_only=True, tag="zone"):
    """Puts the connection into a conntrack zone, or only one direction of it; None: nobody can tell which.

    ``text``: the statement, where it is about something else, and leaves the zone as it is: a helper, a timeout.
    """

    zone: int | None
    direction: Literal["", "original", "reply"] = ""
    text: str = ""


class NoTrack(Expr, frozen=True, kw_only=True, tag="notrack"):
    """Exempts the packet from conntrack (``-j CT --notrack``, ``notrack``)."""


class Note(Expr, frozen=True, kw_only=True, tag="note"):
    """Something without effect on the verdict: log, counter, comment, checksum fill.

    ``offload``: it hands the flow to a flow table, past the hooks from then on.
    """

    text: str
    offload: bool = False
