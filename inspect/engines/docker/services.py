"""What a swarm's manager tells of services → the virtual addresses in overlay networks.  Pure.

Source: Docker Engine API 1.41 to 1.52, ServiceList (``Endpoint.VirtualIPs``).
"""

from __future__ import annotations

from collections import defaultdict

import msgspec

from dnet_tui.inspect.model import Network, VirtualAddress
from dnet_tui.inspect.text.json_access import Json, fields, items, string


def with_services(networks: tuple[Network, ...], answer: Json) -> tuple[Network, ...]:
    """The networks, each with the virtual addresses that services have in it, by the service's name."""
    found: defaultdict[str, list[VirtualAddress]] = defaultdict(list)
    for item in items(answer):
        service = fields(item)
        name = string(fields(service.get("Spec")).get("Name"))
        for entry in items(fields(service.get("Endpoint")).get("VirtualIPs")):
            given = fields(entry)
            address = string(given.get("Addr")).partition("/")[0]
            if name and address:
                found[string(given.get("NetworkID"))].append(VirtualAddress(service=name, address=address))
    return tuple(
        msgspec.structs.replace(network, virtual=tuple(sorted(found[network.id], key=lambda item: item.service)))
        if network.id in found
        else network
        for network in networks
    )
