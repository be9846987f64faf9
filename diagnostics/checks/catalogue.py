"""The catalogue of checks, in the order in which causes come before effects.  Pure."""

from __future__ import annotations

from dnet_tui.diagnostics.checks import (
    app_listen,
    drop_before_docker,
    flow_blocked,
    foreign_base_drop,
    fwd_jump_missing,
    fwd_off_bridge,
    fwd_off_uplink,
    ip_forward_off,
    isolation_missing,
    masq_missing,
    nat_jump_missing,
    rules_flushed,
    stale_dnat,
    two_backends,
    user_chain_drop,
)
from dnet_tui.diagnostics.checks.base import Check

CATALOGUE: tuple[Check, ...] = (
    rules_flushed.CHECK,
    ip_forward_off.CHECK,
    fwd_off_bridge.CHECK,
    fwd_off_uplink.CHECK,
    two_backends.CHECK,
    foreign_base_drop.CHECK,
    drop_before_docker.CHECK,
    user_chain_drop.CHECK,
    fwd_jump_missing.CHECK,
    masq_missing.CHECK,
    nat_jump_missing.CHECK,
    stale_dnat.CHECK,
    app_listen.CHECK,
    isolation_missing.CHECK,
    flow_blocked.CHECK,
)
"""Every check there is.  A test compares it with the files of this folder."""
