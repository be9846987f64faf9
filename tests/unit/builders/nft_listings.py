"""What nft 1.0.6 printed of the rulesets in tests/lab/rulesets: per table, its JSON and its plain listing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from dnet_tui.inspect.model.firewall import Chain, Rule, Table, TableFamily
from dnet_tui.inspect.nftables.listing import NO_TEXTS, Texts, read_texts
from dnet_tui.inspect.nftables.table import ParsedTable, parse_elements, parse_table, with_elements

DATA = Path(__file__).parents[1] / "data"
NAMES = ("docker_29", "netavark", "firewalld", "kube_proxy", "libvirt_lxd", "by_hand")


def captured(name: str) -> dict[str, dict[str, Any]]:
    """``listing`` (JSON) and ``text`` (lines) by ``family name``."""
    return cast("dict[str, dict[str, Any]]", json.loads((DATA / f"nft_{name}.json").read_text()))


def objects(name: str, table: str, kind: str) -> list[dict[str, Any]]:
    """The objects of one kind in a table's JSON."""
    listing = captured(name)[table]["listing"]["nftables"]
    return [item[kind] for item in listing if kind in item]


def parse(name: str, table: str, *, texts: bool = True) -> ParsedTable:
    """One captured table, parsed, with the elements of the sets that rules look into."""
    found = captured(name)[table]
    family, _, title = table.partition(" ")
    shown: Texts = read_texts("\n".join(found["text"]).encode()) if texts else NO_TEXTS
    listing = json.dumps(found["listing"]).encode()
    kind = cast("TableFamily", family)
    parsed = parse_table(listing, family=kind, name=title, texts=shown)
    if parsed.table is None:
        return parsed
    sets = [parse_elements(listing, family=kind, name=wanted)[0] for _, wanted in parsed.wanted]
    return parsed._replace(table=with_elements(parsed.table, [item for item in sets if item is not None]))


def table(name: str, title: str) -> Table:
    """One captured table, which must be sound."""
    parsed = parse(name, title)
    assert parsed.problems == ()
    assert parsed.table is not None
    return parsed.table


def chain(found: Table, name: str) -> Chain:
    """A chain by its name."""
    return next(item for item in found.chains if item.name == name)


def rule(found: Table, chain_name: str, number: int = 1) -> Rule:
    """A rule by its chain and number."""
    return chain(found, chain_name).rules[number - 1]
