"""Mode 2 in the app."""

from __future__ import annotations

import msgspec

from dnet_tui.inspect.model.firewall import Chain, Firewall, Rule, Table
from ui import hosts
from ui.driving import detail, listing, running, screen_text
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
