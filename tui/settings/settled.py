"""What the settings and ``doctor``'s options say together: checks that are left out, flows that must pass."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

import msgspec

from dnet_tui.diagnostics.guided.meant_flow import MeantFlow, parse
from dnet_tui.diagnostics.report.report import CheckSkipped
from dnet_tui.inspect.errors import UsageError
from dnet_tui.tui.settings.host_settings import HostSettings


def left_out(skip: Sequence[str], asked: Sequence[str], known: HostSettings) -> tuple[CheckSkipped, ...]:
    """The checks to leave out, each once; one that was asked for by name is run, whatever the settings say."""
    found = {item: CheckSkipped(id=item, reason="", by="--skip") for item in skip}
    by = ", ".join(known.files)
    for item in known.skip:
        if item.check not in asked:
            found.setdefault(item.check, CheckSkipped(id=item.check, reason=item.reason, by=by))
    return tuple(found.values())


def require_known(known: HostSettings, ids: Sequence[str]) -> None:
    """Check that every check that the settings leave out exists.

    Raises:
        UsageError: one doesn't; with the file and the line.
    """
    for item in known.skip:
        if item.check not in ids:
            near = get_close_matches(item.check, ids, n=3, cutoff=0.5)
            hint = f"did you mean {' or '.join(near)}?" if near else "`dnet-tui checks` lists them"
            raise UsageError(f"{item.said_in}: there is no check {item.check!r}", hint)


def meant_flows(flow: Sequence[str], known: HostSettings) -> list[MeantFlow]:
    """The flows that must pass, those of the settings last."""
    by = ", ".join(known.files)
    settled = (msgspec.structs.replace(parse(item.text), declared_by=by, reason=item.reason) for item in known.flow)
    return [*map(parse, flow), *settled]
