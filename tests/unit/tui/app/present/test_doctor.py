from __future__ import annotations

import msgspec
import pytest

from dnet_tui.diagnostics.report.finding import CheckResult, Finding, Subject
from dnet_tui.diagnostics.report.report import Report
from dnet_tui.tui.app.model.state import AppState
from dnet_tui.tui.app.present import confirm, doctor_detail, doctor_rows, frame, subject
from dnet_tui.tui.app.present.frame import Hint, Tab
from dnet_tui.tui.app.present.styled_text import CROSS, TICK, Paragraph, plain, width_of
from unit.builders.factories import BR_APP, DOCKER0, HOST, WEB, docker_like_snapshot
from unit.builders.report_factories import CAUSE, EFFECT, GAP, WARNING, report, sample


def lines(seen: Report) -> list[str]:
    return ["  ".join(plain(cell) for cell in row.cells) for row in doctor_rows.rows(seen)]


def text(paras: tuple[Paragraph, ...]) -> str:
    return "\n".join(plain(para.line) for para in paras)


def test_causes_come_first_and_effects_are_folded_under_them() -> None:
    assert lines(sample())[:4] == [
        "Findings 3",
        f"{CROSS} ip-forward-off  net.ipv4.ip_forward",
        f"└ {CROSS} flow-blocked  app",
        "! masq-missing  app",
    ]


def test_checks_that_need_a_look_come_before_those_that_are_well() -> None:
    found = lines(sample())
    checks = found[found.index("Checks 4") + 1 :][:4]
    assert [item.split()[0] for item in checks] == [CROSS, CROSS, "?", TICK]


def test_what_was_not_seen_is_listed() -> None:
    assert lines(sample())[-2:] == ["Not seen 1", f"? firewall  {GAP.scope}"]


def test_two_findings_of_one_name_are_two_rows_that_are_told_apart() -> None:
    other = msgspec.structs.replace(WARNING, summary="another")
    seen = report(WARNING, other)
    ids = [row.id for row in doctor_rows.rows(seen) if row.id.startswith("finding:")]
    assert len(set(ids)) == 2
    assert [doctor_rows.find(seen, ident) for ident in ids] == [WARNING, other]


def test_a_row_that_is_gone_has_no_finding() -> None:
    assert doctor_rows.find(sample(), "finding:gone:host:x") is None
    assert doctor_detail.detail(None, sample(), "finding:gone:host:x") == ()


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (report(checks=(CheckResult(id="a", outcome="ok"),)), f"{TICK} Healthy  1 check"),
        (
            report(checks=(CheckResult(id="a", outcome="ok"), CheckResult(id="b", outcome="unknown"))),
            "? Incomplete  no fault found, but 1 of 2 checks undecided",
        ),
        (
            report(checks=(CheckResult(id="b", outcome="crashed"),)),
            "? Incomplete  no fault found, but 1 check, 1 crashed",
        ),
        (report(CAUSE), f"{CROSS} Problems  1 error, 1 check"),
        (sample(), f"{CROSS} Problems  2 errors, 1 warning, 1 of 4 checks undecided, 1 not seen"),
    ],
)
def test_the_verdict_never_says_healthy_when_something_was_not_decided(seen: Report, words: str) -> None:
    assert plain(doctor_rows.verdict(seen)) == words


def test_a_findings_detail_has_proof_commands_and_undo() -> None:
    told = text(doctor_detail.detail(None, sample(), doctor_rows.rows(sample())[1].id))
    for expected in (
        "net.ipv4.ip_forward: 0  expected 1",
        "$ sysctl -w net.ipv4.ip_forward=1",
        "$ sysctl -w net.ipv4.ip_forward=0",
        "container → internet",
        "Brings about",
        "app can't reach the internet",
    ):
        assert expected in told


def test_an_effect_without_a_remedy_points_to_its_cause() -> None:
    assert "Put its cause right: ip-forward-off." in text(
        doctor_detail.detail(None, sample(), doctor_rows.rows(sample())[2].id)
    )


