"""Whether what a command is to add is there already: then it is somebody else's, and no undo may take it away.

A command that adds what is there fails by itself; but if dnet-tui is killed
at that moment nobody knows that it failed, and the undo would delete it.
"""

from __future__ import annotations

from dnet_tui.actions.changes.links.bridge_extras import shown
from dnet_tui.actions.host_access import HostAccess
from dnet_tui.diagnostics.operations.address import AddAddress
from dnet_tui.diagnostics.operations.base import ProgramOperation
from dnet_tui.diagnostics.operations.link import AddVeth
from dnet_tui.diagnostics.operations.netns_scope import AddNamespace, ip_command
from dnet_tui.diagnostics.operations.route import AddRoute
from dnet_tui.inspect.errors import ActionFailedError
from dnet_tui.inspect.text.sanitize import clean


def require_new(action: ProgramOperation, host: HostAccess) -> None:
    """Refuse to add what is there.

    Raises:
        ActionFailedError: It is there, and isn't this operation's.
    """
    if _is_there(action, host):
        raise ActionFailedError(f"it is there already: {clean(action.text)}", "look again with `dnet-tui ls`")


def _is_there(action: ProgramOperation, host: HostAccess) -> bool:
    match action:
        case AddRoute(route=route, inside=inside):
            family = ("-6",) if route.family == "ip6" else ("-4",)
            words = ip_command(inside, *family, "-j", "route", "show", "exact", route.dst)
            return any(
                item.get("gateway", "") == route.gateway
                and (not route.link or item.get("dev") == route.link)
                and (not route.metric or item.get("metric", 0) == route.metric)
                for item in shown(host, *words)
            )
        case AddAddress(replace=False):
            links = shown(host, *ip_command(action.inside, "-j", "address", "show", "dev", action.link))
            here = [item for link in links for item in link.get("addr_info", ()) if isinstance(item, dict)]
            return any(action.cidr == f"{item.get('local')}/{item.get('prefixlen')}" for item in here)
        case AddVeth(link=link):
            return any(item.get("ifname") == link for item in shown(host, "ip", "-j", "link", "show"))
        case AddNamespace(name=name):
            return any(item.get("name") == name for item in shown(host, "ip", "-j", "netns", "list"))
    return False
