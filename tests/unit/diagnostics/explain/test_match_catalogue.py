"""The table of what is decided, hedged and unknown says what the compilers do, and the page is written from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dnet_tui.diagnostics.explain.match_catalogue import (
    IPTABLES_MATCHES,
    IPTABLES_TARGETS,
    NFT_EXPRESSIONS,
    NFT_STATEMENTS,
    page,
)
from dnet_tui.inspect.iptables.matches import MATCHES
from dnet_tui.inspect.iptables.modules import NEEDS, WHOLE_MATCHES
from dnet_tui.inspect.iptables.stateful import STATEFUL
from dnet_tui.inspect.iptables.targets import MODELLED_TARGETS
from dnet_tui.inspect.nftables.fields import MODELLED_KEYS
from dnet_tui.inspect.nftables.stateful import STATEFUL as NFT_STATEFUL
from dnet_tui.inspect.nftables.statements import NOTES, STATEMENTS

PAGE = Path(__file__).resolve().parents[4] / "docs" / "matches.md"


def test_the_page_is_written_from_the_table() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run script/docs"


def test_every_match_that_is_compiled_is_listed_as_such() -> None:
    compiled = {*MATCHES, *WHOLE_MATCHES}
    assert compiled - set(IPTABLES_MATCHES) == set()
    # What a packet needs for the others is known at least.
    known = {name for name, row in IPTABLES_MATCHES.items() if row.how != "unknown"}
    assert known - compiled - set(NEEDS) == set()


@pytest.mark.parametrize("name", sorted(STATEFUL))
def test_what_depends_on_other_packets_is_listed_as_hedged(name: str) -> None:
    assert IPTABLES_MATCHES[name].how == "hedged"


def test_every_target_is_listed_as_it_is_compiled() -> None:
    assert {name for name, row in IPTABLES_TARGETS.items() if row.how == "decided"} == MODELLED_TARGETS


def test_every_statement_of_nftables_is_listed_as_it_is_compiled() -> None:
    compiled = {*STATEMENTS, *NOTES, *NFT_STATEFUL, "vmap"}
    assert compiled - set(NFT_STATEMENTS) == set()
    assert {name for name, row in NFT_STATEMENTS.items() if row.how != "unknown"} - compiled == set()
    assert {name for name in NFT_STATEFUL if NFT_STATEMENTS[name].how != "hedged"} == set()


def test_every_key_that_is_compiled_stands_among_the_expressions() -> None:
    listed = " ".join(NFT_EXPRESSIONS)
    words = set(listed.replace(",", " ").replace("(", " ").replace(")", " ").split())
    assert {key for key in MODELLED_KEYS if key not in words} == set()
