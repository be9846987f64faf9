"""Which version of dnet-tui this is, as its installation tells."""

from __future__ import annotations


def version() -> str:
    """The version; empty where it isn't installed."""
    from importlib import metadata  # noqa: PLC0415 - takes 20 ms to import: an engine is being waited for by then

    try:
        return metadata.version("dnet-tui")
    except metadata.PackageNotFoundError:
        return ""
