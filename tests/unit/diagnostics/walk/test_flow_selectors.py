"""Policy rules that ask for a flow's ports: whole ports, ranges, and some of a port's bits."""

from __future__ import annotations

import pytest

from dnet_tui.diagnostics.walk.l3.flow_selectors import selected
from dnet_tui.diagnostics.walk.packet import Packet


@pytest.mark.parametrize(
    ("selector", "dport", "truth"),
    [
        ("dport 80", 80, True),
        ("dport 80", 81, False),
        ("dport 80-90", 85, True),
        ("dport 80/0x00ff", 80, True),
        ("dport 80/0x00ff", 80 + 0x100, True),
        ("dport 80/0x00ff", 81, False),
        ("dport 4176/0x00ff", 80, True),
        ("sport 7/0x000f", 80, True),
        ("dport 80", None, None),
        ("attribute 30 0x3f", 80, None),
    ],
)
def test_a_rules_port_is_the_packets(selector: str, dport: int | None, truth: bool | None) -> None:
    packet = Packet(src="10.0.0.2", dst="10.0.0.3", proto="tcp", sport=39, dport=dport)
    assert selected(selector, packet) is truth
