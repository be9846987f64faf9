"""What doesn't work, in the words of who comes with it.  Pure."""

from __future__ import annotations

from typing import NamedTuple

from dnet_tui.diagnostics.report.finding import Finding
from dnet_tui.diagnostics.report.report import Report
from dnet_tui.diagnostics.trace.endpoints import BEYOND, HOST
from dnet_tui.diagnostics.trace.first_packet import TraceProtocol
from dnet_tui.tui.app.model.guided import AskedFlow
from dnet_tui.tui.app.present.findings_of import mark
from dnet_tui.tui.app.present.styled_text import BLANK, Paragraph, Row, StyledLine, bullet, heading, line, say


class SymptomQuestion(NamedTuple):
    """A symptom: where its traffic begins and ends unless something else is given, and what is gone through.

    ``asks`` are the fields that remain to be filled in; ``symptoms`` those
    of the doctor's findings that speak of it.
    """

    id: str
    title: str
    asks: tuple[str, ...]
    source: str
    target: str
    port: str
    goes_through: str
    symptoms: tuple[str, ...]


QUESTIONS = (
    SymptomQuestion(
        "internet",
        "A container can't reach the internet",
        ("from",),
        "",
        BEYOND,
        "443",
        "Its address and route, the bridge, forwarding, every rule on the way out, the translation of its address, "
        "and whether the outside can answer.",
        ("egress",),
    ),
    SymptomQuestion(
        "between",
        "A container can't reach another container",
        ("from", "to", "port"),
        "",
        "",
        "",
        "Whether the two share a network, their addresses, neighbours and bridge ports, the rules between them, and "
        "who listens there.",
        ("same-network", "cross-network"),
    ),
    SymptomQuestion(
        "host",
        "The host can't reach a container",
        ("to", "port"),
        HOST,
        "",
        "",
        "The host's route to it, the bridge and the container's port of it, the rules, and who listens there.",
        ("host-to-container",),
    ),
    SymptomQuestion(
        "published",
        "A published port doesn't answer",
        ("to", "port"),
        BEYOND,
        HOST,
        "",
        "The way from outside to the host's port: translation to the container, the rules for what is forwarded, who "
        "listens there, and the answer's way back.",
        ("published", "host-to-published", "container-to-published"),
    ),
    SymptomQuestion(
        "names",
        "Names don't resolve in a container",
        ("from",),
        "",
        "",
        "53/udp",
        "Which name server is asked, from where, and whether the question gets there and the answer back.",
        ("names",),
    ),
    SymptomQuestion(
        "before",
        "It worked before",
        ("from", "to", "port"),
        "",
        "",
        "",
        "The same steps for any flow, and on the last page what changed on this host since the app was opened.",
        (),
    ),
)
"""In the order in which they are asked."""

ANY = SymptomQuestion("flow", "A flow", ("from", "to", "port"), "", "", "", "", ())
"""No question in particular: a flow, as mode 4 traces it."""


def question(ident: str) -> SymptomQuestion:
    """Return a question by its id."""
    return next((item for item in QUESTIONS if item.id == ident), ANY)


def rows(report: Report | None) -> tuple[Row, ...]:
    """Return the questions, each with how much the doctor found of it already."""
    return tuple(
        Row(id=item.id, cells=(line(say(item.title, "name")), _found(item, report)), search=item.goes_through)
        for item in QUESTIONS
    )


def _found(asked: SymptomQuestion, report: Report | None) -> StyledLine:
    found = _of(asked, report)
    return line(mark(found[0].severity), f" {len(found)}") if found else ()


def _of(asked: SymptomQuestion, report: Report | None) -> tuple[Finding, ...]:
    if report is None:
        return ()
    return tuple(
        item
        for item in report.findings
        if item.severity in {"error", "warning"} and set(item.symptoms) & set(asked.symptoms)
    )


def about(ident: str, report: Report | None) -> tuple[Paragraph, ...]:
    """Return what a question goes through, and what the doctor found of it already."""
    asked = question(ident)
    out = [Paragraph(line(say(asked.title, "name"))), BLANK, Paragraph(line(asked.goes_through))]
    found = _of(asked, report)
    if found:
        out += [BLANK, heading("Found already")]
        out += [bullet(item.summary, " ", say(f"({item.check})", "dim"), mark=mark(item.severity)) for item in found]
    return tuple(out)


def filled(ident: str, wish: AskedFlow) -> AskedFlow:
    """Return the wish that a question begins with; what was selected fills the place that it asks for."""
    asked = question(ident)
    proto, port = read_port(asked.port)
    source, target = wish.source, wish.target
    if ident == "published":
        return AskedFlow(source=BEYOND, target=target or HOST, port=wish.port, proto=wish.proto, question=ident)
    if ident == "host":
        return AskedFlow(source=HOST, target=target or source, port=wish.port, proto=wish.proto, question=ident)
    if asked.target or ident == "names":
        return AskedFlow(source=source, target=asked.target, port=port, proto=proto, question=ident)
    return AskedFlow(source=source, target=target, port=wish.port, proto=wish.proto, question=ident)


def read_port(text: str) -> tuple[TraceProtocol, int]:
    """Read ``443``, ``53/udp`` or ``icmp``; nothing is any TCP port.

    Raises:
        ValueError: it is none of these.
    """
    words = text.strip().lower()
    if words in {"icmp", "ping"}:
        return "icmp", 0
    number, _, proto = words.partition("/")
    is_port = not number or (number.isdecimal() and 0 < int(number) < 65536)
    if proto not in {"", "tcp", "udp"} or not is_port:
        raise ValueError(text)
    return "udp" if proto == "udp" else "tcp", int(number or 0)


def port_text(wish: AskedFlow) -> str:
    """Return what :func:`read_port` reads back."""
    if wish.proto == "icmp":
        return "icmp"
    return (str(wish.port) if wish.port else "") + ("/udp" if wish.proto == "udp" else "")
