"""What statements that few rules have do, in plain English: header fields, lists, zones, transparent proxies.  Pure."""

from __future__ import annotations

from dnet_tui.inspect.model.firewall import Remember, SetField, SetZone, TransparentProxy
from dnet_tui.inspect.text.sanitize import clean

_FIELDS = {
    "ttl": "its hop limit",
    "tos": "its type of service",
    "priority": "its priority",
    "mss": "its TCP segment size",
}
_FULL = 0xFFFFFFFF


def field_change(expr: SetField) -> str:
    """A field of the packet is set."""
    what = _FIELDS[expr.field]
    if expr.op == "add":
        return f"has {what} {'raised' if expr.value >= 0 else 'lowered'} by {abs(expr.value)}"
    if expr.op == "at-most":
        return f"has {what} limited to {expr.value}"
    if expr.op == "unknown":
        return f"has {what} limited to what its way takes" if expr.field == "mss" else f"has {what} changed"
    value = f"{expr.value}" if expr.field in {"ttl", "mss"} else f"{expr.value:#x}"
    bits = f" (bits {expr.mask:#x})" if expr.mask not in {_FULL, 0xFF} else ""
    return f"has {what} set to {value}{bits}"


def remembered(expr: Remember) -> str:
    """Something of the packet is put into a list, or taken out."""
    name = clean(expr.name)
    if expr.kind == "label":
        return f"gives its connection label {name}"
    what = f"list {name} of recent addresses" if expr.kind == "recent" else f"set {name}"
    return f"is {'taken out of' if expr.remove else 'put into'} {what}"


def zone(expr: SetZone) -> str:
    """The connection gets a conntrack zone, or its packet is to be tracked with a helper or a timeout of its own."""
    if expr.text:
        return f"is tracked as {clean(expr.text.partition('--')[2])} says"
    number = "that its mark names" if expr.zone is None else f"{expr.zone}"
    which = f", in its {expr.direction} direction" if expr.direction else ""
    return f"is tracked in zone {number}{which}"


def proxied(expr: TransparentProxy) -> str:
    """A transparent proxy gets it."""
    port = f"port {clean(expr.port)}" if expr.port else "its own port"
    address = f"{clean(expr.address)} " if expr.address else ""
    mark = f", with mark {expr.value:#x}" if expr.mask else ""
    return f"is given to the local socket at {address}{port} as it is (TPROXY{mark})"
