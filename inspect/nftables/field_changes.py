"""``ip dscp set``, ``meta priority set`` and the like: what changes a field that rules can see.  Pure.

Sources: libnftables-json(5); the kernel's nft_payload.c, nft_exthdr.c (which
never raises a segment size), nft_meta.c, nft_ct.c.
"""

from __future__ import annotations

from collections.abc import Mapping

from dnet_tui.inspect.model.firewall import Remember, SetField, SetZone
from dnet_tui.inspect.nftables.header_fields import dscp, ecn, priority
from dnet_tui.inspect.text.json_access import MALFORMED, Json, fields, whole

_TOS = frozenset({("ip", "dscp"), ("ip", "ecn"), ("ip6", "dscp"), ("ip6", "ecn")})
_HOP_LIMIT = frozenset({("ip", "ttl"), ("ip6", "hoplimit")})


def change_of(what: str, key: Json, value: Json) -> SetField | SetZone | Remember | None:
    """The change that a ``mangle`` makes; None where it changes something else."""
    found = fields(key)
    if what == "payload":
        return _payload((str(found.get("protocol")), str(found.get("field"))), value)
    if what == "meta" and found.get("key") == "priority":
        return _priority(value)
    if what == "tcp option" and found.get("name") == "maxseg":
        fixed = isinstance(value, int)
        return SetField(field="mss", op="at-most" if fixed else "unknown", value=whole(value, 0xFFFF) if fixed else 0)
    return _connection(found, value) if what == "ct" else None


def _payload(header: tuple[str, str], value: Json) -> SetField | None:
    if header in _TOS:
        try:
            bits, mask = (dscp if header[1] == "dscp" else ecn)(value)
        except MALFORMED:
            return SetField(field="tos", op="unknown")
        return SetField(field="tos", value=bits, mask=mask)
    if header in _HOP_LIMIT:
        known = isinstance(value, int)
        return SetField(field="ttl", op="set" if known else "unknown", value=whole(value, 0xFF) if known else 0)
    return None


def _priority(value: Json) -> SetField:
    try:
        return SetField(field="priority", value=priority(value))
    except MALFORMED:
        return SetField(field="priority", op="unknown")


def _connection(found: Mapping[str, Json], value: Json) -> SetZone | Remember | None:
    way = found.get("dir")
    if found.get("key") == "zone" and isinstance(value, int):
        return SetZone(zone=whole(value, 0xFFFF), direction=way if way in {"original", "reply"} else "")
    if found.get("key") == "label" and not isinstance(value, dict):
        return Remember(kind="label", name=str(value))
    return None
