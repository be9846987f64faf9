"""What is seen of a flow's packets: at the two points beside a step, and counted at all of them.  Pure."""

from __future__ import annotations

from dnet_tui.inspect.capture.decode import clock
from dnet_tui.tui.app.model.guided import FlowCount, Proof, SeenPacket
from dnet_tui.tui.app.present.styled_text import CROSS, TICK, Paragraph, Row, StyledLine, line, say
from dnet_tui.tui.reports.capture.packet_table import delay

Pair = tuple[int | None, int | None]


UNASKED = line(say("once a flow is given, its packets are counted here at both ends of each step", "dim"))


def beside(proof: Proof, pair: Pair) -> Pair:
    """The points that a step lies between; where it lies at none, as the result does, the flow's first and last."""
    if not proof.points or any(point is not None for point in pair):
        return pair
    return 0, len(proof.points) - 1 or None


def label(proof: Proof, point: int | None) -> str:
    """Return what a point is called."""
    return proof.points[point] if point is not None and point < len(proof.points) else ""


def rows(proof: Proof, pair: Pair) -> tuple[Row, ...]:
    """Return each packet in one line: when, what, how it looked before the step and behind it."""
    shown = [point for point in pair if point is not None]
    head = [line(say("time     packet", "key"))] + [line(say(f"at {label(proof, point)}", "key")) for point in shown]
    out = [Row(id="head", cells=tuple(head), selectable=False)]
    for packet in proof.packets:
        time = say(f"{clock(packet.time)[6:12]}  ", "dim")
        way = say("→ " if packet.there else "← ", "info" if packet.there else "good")
        cells = [line(time, way, say(packet.kind, "head"))]
        cells += [_at(packet, point, shown[0] if number else None) for number, point in enumerate(shown)]
        out.append(Row(id=f"seen:{packet.number}", cells=tuple(cells), search=packet.text))
    return tuple(out)


def _at(packet: SeenPacket, point: int, beside: int | None) -> StyledLine:
    """How a packet looked at a point; of one that looked the same ``beside`` it only how much later it came."""
    seen = next((item for item in packet.sightings if item.point == point), None)
    if seen is None:
        return line(say(f"{CROSS} not seen", "bad"))
    other = next((item for item in packet.sightings if item.point == beside), None)
    if other is None:
        return line(say(f"{TICK} ", "good"), say(seen.ends))
    later = say(f" {delay(seen.delay - other.delay)}", "dim")
    return line(say(f"{TICK}", "good"), later, say(_changed(other.ends, seen.ends), "name"))


def _changed(before: str, after: str) -> str:
    """What NAT changed between two points."""
    (src, dst), (was, to) = after.split(" → "), before.split(" → ")
    return (f" as {src}" if src != was else "") + (f" to {dst}" if dst != to else "")


def status(proof: Proof, pair: Pair, *, possible: bool, offline: bool, sends: bool) -> StyledLine:
    """Return the pane's line of state: counts at both points, or why there are none and how to get them."""
    if offline:
        return line(say("a saved snapshot has no packets: open the app on the host to see them", "dim"))
    if not possible:
        return line(say("packets can't be captured here", "dim"))
    if proof.trouble:
        return line(say(f"{CROSS} ", "bad"), say(proof.trouble, "bad"))
    if not proof.points:
        return line(say("no link of this way was seen", "dim"))
    parts: list[StyledLine] = []
    for point in pair:
        if point is not None:
            parts.append(line("  " if parts else "", say(label(proof, point), "info"), *_counts(proof.count, point)))
    running = say("• " if proof.running else "stopped  ", "good" if proof.running else "dim")
    if not proof.packets:
        how = "  waiting: p sends some" if sends else "  waiting for packets of it"
        return line(running, *(part for item in parts for part in item), say(how, "dim"))
    return line(running, *(part for item in parts for part in item))


def _counts(count: FlowCount, point: int) -> StyledLine:
    there, back = (count.points[point].there, count.points[point].back) if point < len(count.points) else (0, 0)
    return line(f" {there} → ", say(f"{back} ←", "good" if back or not there else "bad"))


def counted(proof: Proof) -> tuple[Paragraph, ...]:
    """Return what was seen at every point, and in a sentence; nothing where no packet was."""
    count = proof.count
    if not any(item.there or item.back for item in count.points):
        return ()
    wide = max(len(text) for text in proof.points)
    out = [Paragraph(line(sentence(proof)))]
    for text, item in zip(proof.points, count.points, strict=False):
        sources = f" as {', '.join(item.sources)}" if item.sources else ""
        back = say(f"{item.back} back", "good" if item.back or not item.there else "bad")
        out.append(
            Paragraph(
                line(say(f"{text:<{wide}}  ", "info"), f"{item.there} there", f"{sources}, ", back), hang=wide + 2
            )
        )
    return tuple(out)


def sentence(proof: Proof) -> str:
    """Return what was seen in one sentence, such as ``3 SYN left by eth0 as 172.17.0.2; 0 answers``."""
    points = proof.count.points
    sent = sum(proof.count.there_kinds.values())
    last = max((index for index, item in enumerate(points) if item.there), default=-1)
    if last < 0:
        return "Nothing was seen going there."
    back = sum(proof.count.back_kinds.values())
    answers = ", ".join(f"{number} {kind}" for kind, number in proof.count.back_kinds.items())
    sources = points[last].sources
    text = f"{_kinds(proof.count.there_kinds)}: {points[last].there} of {sent} got as far as {label(proof, last)}"
    text += f" as {', '.join(sources)}" if sources else ""
    if last + 1 < len(points):
        text += f", none to {label(proof, last + 1)}"
    return f"{text}; {back} came back" + (f" ({answers})." if answers else ".")


def _kinds(kinds: dict[str, int]) -> str:
    return ", ".join(f"{number} {kind}" for kind, number in kinds.items())