def test_only_what_is_not_left_to_a_person_can_be_applied() -> None:
    assert confirm.applicable(CAUSE)
    assert not confirm.applicable(WARNING)
    assert not confirm.applicable(EFFECT)


def test_the_commands_to_confirm_are_quoted_for_a_shell() -> None:
    asked = text(confirm.fix(WARNING))
    assert "-m comment --comment 'made by hand' -j MASQUERADE" in asked
    assert "-D POSTROUTING" in asked


@pytest.mark.parametrize(
    ("kind", "name", "point"),
    [
        ("network", "app", f"{HOST}:br-app"),
        ("bridge", "docker0", f"{HOST}:docker0"),
        ("link", "eth0", f"{HOST}:eth0"),
        ("container", "web", f"{WEB}:eth0"),
        ("container", "agent", ""),
        ("container", "lonely", ""),
        ("sysctl", "net.ipv4.conf.br-app.forwarding", f"{HOST}:br-app"),
        ("sysctl", "net.ipv4.ip_forward", ""),
        ("network", "none", ""),
    ],
)
def test_where_to_capture_for_a_findings_subject(kind: str, name: str, point: str) -> None:
    assert subject.point_of_finding(docker_like_snapshot(), Subject(kind=kind, name=name)) == point


def test_where_to_capture_for_a_row_of_the_map() -> None:
    snapshot = docker_like_snapshot()
    web = snapshot.containers[0]
    assert subject.point_of_row(snapshot, f"link:{HOST}:{DOCKER0}") == f"{HOST}:docker0"
    assert subject.point_of_row(snapshot, f"ctr:{web.id}:5") == f"container:{web.id}"
    assert subject.point_of_row(snapshot, "net:net-app") == f"{HOST}:br-app"
    for row in ("", "host", f"link:{HOST}:{BR_APP}99", "group:gaps"):
        assert subject.point_of_row(snapshot, row) == ""
    assert subject.somewhere(snapshot) == f"{HOST}:docker0"


@pytest.mark.parametrize("width", [30, 40, 60, 80, 140])
@pytest.mark.parametrize("findings", [(), (CAUSE,), (WARNING,)])
def test_the_title_always_fits_and_keeps_the_mode(width: int, findings: tuple[Finding, ...]) -> None:
    state = AppState(snapshot=docker_like_snapshot(), report=report(*findings), frozen=True, offline=True)
    tabs = (
        Tab("1", "map", "Map"),
        Tab("2", "rules", "Rules"),
        Tab("3", "doctor", "Doctor"),
        Tab("5", "capture", "Capture"),
    )
    left, right = frame.title(state, tabs, "doctor", width)
    assert "[3 Doctor]" in plain(left)
    assert width_of(right) <= width


def test_a_host_s_name_is_left_out_where_nothing_of_it_could_be_read() -> None:
    snapshot = docker_like_snapshot()
    named = msgspec.structs.replace(snapshot, host=msgspec.structs.replace(snapshot.host, hostname="containers-17"))
    state = AppState(snapshot=named, report=report())
    shown = {
        width: plain(frame.title(state, (Tab("3", "doctor", "Doctor"),), "doctor", width)[0]) for width in range(20, 80)
    }
    names = {text.partition("Doctor]")[2].strip() for text in shown.values()}
    assert {"", "containers-17"} <= names
    assert all(len(name) >= 4 or not name for name in names), names


def test_hints_drop_the_least_wanted_and_keep_help_and_quit() -> None:
    wanted = [Hint("f", "fix"), Hint("Enter", "details"), Hint("Space", "freeze"), Hint("?", "help"), Hint("q", "quit")]
    assert plain(frame.hints(wanted, 80)).split() == [
        "f",
        "fix",
        "Enter",
        "details",
        "Space",
        "freeze",
        "?",
        "help",
        "q",
        "quit",
    ]
    assert plain(frame.hints(wanted, 30)).split() == ["f", "fix", "?", "help", "q", "quit"]
    assert width_of(frame.hints(wanted, 12)) <= 12
