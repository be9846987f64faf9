"""What the settings and ``doctor``'s options say together: checks that are left out, flows that must pass."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from dnet_tui.diagnostics.guided.meant_flow import MeantFlow, parse
from dnet_tui.diagnostics.report.report import CheckSkipped
from dnet_tui.tui.settings.host_settings import HostSettings


def left_out(skip: Sequence[str], asked: Sequence[str], known: HostSettings) -> tuple[CheckSkipped, ...]:
    """The checks to leave out, each once; one that was asked for by name is run, whatever the settings say."""
    found = {item: CheckSkipped(id=item, reason="", by="--skip") for item in skip}
    by = ", ".join(known.files)
    for item in known.skip:
        if item.check not in asked:
            found.setdefault(item.check, CheckSkipped(id=item.check, reason=item.reason, by=by))
    return tuple(found.values())


def meant_flows(flow: Sequence[str], known: HostSettings) -> list[MeantFlow]:
    """The flows that must pass, those of the settings last."""
    by = ", ".join(known.files)
    settled = (msgspec.structs.replace(parse(item.text), declared_by=by, reason=item.reason) for item in known.flow)
    return [*map(parse, flow), *settled]
