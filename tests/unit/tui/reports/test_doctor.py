import json

import msgspec

from dnet_tui.diagnostics.report.finding import CheckResult
from dnet_tui.inspect.text.cells import cells
from dnet_tui.tui.reports.doctor.report_json import doctor_data
from dnet_tui.tui.reports.doctor.report_markdown import code, doctor_markdown
from dnet_tui.tui.reports.doctor.report_order import stories
from dnet_tui.tui.reports.doctor.report_text import doctor_text
from dnet_tui.tui.reports.json_text import to_json
from dnet_tui.tui.reports.terminal import OutputStyle
from unit.builders.report_factories import CAUSE, EFFECT, GAP, UNDECIDED, WARNING, report, sample, shell_command

OK = CheckResult(id="ip-forward-off", outcome="ok")

TEXT = """\
lab · docker 20.10.24 · 2026-11-21 10:00:00 UTC

2 errors, 1 warning.
4 checks: 1 ok, 2 found something, 1 undecided.

ERROR  ip-forward-off  sysctl net.ipv4.ip_forward
  IPv4 forwarding is off: nothing is routed between containers and the outside
  Breaks: container → internet; outside → published port
  Seen:   sysctl: net.ipv4.ip_forward = 0  (expected 1)
  Fix:    turn forwarding on (safe to apply; lost at a reboot)
            sysctl -w net.ipv4.ip_forward=1
  Undo:
            sysctl -w net.ipv4.ip_forward=0
  Note:   write it to /etc/sysctl.d to keep it
  Or:     dnet-tui fix ip-forward-off
  This causes:
    - error flow-blocked: app can't reach the internet

WARNING  masq-missing  network app
  nothing masquerades 10.10.0.0/24
  Fix:    put the rule back (to be done by hand; lost at a reboot)
            iptables-nft -w -t nat -I POSTROUTING 1 -s 10.10.0.0/24 '!' -o br-app -m comment \
--comment 'made by hand' -j MASQUERADE

Not decided
  - isolation-missing (unknown): rule 3 of FORWARD can't be evaluated

Not seen
  - firewall of net:[1]: nft: not found → install nftables
"""


def test_the_text_tells_the_verdict_then_causes_with_their_effects_then_what_was_not_seen() -> None:
    assert doctor_text(sample(), OutputStyle()) == TEXT


def test_text_fits_the_terminal_but_commands_are_never_broken() -> None:
    lines = doctor_text(sample(), OutputStyle(60)).splitlines()

    assert all(cells(line) <= 60 for line in lines if "iptables-nft" not in line)
    assert any("iptables-nft" in line and "MASQUERADE" in line for line in lines)


def test_colour_is_never_the_only_sign() -> None:
    plain, coloured = doctor_text(sample(), OutputStyle(80)), doctor_text(sample(), OutputStyle(80, colour=True))

    assert "\x1b[" in coloured
    assert "ERROR" in plain
    assert "WARNING" in plain


def test_a_healthy_report_says_so() -> None:
    assert "Healthy: no problem was found." in doctor_text(report(checks=(OK,)), OutputStyle())


def test_an_incomplete_report_does_not_say_healthy() -> None:
    text = doctor_text(report(checks=(OK, UNDECIDED)), OutputStyle())

    assert "Healthy" not in text
    assert "not everything could be decided" in text


def test_an_effect_without_its_cause_in_the_report_stands_alone() -> None:
    assert [story.cause for story in stories(report(EFFECT))] == [EFFECT]


def test_effects_of_effects_are_folded_under_the_first_cause() -> None:
    later = msgspec.structs.replace(EFFECT, check="app-silent", caused_by="flow-blocked")

    ((cause, effects),) = stories(report(CAUSE, EFFECT, later))

    assert (cause, effects) == (CAUSE, (EFFECT, later))


def test_findings_that_blame_each_other_are_all_told() -> None:
    one = msgspec.structs.replace(CAUSE, check="a", caused_by="b")
    two = msgspec.structs.replace(CAUSE, check="b", caused_by="a")

    assert [story.cause for story in stories(report(one, two))] == [one, two]


