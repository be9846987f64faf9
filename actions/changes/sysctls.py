"""Setting a kernel parameter so that it can be taken back exactly.

One write may change many keys (net/ipv4/devinet.c, net/ipv6/addrconf.c):

* ``net.ipv4.ip_forward`` (the same variable as ``conf.all.forwarding``) sets
  ``forwarding`` of every interface and of ``default``, and
  ``conf.all.accept_redirects`` to its opposite (``inet_forward_change``);
* ``net.ipv4.conf.default.X`` is copied to every interface whose ``X`` nobody
  has set yet (``devinet_copy_dflt_conf``);
* ``net.ipv6.conf.all.{forwarding,force_forwarding,disable_ipv6,…}`` sets every
  interface's.

So everything that may follow is captured before, and what did follow is put
back after.  Not restorable, and not a sysctl: IPv6 forwarding drops default
routes learned from router advertisements where ``accept_ra`` is below 2.
"""

from __future__ import annotations

from dnet_tui.actions.host_access import HostAccess
from dnet_tui.actions.journal.captured_state import SysctlState
from dnet_tui.diagnostics.operations.kernel import SetSysctl
from dnet_tui.inspect.errors import ActionFailedError

IP_FORWARD = "net.ipv4.ip_forward"
_WITH_FORWARDING = ("forwarding", "accept_redirects", "send_redirects")


def followers(key: str, interfaces: tuple[str, ...]) -> tuple[str, ...]:
    """Return every other key that the kernel may change when ``key`` is written.

    ``interfaces`` are the folders below the key's ``conf``, with ``all`` and ``default``.
    """
    family, leaf = _spread(key)
    if not family:
        return ()
    leaves = _WITH_FORWARDING if leaf == "forwarding" else (leaf,)
    keys = [f"net.{family}.conf.{name.replace('.', '/')}.{item}" for name in interfaces for item in leaves]
    if family == "ipv4" and leaf == "forwarding":
        keys.append(IP_FORWARD)
    return tuple(item for item in keys if item != key)


def family_of(key: str) -> str:
    """Return ``ipv4`` or ``ipv6`` for a key that spreads to other keys, empty for one that stands alone."""
    return _spread(key)[0]


def _spread(key: str) -> tuple[str, str]:
    if key == IP_FORWARD:
        return "ipv4", "forwarding"
    parts = key.split(".")
    if len(parts) == 5 and parts[1] in ("ipv4", "ipv6") and parts[2] == "conf" and parts[3] in ("all", "default"):
        return parts[1], parts[4]
    return "", ""


def prepare(action: SetSysctl, host: HostAccess) -> SysctlState:
    """Capture the key and all its followers.

    Raises:
        ActionFailedError: The kernel has no such key.
    """
    before = host.sysctl(action.key)
    if before is None:
        msg = f"the kernel has no {action.key} here"
        raise ActionFailedError(msg, "the interface may have gone: look again with `dnet-tui doctor`")
    family = family_of(action.key)
    keys = followers(action.key, host.interfaces(family)) if family else ()
    return SysctlState(values={action.key: before} | _values(keys, host))


def perform(action: SetSysctl, captured: SysctlState, host: HostAccess) -> SysctlState:
    """Write the value and return the same keys' values as they are then.

    Raises:
        ActionFailedError: The kernel refused it, or took it for something else.
    """
    host.set_sysctl(action.key, action.value)
    after = _values(tuple(captured.values), host)
    if (now := after.get(action.key, "")).split() != action.value.split():
        msg = f"{action.key} was set to {action.value} but reads {now}"
        raise ActionFailedError(msg, "something on this host sets it back: look for a sysctl service or agent")
    return SysctlState(values=after)


def revert(
    action: SetSysctl, captured: SysctlState, after: SysctlState | None, host: HostAccess, *, resumed: bool = False
) -> str:
    """Put back the key, and then each key that it changed.

    A key that the change left alone keeps the value it has *now*, although
    writing the main key back may sweep over it.  Interfaces that have gone are
    skipped; those that are new take what the kernel gives them.  With
    ``resumed`` (an undo was killed before) what is there now may be half
    swept: then everything captured is put back.

    Returns:
        What was done, in a few words.
    """
    now = _values(tuple(captured.values), host)
    goal = dict(captured.values)
    if after is not None and not resumed:
        untouched = [
            key for key, value in captured.values.items() if after.values.get(key) == value and key != action.key
        ]
        goal |= {key: now[key] for key in untouched if key in now}
    if action.key not in now:
        return f"{action.key} is gone: nothing to restore"
    if now[action.key] != goal[action.key]:
        host.set_sysctl(action.key, goal[action.key])
    again = [key for key in goal if key != action.key and host.sysctl(key) not in (None, goal[key])]
    again.sort(key=lambda key: not _spread(key)[0])  # those that spread first, lest they sweep over the others
    for key in again:
        host.set_sysctl(key, goal[key])
    wrong = [key for key in goal if host.sysctl(key) not in (None, goal[key])]
    if wrong:
        msg = f"{wrong[0]} does not take back {goal[wrong[0]]}"
        raise ActionFailedError(msg, "something on this host sets it: look for a sysctl service or agent")
    more = f", and {len(again)} that follow it" if again else ""
    return f"{action.key} = {goal[action.key]}{more}"


def _values(keys: tuple[str, ...], host: HostAccess) -> dict[str, str]:
    return {key: value for key in keys if (value := host.sysctl(key)) is not None}
