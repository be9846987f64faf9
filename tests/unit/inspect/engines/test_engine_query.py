"""All engines are asked by one protocol: a new one in the registry is asked, listed and listened to like the others."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from dnet_tui.inspect.engines import engine_query
from dnet_tui.inspect.engines.engine_data import EngineReading
from dnet_tui.inspect.engines.engine_query import Asking
from dnet_tui.inspect.engines.protocol import EventSocket, QuerySettings
from dnet_tui.inspect.kernel.procfs import ProcessSeen
from dnet_tui.inspect.model import Container, Engine
from dnet_tui.inspect.model.coverage.gaps import Gap
from dnet_tui.inspect.model.engine_kinds.registry import traits_of
from dnet_tui.inspect.model.engine_kinds.traits import EngineTraits
from dnet_tui.inspect.ruleset.firewalld import FirewalldProcess
from dnet_tui.inspect.watch import host_events

HERE = ProcessSeen(pid=7, parent=1, start=1, name="harbour", inode=1)


class Harbour:
    """An engine that nobody has thought of yet."""

    def __init__(self, name: str = "harbour", sockets: tuple[EventSocket, ...] = ()) -> None:
        self.name, self.sockets = name, sockets
        self.calls: list[object] = []

    @property
    def traits(self) -> EngineTraits:
        return traits_of(self.name)

    def query(self, settings: QuerySettings) -> Harbour:
        self.calls.append(("query", settings.timeout))
        return self

    def begin(self) -> None:
        self.calls.append("begin")

    def look(self, processes: tuple[ProcessSeen, ...], host: int) -> None:
        self.calls.append(("look", len(processes), host))

    def finish(self) -> tuple[EngineReading, ...]:
        self.calls.append("finish")
        container = Container(id=f"{self.name}-1", name="boat", engine=self.name)
        gap = Gap(section="containers", scope="boat", reason="at sea")
        return (EngineReading(engines=(Engine(name=self.name),), containers=(container,), gaps=(gap,)),)

    def event_sockets(self, environment: Mapping[str, str]) -> tuple[EventSocket, ...]:
        assert environment
        return self.sockets


@pytest.fixture(autouse=True)
def no_firewalld(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_query, "read_firewalld", lambda *_: FirewalldProcess())


def test_every_engine_is_asked_in_two_steps_and_all_answers_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = Harbour(), Harbour("dock")
    monkeypatch.setattr(engine_query, "ENGINES", (one, two))
    asking = Asking("", 2.5, {}).begin()
    assert one.calls == [("query", 2.5), "begin"]
    asking.look((HERE,), 1)
    answer = asking.finish()
    assert one.calls == two.calls == [("query", 2.5), "begin", ("look", 1, 1), "finish"]
    assert [engine.name for engine in answer.engines] == ["harbour", "dock"]
    assert [item.id for item in answer.containers] == ["harbour-1", "dock-1"]
    assert len(answer.gaps) == 2


def test_each_socket_is_listened_to_once_as_the_first_engine_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    shared = "/run/shared.sock"
    one = Harbour("one", (EventSocket(shared), EventSocket("/run/one.sock", lasting=False)))
    two = Harbour("two", (EventSocket(shared, lasting=False), EventSocket("/run/two.sock")))
    monkeypatch.setattr(host_events, "ENGINES", (one, two))
    assert host_events.find_engines() == (
        EventSocket(shared),
        EventSocket("/run/one.sock", lasting=False),
        EventSocket("/run/two.sock"),
    )
