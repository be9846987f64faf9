"""Tables of dnet-tui's own: added, deleted, put back; one that somebody changed is left alone."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from dnet_tui.actions.changes import nft_tables
from dnet_tui.actions.host_access import Ran
from dnet_tui.actions.journal.captured_state import NftTableState
from dnet_tui.actions.plans.nft_table import AddNftTable, DeleteNftTable
from dnet_tui.inspect.errors import ActionFailedError
from unit.builders.fake_host import FakeHost

ADD = AddNftTable(family="ip", name="dnet-tui-x", body="chain a { };")
DELETE = DeleteNftTable(family="ip", name="dnet-tui-x")
TEXT = "table ip dnet-tui-x {\n}\n"


class Nft(FakeHost):
    def __init__(self, held: str = "") -> None:
        super().__init__()
        self.held = held

    def run(self, argv: Sequence[str], *, limit: float = 1.0, given: bytes = b"") -> Ran:  # noqa: ARG002
        words = tuple(argv)
        if words[1] == "-s":
            return Ran(0, self.held, "") if self.held else Ran(1, "", "Error: No such file or directory")
        self.held = given.decode() if words[1] == "-f" else "" if words[1] == "delete" else TEXT
        return Ran(0, "", "")


def test_added_and_taken_back() -> None:
    host = Nft()
    captured = nft_tables.prepare(ADD, host)
    after = nft_tables.perform(ADD, host)
    assert after.ruleset == TEXT
    assert nft_tables.revert(ADD, captured, after, host) == "deleted table ip dnet-tui-x"
    assert nft_tables.revert(ADD, captured, after, host) == "table ip dnet-tui-x is gone already"


def test_deleted_and_put_back() -> None:
    host = Nft(TEXT)
    captured = nft_tables.prepare(DELETE, host)
    after = nft_tables.perform(DELETE, host)
    assert (captured.ruleset, after.ruleset) == (TEXT, "")
    nft_tables.revert(DELETE, captured, after, host)
    assert host.held == TEXT
    assert nft_tables.revert(DELETE, captured, after, host) == "table ip dnet-tui-x is there already"


def test_what_somebody_changed_stays() -> None:
    with pytest.raises(ActionFailedError, match="was changed since"):
        nft_tables.revert(ADD, NftTableState(), NftTableState(ruleset=TEXT), Nft(TEXT + "more"))


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ActionFailedError, match="already"):
        nft_tables.prepare(ADD, Nft(TEXT))
    with pytest.raises(ActionFailedError, match="any more"):
        nft_tables.prepare(DELETE, Nft())
