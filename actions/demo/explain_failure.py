"""Why the kernel would not make a private host: from its words and three settings to an advice.

Pure, but for the reader of those settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dnet_tui.inspect.errors import DnetError

USERNS_CLONE = "kernel.unprivileged_userns_clone"
"""0 forbids user namespaces to ordinary users (a Debian and Arch patch; other kernels lack it)."""

APPARMOR = "kernel.apparmor_restrict_unprivileged_userns"
"""1 (Ubuntu since 23.10) lets ordinary users make a user namespace, but without any capability in it."""

MAX_USERNS = "user.max_user_namespaces"
"""0 forbids them altogether (user_namespaces(7))."""

SETTINGS = (USERNS_CLONE, APPARMOR, MAX_USERNS)


def read_settings() -> dict[str, str]:
    """Read the settings that govern user namespaces; those this kernel doesn't have are left out."""
    found = {}
    for key in SETTINGS:
        try:
            found[key] = Path("/proc/sys", *key.split(".")).read_text(encoding="ascii").strip()
        except OSError:
            continue
    return found


def explain_refusal(words: str, *, in_user: bool, root: bool, settings: Mapping[str, str]) -> DnetError:
    """Return the error to show.

    Args:
        words: what ``unshare`` or the holder wrote to stderr.
        in_user: whether a user namespace was asked for.
        root: whether the caller is root.
        settings: as from :func:`read_settings`.
    """
    reason = " ".join(words.split()) or "it did not answer in time"
    message = f"the kernel would not make a private host: {reason}"
    if not in_user:
        return DnetError(
            message,
            "root here lacks CAP_SYS_ADMIN, as in an ordinary container: run it on the host itself"
            if "not permitted" in reason
            else "",
        )
    if settings.get(MAX_USERNS) == "0":
        return DnetError(message, _lift(MAX_USERNS, "15000", root=root))
    if not root and settings.get(USERNS_CLONE) == "0":
        return DnetError(message, _lift(USERNS_CLONE, "1", root=root))
    if not root and settings.get(APPARMOR) == "1":
        return DnetError(message, _lift(APPARMOR, "0", root=root))
    return DnetError(message, "" if root else "run it as root, where no user namespace is needed")


def _lift(key: str, value: str, *, root: bool) -> str:
    alternative = "" if root else ", or run it as root"
    return f"user namespaces are switched off by {key}; allow them with `sysctl -w {key}={value}`{alternative}"
