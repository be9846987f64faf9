"""What programs say of a bridge and netlink's plain dumps don't: queueing, VLANs, multicast addresses of its own.

Multicast addresses are put back; what else would be lost is said before the
bridge is deleted.
"""

from __future__ import annotations

from typing import Any

import msgspec

from dnet_tui.actions.host_access import HostAccess
from dnet_tui.inspect.errors import ActionFailedError
from dnet_tui.inspect.text.sanitize import clean


def require_restorable(name: str, host: HostAccess) -> None:
    """Refuse to delete a bridge, or a port of one, that an undo could not put back as it was.

    Raises:
        ActionFailedError: It has queueing disciplines, filters or VLANs of its own.
    """
    found = []
    if any(item.get("handle", "0:") != "0:" for item in shown(host, "tc", "-j", "qdisc", "show", "dev", name)):
        found.append(("a queueing discipline or filters (tc)", f"tc qdisc show dev {clean(name)}"))
    vlans = [vlan for item in shown(host, "bridge", "-j", "vlan", "show", "dev", name) for vlan in _list(item, "vlans")]
    if any(vlan.get("vlan") != 1 for vlan in vlans):
        found.append(("VLANs of its own", f"bridge vlan show dev {clean(name)}"))
    if found:
        what, command = found[0]
        msg = f"{clean(name)} has {what}, which undo could not put back"
        raise ActionFailedError(msg, f"keep a note of it, and delete it first: {command}")


def multicast_addresses(name: str, host: HostAccess) -> tuple[str, ...]:
    """The link-layer multicast addresses that somebody added (ip-maddress(8))."""
    found = shown(host, "ip", "-j", "maddress", "show", "dev", name)
    every = [item for link in found for item in _list(link, "maddr")]
    return tuple(str(item["link"]) for item in every if item.get("features") == "static" and "link" in item)


def restore_multicast(name: str, addresses: tuple[str, ...], host: HostAccess) -> str:
    """Put them back; returns what could not be, for people."""
    failed = [item for item in addresses if host.run(("ip", "maddress", "add", item, "dev", name)).code]
    return f"; the kernel did not take back {', '.join(failed)}" if failed else ""


def _list(item: dict[str, Any], key: str) -> list[dict[str, Any]]:
    found = item.get(key)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def shown(host: HostAccess, *words: str) -> list[dict[str, Any]]:
    """What a program lists; nothing where it isn't there or has nothing to say."""
    if not host.has(words[0]):
        return []
    ran = host.run(words)
    try:
        found = msgspec.json.decode(ran.out.strip() or "[]") if ran.code == 0 else []
    except msgspec.DecodeError:
        return []
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
