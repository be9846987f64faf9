"""The catalogue of checks, in the order in which causes come before effects.  Pure."""

from __future__ import annotations

from dnet_tui.diagnostics.checks import (
    drop_before_docker,
    flow_blocked,
    fwd_off_bridge,
    fwd_off_uplink,
    ip_forward_off,
    isolation_missing,
    masq_missing,
    user_chain_drop,
)
from dnet_tui.diagnostics.checks.base import Check

CATALOGUE: tuple[Check, ...] = (
    ip_forward_off.CHECK,
    fwd_off_bridge.CHECK,
    fwd_off_uplink.CHECK,
    drop_before_docker.CHECK,
    user_chain_drop.CHECK,
    masq_missing.CHECK,
    isolation_missing.CHECK,
    flow_blocked.CHECK,
)
"""Every check there is.  A test compares it with the files of this folder."""
