from dnet_tui.diagnostics.checks.framework.check import Check
from dnet_tui.tui.reports.doctor.explanation import explanation
from dnet_tui.tui.reports.terminal import OutputStyle

DOC = """Packets leave with a private address.

    What it finds
        A network whose ``MASQUERADE`` rule is missing, so that its containers can't be answered.

        Both families.

            iptables -t nat -S
    """

CHECK = Check(id="masq-missing", title="t", severity="error", doc=DOC, find=lambda _: ())


def test_headings_stay_paragraphs_wrap_and_examples_are_kept() -> None:
    assert explanation(CHECK, OutputStyle(40)).splitlines() == [
        "masq-missing  (error)",
        "",
        "Packets leave with a private address.",
        "",
        "What it finds",
        "  A network whose `MASQUERADE` rule is",
        "  missing, so that its containers can't",
        "  be answered.",
        "",
        "  Both families.",
        "",
        "        iptables -t nat -S",
    ]
