"""A trace in one or two sentences: where the packet ended, by what it was led there, and its answer.  Pure."""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.trace.reception import redirection, way_out
from dnet_tui.diagnostics.trace.trace import Trace
from dnet_tui.diagnostics.walk.l2.tunnels import ref_text
from dnet_tui.diagnostics.walk.later_packets import LaterKind
from dnet_tui.diagnostics.walk.packet import Walk
from dnet_tui.inspect.model import LinkRef
from dnet_tui.inspect.model.view import View
from dnet_tui.inspect.text.sanitize import clean

VERDICTS = {
    "delivered": "arrives: somebody listens",
    "left": "leaves the host",
    "refused": "arrives, but no process listens there",
    "dropped": "is dropped",
    "rejected": "is rejected",
    "no-route": "finds no route",
    "unreachable": "can't get to the next hop",
    "looped": "goes round in a loop",
    "too-big": "is too big for a link on its way",
    "unknown": "can't be decided",
}

_LATER: dict[LaterKind, str] = {
    "acknowledgement": "an acknowledgement without data",
    "data": "its data",
    "data of the answer": "the data of the answer",
    "second packet": "a second packet",
}

_TUNNELS = {
    "wireguard": "a WireGuard tunnel",
    "vxlan": "a VXLAN tunnel",
    "geneve": "a GENEVE tunnel",
    **dict.fromkeys(("gre", "gretap", "ip6gre", "ip6gretap"), "a GRE tunnel"),
    **dict.fromkeys(("erspan", "ip6erspan"), "an ERSPAN tunnel"),
    "ipip": "an IPIP tunnel",
    "ip6tnl": "an IPv6 tunnel",
    "sit": "a SIT tunnel",
    **dict.fromkeys(("vti", "vti6"), "an IPsec tunnel"),
}


def headline(trace: Trace, view: View) -> str:
    """The sentences.  They name the redirect, the proxy, the tunnel with its peer, and the link that is dead."""
    return " ".join(_sentences(trace, view))


def _sentences(trace: Trace, view: View) -> Iterator[str]:
    walk = trace.forward
    if trace.answer_state == "unanswerable":
        yield f"The packet left as {clean(walk.last.src)}: nobody outside can answer that."
        return
    led = redirection(walk)
    if led and walk.end != "left":
        yield f"The packet is {clean(led)}."
        yield f"There it {_ending(walk, view)}."
    else:
        yield f"The packet {_ending(walk, view)}."
    if trace.relay is not None:
        name = trace.relay.program
        who = f"a {name}" if name == "proxy" else clean(name)
        what = f"{who} (process {trace.relay.proxy.pid}) for {clean(trace.relay.to)}"
        fails = ", whose own connection fails" if trace.relay.failing is not None else ""
        yield f"It is taken by {what}{fails}."
    silent = trace.paused is not None and trace.paused.proto != "tcp"
    if trace.answer is not None and not silent:
        yield _answer(trace, trace.answer, view)
    yield from _later(trace, view)
    if trace.paused is not None:
        yield f"But {trace.paused.text}."
    if trace.intended is False and trace.received_by and not trace.held_by:
        yield f"It is received by {clean(trace.received_by)}, for whom it wasn't meant."


def _answer(trace: Trace, answer: Walk, view: View) -> str:
    match trace.answer_state:
        case "returns":
            return "Its answer gets back."
        case "expected":
            return "An answer is expected."
        case "misdelivered" if way_out(view, answer)[1]:
            return f"Its answer {_ending(answer, view)}, where nobody awaits it."
        case "misdelivered":
            return "Its answer comes to somebody who doesn't await it."
    return f"Its answer {_ending(answer, view)}."


def _later(trace: Trace, view: View) -> Iterator[str]:
    """That a later packet of the connection doesn't get through, though the first ones do."""
    later = trace.stopped_later
    if later is None:
        return
    opening = "handshake passes" if later.walk.start.proto == "tcp" else "first packet and its answer pass"
    size = f" ({later.walk.start.length} bytes)" if later.kind.startswith("data") else ""
    misled = later.walk.intended is False
    ending = "comes to somebody who doesn't await it" if misled else _ending(later.walk, view)
    yield f"The {opening}, but {_LATER[later.kind]}{size} {ending}."


def _ending(walk: Walk, view: View) -> str:
    """How a walk ended: with the link that it left by, and the tunnel's peer or the program, or with the dead link."""
    words = VERDICTS.get(walk.end, walk.end)
    if walk.end == "left":
        link, where = way_out(view, walk)
        return clean(f"leaves by {link} {where}" if where else f"{words} by {link}" if link else words)
    by = walk.decided_by
    if walk.end == "unreachable" and by is not None and by.kind == "link":
        words = f"{words}: {clean(by.text)}"
    tunnel = _tunnel(walk, view)
    if tunnel and walk.end == "unknown":
        return f"is led into {tunnel}: whether it leaves by that can't be decided"
    return f"is led into {tunnel}, and {words}" if tunnel else words


def _tunnel(walk: Walk, view: View) -> str:
    """The tunnel whose ends decided a walk, as it has none for the packet or none is known; empty where none did."""
    by = walk.decided_by
    if by is None or not by.interface or not walk.obstacles or walk.obstacles[0].stage != "tunnel":
        return ""
    link = view.link_named(by.namespace, by.interface)
    what = _TUNNELS.get(link.kind, "") if link is not None else ""
    if link is None or not what:
        return ""
    return clean(f"{ref_text(view, LinkRef(namespace=by.namespace, ifindex=link.ifindex))}, {what}")
