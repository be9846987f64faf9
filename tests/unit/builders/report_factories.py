"""A hand-built doctor's report: one cause with its effects, one warning, one check undecided, one gap."""

from __future__ import annotations

from dnet_tui.diagnostics.operations.by_hand import Command
from dnet_tui.diagnostics.operations.kernel import SetSysctl
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.operations.rule import InsertRule
from dnet_tui.diagnostics.report.finding import CheckResult, Evidence, Finding, Subject
from dnet_tui.diagnostics.report.report import REPORT_FORMAT, Report, summarise
from dnet_tui.inspect.model import Engine, Host
from dnet_tui.inspect.model.coverage.gaps import Gap

FORWARD = "net.ipv4.ip_forward"

CAUSE = Finding(
    check="ip-forward-off",
    severity="error",
    subject=Subject(kind="sysctl", name=FORWARD),
    summary="IPv4 forwarding is off: nothing is routed between containers and the outside",
    symptoms=("egress", "published"),
    evidence=(Evidence(source="sysctl", what=FORWARD, value="0", expected="1"),),
    remedy=Remedy(
        summary="turn forwarding on",
        steps=(SetSysctl(key=FORWARD, value="1"),),
        undo=(SetSysctl(key=FORWARD, value="0"),),
        risk="safe",
        note="write it to /etc/sysctl.d to keep it",
    ),
)
EFFECT = Finding(
    check="flow-blocked",
    severity="error",
    subject=Subject(kind="network", name="app"),
    summary="app can't reach the internet",
    caused_by="ip-forward-off",
)
WARNING = Finding(
    check="masq-missing",
    severity="warning",
    subject=Subject(kind="network", name="app"),
    summary="nothing masquerades 10.10.0.0/24",
    remedy=Remedy(
        summary="put the rule back",
        steps=(
            InsertRule(
                backend="iptables-nft",
                family="ip",
                table="nat",
                chain="POSTROUTING",
                spec='-s 10.10.0.0/24 ! -o br-app -m comment --comment "made by hand" -j MASQUERADE',
                position=1,
            ),
        ),
        risk="manual",
    ),
)
UNDECIDED = CheckResult(id="isolation-missing", outcome="unknown", reason="rule 3 of FORWARD can't be evaluated")
GAP = Gap(section="firewall", scope="net:[1]", reason="nft: not found", hint="install nftables")


def report(*findings: Finding, checks: tuple[CheckResult, ...] | None = None, gaps: tuple[Gap, ...] = ()) -> Report:
    """A report of these findings; without ``checks``, each finding's check has found something."""
    found = tuple(CheckResult(id=name, outcome="found") for name in dict.fromkeys(item.check for item in findings))
    results = found if checks is None else checks
    return Report(
        format=REPORT_FORMAT,
        tool_version="0.1.0",
        taken_at="2026-11-21T10:00:00Z",
        host=Host(hostname="lab", kernel="6.1.0"),
        engines=(Engine(name="docker", version="20.10.24", firewall="iptables"),),
        summary=summarise(results, findings),
        checks=results,
        findings=findings,
        gaps=gaps,
    )


def sample() -> Report:
    """Everything at once."""
    results = (
        CheckResult(id="ip-forward-off", outcome="found"),
        CheckResult(id="masq-missing", outcome="found"),
        CheckResult(id="fwd-off-bridge", outcome="ok"),
        UNDECIDED,
    )
    return report(CAUSE, WARNING, EFFECT, checks=results, gaps=(GAP,))


def shell_command(*argv: str) -> Finding:
    """A finding whose remedy is one command."""
    remedy = Remedy(summary="r", steps=(Command(argv=argv),))
    return Finding(check="x", severity="info", subject=CAUSE.subject, summary="s", remedy=remedy)
