"""Mode 3 in the app: verdict, findings, fixing, undoing."""

from __future__ import annotations

import msgspec
import pytest

from dnet_tui.diagnostics.checks.catalogue import CATALOGUE
from dnet_tui.diagnostics.report.finding import Affected
from dnet_tui.inspect.errors import ActionFailedError
from dnet_tui.tui.app.app import DnetApp
from dnet_tui.tui.app.present.styled_text import CROSS, TICK
from dnet_tui.tui.app.screens.dialog import Dialog
from dnet_tui.tui.app.screens.picker import Picker
from ui import hosts
from ui.driving import detail, listing, row_text, running, screen_text, settled, until
from ui.fakes import FakeHost
from unit.builders.factories import docker_like_snapshot, with_sysctl


async def test_the_verdict_and_the_first_root_cause_are_what_one_sees() -> None:
    app = FakeHost().app()
    async with running(app) as pilot:
        await pilot.press("3")
        await pilot.pause()
        text = screen_text(app)
        assert f"{CROSS} Problems  3 errors, 1 warning" in text
        assert listing(app, "doctor").selected.startswith("finding:ip-forward-off:")
        assert "sysctl -w net.ipv4.ip_forward=1" in text
        assert f"└ {CROSS} flow-blocked" in text
        assert "Brings about" in detail(app, "doctor")


async def test_a_healthy_host_is_called_healthy_only_when_all_was_decided() -> None:
    host = FakeHost(report=hosts.healthy())
    async with running(host.app()) as pilot:
        await pilot.press("3")
        await pilot.pause()
        assert f"{TICK} Healthy" in screen_text(host_app := pilot.app)  # type: ignore[arg-type]
        assert host_app.title == "dnet-tui"
    host = FakeHost(report=hosts.report())
    app = host.app()
    async with running(app) as pilot:
        await pilot.press("3")
        await pilot.pause()
        assert "? Incomplete  no fault found, but 1 of 4 checks undecided" in screen_text(app)


async def test_fix_shows_commands_and_undo_and_applies_only_after_yes() -> None:
    host = FakeHost()
    app = host.app()
    async with running(app) as pilot:
        await pilot.press("3", "f")
        await pilot.pause()
        text = screen_text(app)
        assert "$ sysctl -w net.ipv4.ip_forward=1" in text
        assert "$ sysctl -w net.ipv4.ip_forward=0" in text
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, Dialog)
        assert host.fixed == []
        await pilot.press("y")
        await settled(pilot)
        assert host.fixed == [hosts.FORWARD_OFF]
        assert "ip-forward-off is gone" in screen_text(app)
        await pilot.press("escape")
        await settled(pilot)
        assert host.taken == 2


@pytest.mark.parametrize("key", ["n", "escape", "q"])
async def test_no_leaves_the_host_as_it_is(key: str) -> None:
    host = FakeHost()
    app = host.app()
    async with running(app) as pilot:
        await pilot.press("3", "f", key)
        await settled(pilot)
        assert host.fixed == []
        assert not isinstance(app.screen, Dialog)
        assert host.taken == 1


async def test_a_fix_that_fails_is_told_with_the_next_step() -> None:
    host = FakeHost()
    app = host.app()
    host.fix_failure = ActionFailedError("the kernel refused [it]", "look at dmesg")
    async with running(app) as pilot:
        await pilot.press("3", "f", "y")
        await settled(pilot)
        assert "failed" in screen_text(app)
        assert "the kernel refused [it]" in screen_text(app)
        assert "look at dmesg" in screen_text(app)


async def test_what_only_a_person_may_do_is_not_offered() -> None:
    host = FakeHost()
    app = host.app()
    async with running(app) as pilot:
        await pilot.press("3", *"jjj")
        await pilot.pause()
        assert listing(app, "doctor").selected.startswith("finding:subnet-overlap")
        assert "docker network rm app" in detail(app, "doctor")
        assert " f fix" not in screen_text(app)
        await pilot.press("f", "y")
        await settled(pilot)
        assert host.fixed == []


async def test_readonly_offers_neither_fix_nor_undo() -> None:
    host = FakeHost()
    services = host.services()._replace(apply_fix=None, last_change=None, undo=None)
    app = DnetApp(services)
    async with running(app, (140, 40)) as pilot:
        await pilot.press("3", "f", "y", "escape", "u", "y")
        await settled(pilot)
        assert host.fixed == []
        assert host.undone == []
        text = screen_text(app)
        assert "read-only" in text
        assert " f fix" not in text
        assert " u undo" not in text


async def test_undo_shows_the_last_change_and_takes_it_back_after_yes() -> None:
    host = FakeHost()
    app = host.app()
    async with running(app) as pilot:
        await pilot.press("u")
        await settled(pilot)
        assert "entry 0007" in screen_text(app)
        assert "$ sysctl -w net.ipv4.ip_forward=0" in screen_text(app)
        assert host.undone == []
        await pilot.press("y")
        await settled(pilot)
        assert host.undone == ["0007"]
        assert "entry 0007 is undone" in screen_text(app)


