"""Mode 2 in the app."""

from __future__ import annotations

import msgspec
import pytest

from dnet_tui.diagnostics.explain.rules_for import rules_for
from dnet_tui.inspect.model.firewall import Chain, Firewall, Match, Rule, Table, Verdict
from dnet_tui.inspect.model.view import View
from dnet_tui.tui.app.model.messages import RowSelected
from dnet_tui.tui.app.present import rules_about
from ui import hosts
from ui.driving import detail, listing, running, screen_text, until
from ui.fakes import FakeHost


async def test_chains_are_in_packet_order_and_a_rule_is_told_in_a_sentence() -> None:
    app = FakeHost().app()
    async with running(app, (140, 60)) as pilot:
        await pilot.press("2")
        await pilot.pause()
        text = screen_text(app)
        hooks = [text.index(f"hook {hook}") for hook in ("prerouting", "input", "forward", "output", "postrouting")]
        assert hooks == sorted(hooks)
        await pilot.press("slash", *"masquerade 172.17", "enter", "j")
        await pilot.pause()
        told = detail(app, "rules")
        assert "-s 172.17.0.0/16 ! -o docker0 -j MASQUERADE" in told
        assert "172.17.0.0/16" in told.splitlines()[1]


async def test_enter_on_a_jump_goes_to_the_chain_and_escape_comes_back() -> None:
    app = FakeHost().app()
    async with running(app) as pilot:
        await pilot.press("2", "j")
        await pilot.pause()
        jump = listing(app, "rules").selected
        assert "go to chain" in screen_text(app)
        await pilot.press("enter")
        await pilot.pause()
        assert listing(app, "rules").selected == "chain:iptables-nft:ip:nat:DOCKER"
        assert "go to chain" not in screen_text(app)
        await pilot.press("escape")
        await pilot.pause()
        assert listing(app, "rules").selected == jump


async def test_a_selected_rule_keeps_the_cursor_when_one_is_inserted_above() -> None:
    host = FakeHost()
    app = host.app()
    async with running(app) as pilot:
        await pilot.press("2", *"jjjjj")
        selected = listing(app, "rules").selected
        assert ":FORWARD:" in selected
        ns = host.snapshot.namespaces[0]
        assert ns.firewall is not None
        forward = next(chain for chain in ns.firewall.tables[0].chains if chain.name == "FORWARD")
        pushed = tuple(msgspec.structs.replace(rule, number=rule.number + 1) for rule in forward.rules)
        chain = msgspec.structs.replace(forward, rules=(Rule(number=1, text="-j DROP"), *pushed))
        host.snapshot = hosts.with_chain(host.snapshot, "filter", chain)
        await pilot.press("r")
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert "-j DROP" in str(listing(app, "rules").rows)
        assert listing(app, "rules").selected == selected


async def test_rules_of_another_namespace_are_one_key_away_only_when_there_are_any() -> None:
    host = FakeHost()
    app = host.app()
    async with running(app) as pilot:
        await pilot.press("2")
        await pilot.pause()
        assert "next namespace" not in screen_text(app)
        table = Table(family="ip", name="nat", backend="iptables-nft", chains=(Chain(name="DOCKER_OUTPUT"),))
        host.snapshot = hosts.with_namespace(host.snapshot, hosts.WEB, firewall=Firewall(tables=(table,)))
        await pilot.press("r")
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert "next namespace" in screen_text(app)
        await pilot.press("n")
        await pilot.pause()
        assert "Rules of web" in screen_text(app)
        assert "DOCKER_OUTPUT" in screen_text(app)


async def test_a_hostile_namespace_name_cannot_style_the_title() -> None:
    host = FakeHost()
    table = Table(family="ip", name="nat", backend="iptables-nft", chains=(Chain(name="X"),))
    host.snapshot = hosts.with_namespace(host.snapshot, hosts.APP2, firewall=Firewall(tables=(table,)))
    app = host.app()
    async with running(app, (120, 24)) as pilot:
        await pilot.press("2", "n")
        await pilot.pause()
        assert f"Rules of {hosts.HOSTILE_SHOWN}" in screen_text(app)


async def test_only_what_concerns_the_row_of_the_map_is_shown_as_rules_for_has_it() -> None:
    host = FakeHost()
    app = host.app()
    async with running(app, (140, 40)) as pilot:
        await pilot.press(*"jjj", "2")
        every = {row.id for row in listing(app, "rules").rows}
        await pilot.press("o")
        await until(pilot, lambda: "that concern web" in screen_text(app) and len(listing(app, "rules").rows) > 1)
        shown = [row for row in listing(app, "rules").rows if row.id.startswith("rule:")]
        view = View(host.snapshot)
        (_, only), *_ = rules_for(view, "web")
        wanted = [rule.text for table in only.tables for chain in table.chains for rule in chain.rules]
        texts = [next(text for text in wanted if row.id.endswith(f":{text}")) for row in shown]
        assert sorted(texts) == sorted(wanted)
        assert {row.id for row in shown} < every
        await pilot.press("escape")
        await until(pilot, lambda: {row.id for row in listing(app, "rules").rows} == every)
        assert "that concern" not in screen_text(app)


async def test_what_concerns_it_is_looked_for_anew_in_a_new_snapshot() -> None:
    host = FakeHost()
    app = host.app()
    async with running(app) as pilot:
        await pilot.press(*"jjj", "2", "o")
        await until(pilot, lambda: app.state.concerning is not None)
        ns = host.snapshot.namespaces[0]
        assert ns.firewall is not None
        forward = next(chain for chain in ns.firewall.tables[0].chains if chain.name == "FORWARD")
        rule = msgspec.structs.replace(
            forward.rules[0],
            number=len(forward.rules) + 1,
            text="-s 172.17.0.2/32 -j DROP",
            exprs=(Match(field="saddr", values=("172.17.0.2/32",)), Verdict(kind="drop")),
        )
        chain = msgspec.structs.replace(forward, rules=(*forward.rules, rule))
        host.snapshot = hosts.with_chain(host.snapshot, "filter", chain)
        await pilot.press("r")
        await until(pilot, lambda: any("172.17.0.2/32 -j DROP" in row.id for row in listing(app, "rules").rows))
        host.snapshot = msgspec.structs.replace(host.snapshot, containers=())
        await pilot.press("r")
        await until(pilot, lambda: "there is no container" in screen_text(app))


@pytest.mark.parametrize(("row", "name"), [("ctr", "web"), ("net", "app"), ("veth", "web"), ("up", "203.0.113.2")])
def test_what_a_row_of_the_map_stands_for(row: str, name: str) -> None:
    snapshot = hosts.host()
    links = {link.name: link.ifindex for link in snapshot.namespaces[0].links}
    web = next(item for item in snapshot.containers if item.name == "web")
    rows = {
        "ctr": f"ctr:{web.id}:5",
        "net": "net:net-app",
        "veth": f"link:{hosts.HOST}:{links['veth5f0a1b2']}",
        "up": f"link:{hosts.HOST}:{hosts.UPLINK}",
    }
    found = rules_about.subject_of_row(snapshot, rows[row])
    assert found is not None
    assert name in found.label


async def test_what_no_rule_can_name_is_not_offered() -> None:
    app = FakeHost().app()
    async with running(app, (140, 40)) as pilot:
        assert rules_about.subject_of_row(hosts.host(), "lost:x:7") is None
        await pilot.press("2")
        app.post_message(RowSelected("map", "lost:x:7"))
        await until(pilot, lambda: " o only" not in screen_text(app))
        await pilot.press("o")
        await pilot.pause()
        assert app.state.selection.about == ""
