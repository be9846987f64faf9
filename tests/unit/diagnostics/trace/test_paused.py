"""Paused containers: their kernel takes what their processes never read."""

from __future__ import annotations

import msgspec
import pytest

from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.trace.endpoints import find
from dnet_tui.diagnostics.trace.first_packet import TraceProtocol
from dnet_tui.diagnostics.trace.trace import Trace, trace
from dnet_tui.inspect.model import known_items
from dnet_tui.tui.reports.trace.headline import headline
from unit.builders.factories import docker_like_snapshot


def asked(status: str, proto: TraceProtocol = "tcp", *, beside: bool = False) -> tuple[Trace, str]:
    """A trace to web, which has a status, and perhaps a running container beside it; and its headline."""
    base = docker_like_snapshot()
    containers = []
    for item in known_items(base.containers):
        if item.name == "web":
            containers.append(msgspec.structs.replace(item, status=status, pid=1 if beside else item.pid))
            if beside:
                containers.append(msgspec.structs.replace(item, id="other", name="other", joined=item.id, pid=99))
        else:
            containers.append(item)
    case = HostContext(msgspec.structs.replace(base, containers=tuple(containers)))
    found = trace(case, find(case, "outside"), find(case, "host"), proto=proto, port=8080)
    return found, headline(found, case.view)


def test_a_paused_container_takes_a_connection_and_does_not_answer() -> None:
    found, said = asked("paused")
    assert (found.verdict, found.forward.end, found.answer_state, found.arrives) == (
        "paused",
        "delivered",
        "returns",
        False,
    )
    assert found.why.startswith("web is paused: the kernel takes the connection")
    assert "But web is paused" in said


def test_a_running_one_answers() -> None:
    found, said = asked("running")
    assert (found.verdict, found.arrives, found.paused) == ("delivered", True, None)
    assert "paused" not in said


def test_whose_the_socket_is_in_a_namespace_of_several_may_not_be_known() -> None:
    found, _ = asked("paused", beside=True)
    assert found.arrives is None
    assert "may have the socket" in found.why


@pytest.mark.parametrize("status", ["paused", "running"])
def test_the_kernel_answers_an_echo_in_its_place(status: str) -> None:
    found, _ = asked(status, "icmp")
    assert found.arrives is True