def test_json_follows_the_contract() -> None:
    data = json.loads(to_json(doctor_data(sample())))

    assert list(data) == [
        "format", "tool_version", "taken_at", "host", "engines", "summary", "checks", "findings", "gaps",
        "skipped", "flows",
    ]  # fmt: skip
    assert data["format"] == 1
    assert data["engines"] == [{"name": "docker", "version": "20.10.24", "firewall": "iptables"}]
    assert data["summary"] == {
        "verdict": "problems",
        "errors": 2,
        "warnings": 1,
        "checks": {"ok": 1, "found": 2, "unknown": 1, "not_applicable": 0, "crashed": 0},
    }
    assert data["checks"][2] == {"id": "fwd-off-bridge", "outcome": "ok", "reason": ""}
    assert data["findings"][0] == {
        "check": "ip-forward-off",
        "severity": "error",
        "subject": {"kind": "sysctl", "name": "net.ipv4.ip_forward"},
        "summary": CAUSE.summary,
        "symptoms": ["egress", "published"],
        "evidence": [{"source": "sysctl", "what": "net.ipv4.ip_forward", "value": "0", "expected": "1", "owner": None}],
        "remedy": {
            "summary": "turn forwarding on",
            "risk": "safe",
            "persists": False,
            "steps": [["sysctl", "-w", "net.ipv4.ip_forward=1"]],
            "undo": [["sysctl", "-w", "net.ipv4.ip_forward=0"]],
            "overrides": None,
        },
        "caused_by": None,
        "affects": [],
        "owner": None,
        "flows": [],
    }
    assert data["findings"][2]["remedy"] is None
    assert data["findings"][2]["caused_by"] == "ip-forward-off"
    assert data["gaps"] == [{"section": GAP.section, "scope": GAP.scope, "reason": GAP.reason, "hint": GAP.hint}]


def test_a_rule_in_json_is_an_argument_vector_with_its_comment_in_one_piece() -> None:
    (step,) = doctor_data(report(WARNING))["findings"][0]["remedy"]["steps"]

    assert "made by hand" in step


def test_commands_are_quoted_for_a_shell() -> None:
    assert "docker run 'a b' '$(id)'" in doctor_text(
        report(shell_command("docker", "run", "a b", "$(id)")), OutputStyle()
    )


def test_markdown_escapes_what_a_name_could_smuggle_in() -> None:
    evil = msgspec.structs.replace(WARNING, summary="![x](http://198.51.100.1/) <b>*now*", remedy=None)

    text = doctor_markdown(report(evil))

    assert r"\!\[x\]\(http://198.51.100.1/\) \<b\>\*now\*" in text


def test_a_code_span_survives_backticks() -> None:
    assert code("a`b``c") == "```a`b``c```"
    assert code("`") == "`` ` ``"


def test_markdown_holds_the_commands_as_code() -> None:
    assert "    sysctl -w net.ipv4.ip_forward=1\n" in doctor_markdown(sample())


def test_a_namespace_that_was_not_seen_is_called_by_its_name() -> None:
    names = {GAP.scope: "host"}.__getitem__

    assert "firewall of host: nft: not found" in doctor_text(report(gaps=(GAP,)), OutputStyle(), names)
    assert "firewall of host: nft: not found" in doctor_markdown(report(gaps=(GAP,)), names)


def test_escapes_from_the_host_are_made_harmless_in_every_format() -> None:
    evil = msgspec.structs.replace(CAUSE, summary="\x1b[2J\u202esummary")
    broken = report(evil, gaps=(msgspec.structs.replace(GAP, reason="\x1b[31m"),))

    for text in (doctor_text(broken, OutputStyle()), doctor_markdown(broken), to_json(doctor_data(broken))):
        assert text.replace("\n", "").isprintable()


def test_checks_that_one_gap_leaves_undecided_share_a_line() -> None:
    checks = tuple(CheckResult(id=f"c{n}", outcome="unknown", reason="no permission") for n in range(5))
    text = doctor_text(msgspec.structs.replace(report(), checks=checks), OutputStyle())
    assert "c0, c1, c2 and 2 more (unknown): no permission" in text
    assert text.count("no permission") == 1
