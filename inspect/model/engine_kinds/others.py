"""The engines that are only recognised, and what is used like one without being one.  Pure data.

Sources: runc's, crun's and kubelet's cgroup drivers, conmon(8), LXC's
monitor, systemd-nspawn(1); for plain Linux dnet-tui itself.
"""

from __future__ import annotations

from dnet_tui.inspect.model.engine_kinds.docker import STAGE_1, STAGE_2
from dnet_tui.inspect.model.engine_kinds.traits import EngineTraits, Supervisor

LXC_MONITOR = "[lxc monitor]"

CONTAINERD = EngineTraits(
    kind="containerd",
    title="containerd",
    supervisors=(Supervisor(name="containerd-shim", prefix=True),),
    programs=("containerd", "containerd-shim", "containerd-shim-runc-v2"),
    cgroup_prefixes=("cri-containerd", "nerdctl"),
    rootless_socket="containerd-rootless/api.sock",
    daemon="containerd",
)
CRIO = EngineTraits(
    kind="cri-o",
    title="CRI-O",
    supervisors=(Supervisor(name="conmon", argument="/crio/"),),
    cgroup_prefixes=("crio",),
)
LXD = EngineTraits(
    kind="lxd",
    title="LXD",
    supervisors=(Supervisor(name=LXC_MONITOR, prefix=True, argument="/lxd/"),),
    only_by_cgroup=True,
    tables=("lxd",),
)
INCUS = EngineTraits(
    kind="incus",
    title="Incus",
    supervisors=(Supervisor(name=LXC_MONITOR, prefix=True, argument="/incus/"),),
    only_by_cgroup=True,
    tables=("incus",),
)
LXC = EngineTraits(
    kind="lxc", title="LXC", supervisors=(Supervisor(name=LXC_MONITOR, prefix=True),), only_by_cgroup=True
)
NSPAWN = EngineTraits(kind="systemd-nspawn", title="systemd-nspawn", only_by_cgroup=True)

LINUX = EngineTraits(
    kind="linux",
    title="plain Linux",
    owner="dnet-tui",
    isolation_chains=(STAGE_1, STAGE_2),
    isolates_internal_by_subnet=True,
    in_builtin_chains=True,
    isolates_in_forward=True,
)
"""Networks that are nothing but a bridge, made by dnet-tui: see :mod:`dnet_tui.inspect.model.network_label`."""

NETNS = EngineTraits(kind="netns", title="namespace")
"""A named namespace that is used like a container."""

UNKNOWN = EngineTraits(kind="unknown", title="unknown engine")
"""Whose container it is doesn't show."""
