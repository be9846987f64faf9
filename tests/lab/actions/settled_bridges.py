"""A host whose IPv6 has come to rest: what comes later would be taken for what an undo left."""

from __future__ import annotations

from lab.machines.hosts import LabHost

_SETTLED = """
for bridge in $(ip -o link show type bridge up | cut -d: -f2); do
    [ -z "$(ip -o link show master $bridge)" ] && continue
    until ip -6 -o addr show dev $bridge scope link -tentative | grep -q fe80; do sleep 0.1; done
done
while ip -6 -o addr show tentative | grep -q inet6; do sleep 0.1; done
"""


def bridges_settled(host: LabHost) -> None:
    """Wait until each bridge with ports has the IPv6 address and routes of its own, given it a while later."""
    host.run("sh", "-c", _SETTLED, timeout=30)