async def test_a_check_tells_its_outcome_its_reason_and_its_own_words() -> None:
    app = FakeHost().app()
    async with running(app) as pilot:
        await pilot.press("3", "slash", *"isolation", "enter")
        await pilot.pause()
        told = detail(app, "doctor")
        assert "It could not decide." in told
        assert "rule 3 of FORWARD can't be evaluated" in told
        assert "What it finds" in told


async def test_a_finding_leads_to_what_it_cites_and_to_whom_it_hits() -> None:
    snapshot = with_sysctl(docker_like_snapshot(), "net.ipv4.ip_forward", "0")
    finding = msgspec.structs.replace(
        hosts.MASQ_MISSING, affects=(Affected(kind="container", name="web"), Affected(kind="network", name="app"))
    )
    app = FakeHost(snapshot, hosts.report(finding, snapshot=snapshot)).app()
    async with running(app) as pilot:
        await pilot.press("3", "o")
        await pilot.pause()
        assert isinstance(app.screen, Picker)
        await pilot.press(*"web", "enter")
        await until(pilot, lambda: app.current_mode == "map")
        await pilot.pause()
        assert listing(app, "map").selected.startswith("ctr:web")


async def test_the_map_marks_everything_that_a_fault_hits() -> None:
    finding = msgspec.structs.replace(
        hosts.MASQ_MISSING, affects=(Affected(kind="container", name="web"), Affected(kind="network", name="app"))
    )
    app = FakeHost(docker_like_snapshot(), hosts.report(finding)).app()
    async with running(app, (140, 40)):
        texts = [row_text(row) for row in listing(app, "map").rows]
        assert any(f"web {CROSS}" in text for text in texts)
        assert any(text.strip("│├└ ").startswith("br-") and CROSS in text for text in texts)


async def test_the_map_marks_the_containers_of_a_network_that_a_fault_hits() -> None:
    finding = msgspec.structs.replace(hosts.MASQ_MISSING, affects=(Affected(kind="network", name="bridge"),))
    app = FakeHost(docker_like_snapshot(), hosts.report(finding)).app()
    async with running(app, (140, 40)) as pilot:
        row = next(row for row in listing(app, "map").rows if row.id.startswith("ctr:web"))
        assert CROSS in row_text(row)
        assert not any(CROSS in row_text(row) for row in listing(app, "map").rows if row.id.startswith("ctr:app1"))
        listing(app, "map").put_cursor(row.id)
        await pilot.pause()
        assert "masq-missing" in detail(app, "map")


async def test_mere_information_marks_only_its_subject() -> None:
    finding = msgspec.structs.replace(
        hosts.MASQ_MISSING, severity="info", affects=(Affected(kind="container", name="web"),)
    )
    app = FakeHost(docker_like_snapshot(), hosts.report(finding)).app()
    async with running(app, (140, 40)):
        assert not any("web i" in row_text(row) for row in listing(app, "map").rows)


async def test_checks_that_are_well_are_one_line_that_opens_and_folds() -> None:
    app = FakeHost(report=hosts.healthy()).app()
    async with running(app) as pilot:
        await pilot.press("3")
        await pilot.pause()
        assert f"{TICK} 2 checks are ok [+]" in screen_text(app)
        assert "fwd-off-bridge" not in screen_text(app)
        await pilot.press("g", "enter")
        await until(pilot, lambda: "fwd-off-bridge" in screen_text(app))
        assert f"{TICK} 2 checks are ok [-]" in screen_text(app)
        assert listing(app, "doctor").selected == "checks:ok"
        await pilot.press("j", "left")
        await until(pilot, lambda: "fwd-off-bridge" not in screen_text(app))
        assert listing(app, "doctor").selected == "checks:ok"
        await pilot.press("right")
        await until(pilot, lambda: "fwd-off-bridge" in screen_text(app))


async def test_a_folded_check_is_found_by_its_words_and_shown_when_one_goes_to_it() -> None:
    app = FakeHost().app()
    async with running(app) as pilot:
        await pilot.press("3", "slash", *"off-uplink", "enter")
        await until(pilot, lambda: listing(app, "doctor").selected == "check:fwd-off-uplink")
        await pilot.press("escape")
        await until(pilot, lambda: app.state.filter("doctor") == "")
        await pilot.pause()
        assert listing(app, "doctor").selected == "check:fwd-off-uplink"


async def test_a_check_has_its_title_beside_its_id() -> None:
    app = FakeHost().app()
    async with running(app, (140, 40)) as pilot:
        await pilot.press("3")
        await pilot.pause()
        row = next(row for row in listing(app, "doctor").rows if row.id == "check:masq-missing")
        (title,) = [check.title for check in CATALOGUE if check.id == "masq-missing"]
        assert row_text(row).endswith(title.replace("``", ""))
