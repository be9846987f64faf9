"""The app's part that leads a guided check: walks the flow, watches its packets, sends real ones, saves the answer."""

from __future__ import annotations

import msgspec
from textual import on
from textual.worker import get_current_worker

from dnet_tui.tui.app.model import guided_messages as fact
from dnet_tui.tui.app.model import state as states
from dnet_tui.tui.app.model.guided import SEEN_KEPT, Answered, AskedFlow, GuidedView, ProbeLine, Proof, counted
from dnet_tui.tui.app.model.state import AppState, ErrorInfo
from dnet_tui.tui.app.thread_work import in_thread
from dnet_tui.tui.app.workers import POLL, HostApp, refuse, trouble

MODE = "troubleshoot"


class GuidedApp(HostApp):
    """An app that can lead a guided check.  It belongs below the app that holds the state."""

    state: AppState
    _flow_serial = 0
    _probe_again = False
    """Whether the probe that was sent before a fix is to be sent again after it."""
    _probe_due = False
    """Whether that is only waiting for an earlier probe to end."""
    _is_sending = False
    _fixes = 0

    def _become(self, state: AppState) -> None:
        raise NotImplementedError

    def _guide(self, **fields: object) -> None:
        self._become(states.guiding(self.state, **fields))

    # -- what the user chose ------------------------------------------------

    async def action_troubleshoot(self) -> None:
        """Begin a guided check with what is selected; from within one, begin anew."""
        from dnet_tui.tui.app.present.guided import places  # noqa: PLC0415  not before the first screen

        here = self.current_mode
        guided = self.state.guided
        if here == MODE or guided.page == "question":
            self._end_flow()
            wish = places.selected(self.state, here) if here != MODE else AskedFlow()
            self._guide(**_fields(GuidedView(wish=wish)))
        await self.switch_mode(MODE)
        self._become(self.state)

    @on(fact.PageTurned)
    def page_turned(self, event: fact.PageTurned) -> None:
        """Show another page."""
        wish = event.wish or self.state.guided.wish
        self._guide(page=event.page, wish=wish, trouble=event.trouble)

    @on(fact.StepSelected)
    def step_selected(self, event: fact.StepSelected) -> None:
        """Show another step."""
        self._guide(step=event.step)

    @on(fact.FlowAsked)
    def flow_asked(self, event: fact.FlowAsked) -> None:
        """Walk a flow that was asked about."""
        if self.state.snapshot is None:
            self._guide(wish=event.wish, trouble="The host has not been read yet.")
            return
        self._end_flow()
        self._guide(wish=event.wish, busy="walking...", trouble="", proof=Proof(), before=None, was=None)
        self._explain_flow(self._flow_serial, event.wish)

    @on(fact.JumpAsked)
    async def jump_asked(self, event: fact.JumpAsked) -> None:
        """Go to a row of another mode, whatever was filtered or folded there."""
        state = states.filter_by(states.select(self.state, event.mode, event.row), event.mode, "")
        self.state = states.look_into(state, event.inside) if event.inside else state
        await self.switch_mode(event.mode)
        self._become(self.state)

    # -- what came of it ----------------------------------------------------

    def flow_looked_at_again(self) -> None:
        """The host was read anew: explain again what is on show."""
        guided = self.state.guided
        if guided.answered is not None and guided.answered.snapshot is not self.state.snapshot:
            self._explain_flow(self._flow_serial, guided.wish)

    @in_thread("explain", exclusive=True)
    def _explain_flow(self, serial: int, wish: AskedFlow) -> None:
        snapshot, report = self.state.snapshot, self.state.report
        try:
            from dnet_tui.tui.app.flow_answer import answer_flow  # noqa: PLC0415  the checks: in the worker

            if snapshot is None:
                refuse()
            found: fact.FlowExplained = fact.FlowExplained(serial, answer_flow(snapshot, report, wish))
        except Exception as error:  # noqa: BLE001  a wrong name or a fault of the walk must not end the app
            found = fact.FlowExplained(serial, None, trouble(error))
        if not get_current_worker().is_cancelled:
            self.post_message(found)

    @on(fact.FlowExplained)
    def flow_explained(self, event: fact.FlowExplained) -> None:
        """Show the steps, and begin to watch the flow's packets."""
        if event.serial != self._flow_serial:
            return
        if event.answered is None:
            wrong = event.trouble or ErrorInfo(message="It could not be walked.")
            self._guide(busy="", trouble=f"{wrong.message} {wrong.hint}".strip())
            return
        guided = self.state.guided
        first = guided.page in {"question", "who"}
        same = guided.answered is not None and is_seen_alike(guided.answered, event.answered)
        changes = {"page": "steps", "step": stopping(event.answered)} if first else {}
        self._guide(answered=event.answered, busy="", trouble="", **changes)
        if first or not same or not guided.proof.running:
            self._watch_flow(event.answered)
        else:
            self._send_again()

    def _watch_flow(self, answered: Answered) -> None:
        if self._services.open_flow is None or self.state.offline:
            return
        self.workers.cancel_group(self, "flow")
        self._flow_serial += 1
        self._guide(proof=Proof(points=answered.labels))
        self._capture_flow(self._flow_serial, answered)

    def _end_flow(self) -> None:
        self.workers.cancel_group(self, "flow")
        self._flow_serial += 1

    @in_thread("flow")
    def _capture_flow(self, serial: int, answered: Answered) -> None:
        worker = get_current_worker()
        wrong: ErrorInfo | None = None
        try:
            source = (self._services.open_flow or refuse)(answered)
            try:
                self.post_message(fact.FlowWatchBegan(serial, source.points))
                while not worker.is_cancelled and wrong is None:
                    batch = source.poll(POLL)
                    if batch.packets:
                        self.post_message(fact.FlowSeen(serial, batch.packets))
                    wrong = ErrorInfo(message=batch.ended) if batch.ended else None
            finally:
                source.close()
        except Exception as error:  # noqa: BLE001  no permission, a vanished interface: all are shown
            wrong = trouble(error)
        self.post_message(fact.FlowWatchEnded(serial, wrong))

    @on(fact.FlowWatchBegan)
    def flow_watch_began(self, event: fact.FlowWatchBegan) -> None:
        """Say that packets are watched."""
        if event.serial == self._flow_serial:
            self._prove(points=event.points, running=True, trouble="")
            self._send_again()

    @on(fact.FlowSeen)
    def flow_seen(self, event: fact.FlowSeen) -> None:
        """Count packets."""
        if event.serial != self._flow_serial:
            return
        proof = self.state.guided.proof
        kept = (*proof.packets, *event.packets)[-SEEN_KEPT:]
        self._prove(packets=kept, count=counted(proof.count, event.packets, len(proof.points)))

    @on(fact.FlowWatchEnded)
    def flow_watch_ended(self, event: fact.FlowWatchEnded) -> None:
        """Say why no packets are watched any more."""
        if event.serial == self._flow_serial:
            self._prove(running=False, trouble=event.trouble.message if event.trouble else "")

    def _prove(self, **fields: object) -> None:
        self._guide(proof=msgspec.structs.replace(self.state.guided.proof, **fields))

    # -- real packets, a fix, a file ----------------------------------------

    @on(fact.ProbeAsked)
    def probe_asked(self) -> None:
        """Send real packets."""
        self._send_probe()

    def _send_probe(self) -> None:
        answered = self.state.guided.answered
        if answered is None or self._services.probe is None or self.state.guided.busy:
            return
        self._is_sending = True
        self._guide(busy="sending...")
        self._probe_flow(self._flow_serial, self._fixes, answered)

    @in_thread("probe")
    def _probe_flow(self, serial: int, fixes: int, answered: Answered) -> None:
        try:
            line = (self._services.probe or refuse)(answered)
        except Exception as error:  # noqa: BLE001  what failed is shown
            wrong = trouble(error)
            line = ProbeLine(text=f"{wrong.message} {wrong.hint}".strip())
        self.post_message(fact.ProbeSent(serial, line, fixes))

    @on(fact.ProbeSent)
    def probe_sent(self, event: fact.ProbeSent) -> None:
        """Show what came of it."""
        self._is_sending = False
        self._guide(busy="")
        # One that was sent before a fix says nothing of what is after it.
        if event.serial == self._flow_serial and event.fixes == self._fixes:
            self._prove(probes=(*self.state.guided.proof.probes, event.line))
        if self._probe_due:
            self._send_again()

    def flow_fix_begins(self) -> None:
        """Keep what was seen until now; the same is counted anew once the fix is made."""
        guided = self.state.guided
        if guided.answered is None or self.current_mode != MODE:
            return
        self._probe_again = bool(guided.proof.probes) or self._is_sending
        self._fixes += 1
        fresh = Proof(points=guided.proof.points, running=guided.proof.running)
        self._guide(before=guided.proof, was=guided.answered, proof=fresh)

    def flow_fix_failed(self) -> None:
        """Nothing was fixed: go on as before."""
        guided = self.state.guided
        if guided.before is not None and self.current_mode == MODE:
            self._probe_again = self._probe_due = False
            self._guide(before=None, was=None, proof=guided.before)

    def _send_again(self) -> None:
        """Send after a fix what was sent before it, once its packets are watched."""
        self._probe_due = self._probe_again and self._is_sending
        if self._probe_again and not self._probe_due:
            self._probe_again = False
            self._send_probe()

    @on(fact.SaveAsked)
    def save_asked(self) -> None:
        """Write the closing page to a file."""
        from dnet_tui.tui.app.present.guided import markdown  # noqa: PLC0415  not before the first screen

        guided = self.state.guided
        if guided.answered is not None and self._services.save is not None:
            self._save_text(markdown.file_name(guided), markdown.text(guided))

    @in_thread("save")
    def _save_text(self, name: str, text: str) -> None:
        try:
            self.post_message(fact.TextSaved((self._services.save or refuse)(name, text)))
        except Exception as error:  # noqa: BLE001  a folder that can't be written must not end the app
            self.post_message(fact.TextSaved("", trouble(error)))

    @on(fact.TextSaved)
    def text_saved(self, event: fact.TextSaved) -> None:
        """Say where it is."""
        text = f"Saved as {event.path}" if event.trouble is None else f"{event.trouble.message} {event.trouble.hint}"
        self.notify(text, timeout=5, markup=False)


def stopping(answered: Answered) -> int:
    """The step on which the cursor begins: the one that stops the packet, else the last."""
    steps = answered.why.steps
    return next((index for index, step in enumerate(steps) if step.outcome != "ok"), len(steps) - 1)


def is_seen_alike(one: Answered, other: Answered) -> bool:
    """Whether a capture for one answer shows the other's packets too: the same links, the same addresses."""
    ways = [
        [(hop.packet.src, hop.packet.dst, hop.packet.dport) for hop in item.why.trace.forward.hops]
        for item in (one, other)
    ]
    return one.links.links == other.links.links and set(ways[0]) >= set(ways[1])


def _fields(view: GuidedView) -> dict[str, object]:
    return {name: getattr(view, name) for name in view.__struct_fields__}
