"""The ranges that the Docker daemon takes the subnets of new networks from.  Pure.

Sources: Docker Engine API (SystemInfo.DefaultAddressPools, told since 20.10
where they were set); libnetwork/ipamutils/utils.go for the defaults.
"""

from __future__ import annotations

from dnet_tui.inspect.model import AddressPool
from dnet_tui.inspect.text.json_access import Json, fields, integer, items, string

DEFAULT_POOLS = (
    *(AddressPool(base=f"172.{second}.0.0/16", size=16) for second in range(17, 32)),
    AddressPool(base="192.168.0.0/16", size=20),
)
"""31 subnets, where nothing else was set."""


def parse_pools(info: Json) -> tuple[AddressPool, ...] | None:
    """The pools of /info; the built-in ones where it names none, None where there was no such answer."""
    data = fields(info)
    if not data:
        return None
    named = [fields(item) for item in items(data.get("DefaultAddressPools"))]
    pools = tuple(AddressPool(base=string(item.get("Base")), size=integer(item.get("Size"))) for item in named)
    return tuple(pool for pool in pools if pool.base and 0 < pool.size <= 128) or DEFAULT_POOLS
