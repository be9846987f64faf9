"""Container ids out of /proc/PID/cgroup.  Pure.

This is how containers are found without their engine: each names its cgroup
after the container.  Works for cgroup v1 (several lines) and v2 (one), for
the systemd and the cgroupfs driver.

Sources: cgroups(7), runc's and crun's cgroup drivers, kubelet's, LXC's,
libpod's and systemd's naming (systemd-nspawn(1), systemd.unit(5) for the
escapes in unit names).
"""

from __future__ import annotations

import re

import msgspec

from dnet_tui.inspect.model.engine_kinds.others import CONTAINERD, LXC, NSPAWN, UNKNOWN
from dnet_tui.inspect.model.engine_kinds.registry import ENGINE_KINDS

_HEX = "[0-9a-f]{64}"
_ENGINES = {prefix: kind.kind for kind in ENGINE_KINDS for prefix in kind.cgroup_prefixes}
_PARENTS = {parent: kind.kind for kind in ENGINE_KINDS for parent in kind.cgroup_parents}
_SCOPE = re.compile(rf"^(?:[^:]*:)?(?:(?P<engine>{'|'.join(_ENGINES)})[-:])?(?P<id>{_HEX})(?:\.scope)?$")
_MACHINE = re.compile(r"^(?:machine-(?P<scope>.+)\.scope|systemd-nspawn@(?P<service>.+)\.service)$")
_ESCAPE = re.compile(r"\\x([0-9a-f]{2})")
_LXC_FOLDER = "lxc"
"""Of LXC before 4.0."""
_LXC = re.compile(r"^lxc\.payload[./](?P<name>[^/]+)$")


class CgroupContainer(msgspec.Struct, frozen=True, kw_only=True):
    """A container as its cgroup names it.

    ``engine`` is ``unknown`` where the path doesn't tell; where it is only
    likely, ``sure`` is False.
    """

    id: str
    engine: str
    sure: bool = True


def container_of(cgroup: str) -> CgroupContainer | None:
    """The container that a process with this /proc/PID/cgroup is in; None when in none.

    Of containers within containers it is the innermost.  Helpers that stay
    outside (``conmon``, ``lxc.monitor``) belong to none.
    """
    best: CgroupContainer | None = None
    for line in cgroup.splitlines():
        found = _in_path(line.split(":", 2)[-1])
        if found is not None and (best is None or _weight(found) > _weight(best)):
            best = found
    return best


def _weight(found: CgroupContainer) -> int:
    return 0 if found.engine == UNKNOWN.kind else 2 if found.sure else 1


def _in_path(path: str) -> CgroupContainer | None:
    parts = [part for part in path.split("/") if part not in ("", "..")]
    for index in range(len(parts) - 1, -1, -1):
        found = _in_part(parts[index], parts[:index], parts[index + 1 :])
        if found is not None:
            return found
    return None


def _in_part(part: str, above: list[str], below: list[str]) -> CgroupContainer | None:
    """The container that one component of a path names; ``above`` is what comes before it, ``below`` after it."""
    match = _SCOPE.match(part)
    if match is not None:
        if below == ["conmon"]:
            return None  # beside the containers of a pod, whose id it is
        return _hashed(match["id"], match["engine"], above)
    lxc = _LXC.match(part) or _LXC.match("/".join([*above[-1:], part]))
    if lxc is not None:
        return CgroupContainer(id=lxc["name"], engine=LXC.kind)
    if above[-1:] == [_LXC_FOLDER]:
        return CgroupContainer(id=part, engine=LXC.kind)
    return _machine(part, below)


def _hashed(container: str, prefix: str | None, above: list[str]) -> CgroupContainer:
    """A container with a long id; kubelet's folders with bare ids are containerd's, seldom another's."""
    if prefix:
        return CgroupContainer(id=container, engine=_ENGINES[prefix])
    if any(part.startswith("kubepods") for part in above):
        return CgroupContainer(id=container, engine=CONTAINERD.kind, sure=False)
    engine = next((_PARENTS[part] for part in reversed(above) if part in _PARENTS), UNKNOWN.kind)
    return CgroupContainer(id=container, engine=engine)


def _machine(part: str, below: list[str]) -> CgroupContainer | None:
    """A container of systemd-nspawn, which itself stays outside, beside the ``payload``.

    A virtual machine (``machine-qemu-….scope``) has no such part, and is no container.
    """
    match = _MACHINE.match(part)
    if match is None or below[:1] not in (["payload"], ["init.scope"]):
        return None
    return CgroupContainer(id=_unescaped(match["scope"] or match["service"]), engine=NSPAWN.kind)


def _unescaped(unit: str) -> str:
    r"""Undo the escapes of a unit's name: ``\x2d`` is a dash.  What isn't one stays."""
    return _ESCAPE.sub(lambda match: chr(int(match[1], 16)), unit)


def short_id(container: str) -> str:
    """The short form of an id that engines print: 12 digits of a long one, anything else as it is."""
    return container[:12] if re.fullmatch(_HEX, container) else container
