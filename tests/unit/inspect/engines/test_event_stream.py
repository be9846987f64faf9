"""An engine's event stream, from its bytes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnet_tui.inspect.engines.event_stream import REQUEST, EventStream
from dnet_tui.inspect.model.change_events import Moved

HEAD = b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n"


def line(**event: Any) -> bytes:
    return json.dumps(event).encode() + b"\n"


STARTED = line(Type="container", Action="start", Actor={"ID": "a"})
CREATED = line(Type="network", Action="create")


def sections(*pieces: bytes) -> set[str]:
    stream = EventStream()
    return {item.section for piece in pieces for item in stream.feed(piece)}


def test_only_a_question_is_sent() -> None:
    assert REQUEST.startswith(b"GET /events?")
    assert REQUEST.endswith(b"\r\n\r\n")


def test_events_say_which_section_moved() -> None:
    assert sections(HEAD + STARTED) == {"containers"}
    assert sections(HEAD, CREATED) == {"networks"}
    assert sections(HEAD, line(Type="daemon", Action="reload")) == {"engine"}


@given(st.lists(st.integers(1, 60), max_size=30))
def test_it_does_not_matter_how_the_bytes_are_cut(cuts: list[int]) -> None:
    whole, pieces = HEAD + STARTED + CREATED, []
    for cut in cuts:
        pieces.append(whole[:cut])
        whole = whole[cut:]

    assert sections(*pieces, whole) == {"containers", "networks"}


@pytest.mark.parametrize("action", ["exec_create: sh", "exec_die", "health_status: healthy", "top", "attach", "mount"])
def test_what_changes_nothing_of_a_network_is_no_news(action: str) -> None:
    assert sections(HEAD, line(Type="container", Action=action)) == set()


def test_podman_calls_it_status() -> None:
    assert sections(HEAD, line(Type="container", status="died")) == {"containers"}


@pytest.mark.parametrize("data", [b"[]\n", b"{\n", b"7\n", b"\xff\n", b'{"Type":["x"],"Action":7}\n', b'{"Type":{}}\n'])
def test_what_is_no_event_is_no_news(data: bytes) -> None:
    assert sections(HEAD, data, STARTED) == {"containers"}


@pytest.mark.parametrize("head", [b"HTTP/1.0 403 Forbidden\r\n\r\n", b"SSH-2.0-x\r\n\r\n"])
def test_an_engine_that_refuses_says_so(head: bytes) -> None:
    stream = EventStream()

    assert stream.feed(head) == frozenset()
    assert stream.refused


def test_an_answer_without_end_is_refused() -> None:
    stream = EventStream()
    stream.feed(HEAD)
    for _ in range(20):
        stream.feed(b"x" * (1 << 16))

    assert stream.refused


def test_what_it_tells_is_of_our_own_namespace() -> None:
    stream = EventStream()
    assert stream.feed(HEAD + STARTED) == {Moved("containers")}
