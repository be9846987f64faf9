"""What a snapshot would look like after operations: remedies proved before they are tried.  Pure."""

from __future__ import annotations

from collections.abc import Iterable

from dnet_tui.diagnostics.operations.remedy import AnyOperation
from dnet_tui.inspect.model import Snapshot


def after(snapshot: Snapshot, operations: Iterable[AnyOperation]) -> Snapshot:
    """The snapshot as the host would be after ``operations``, in order.

    Raises:
        UnknownEffectError: The effect of one can't be said, or it doesn't fit the snapshot.
    """
    for operation in operations:
        snapshot = operation.effect(snapshot)
    return snapshot
