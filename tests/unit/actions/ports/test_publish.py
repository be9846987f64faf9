"""Publishing a running container's port: the plan, its label, what is refused, and what the label is read as."""

from __future__ import annotations

import msgspec
import pytest

from dnet_tui.actions.plans.plan import command_lines
from dnet_tui.actions.ports.publish import PortRequest, parse_port, publish_plan, unpublish_plan
from dnet_tui.actions.ports.reached import reached
from dnet_tui.diagnostics.checks.run_checks import run_checks
from dnet_tui.diagnostics.operations.rule import InsertRule
from dnet_tui.diagnostics.operations.simulate import after
from dnet_tui.inspect.engines.rule_published_ports import with_own_ports
from dnet_tui.inspect.errors import CannotInspectError, UsageError
from dnet_tui.inspect.model import Snapshot, Unread, known_items
from dnet_tui.inspect.model.port_label import PortLabel, decode
from dnet_tui.inspect.model.view import View
from unit.builders.factories import HOST, docker_like_snapshot, with_namespace, with_sysctl
from unit.diagnostics.checks.cases.rules import insert

REQUEST = PortRequest(container="app1", host_port=9090, container_port=80)


def published(snapshot: Snapshot, request: PortRequest = REQUEST) -> Snapshot:
    """The host as it would be seen after the plan was made."""
    done = after(snapshot, publish_plan(snapshot, request).operations)  # type: ignore[arg-type]
    containers = with_own_ports(tuple(known_items(done.containers)), View(done).host)
    return msgspec.structs.replace(done, containers=containers)


def ports_of(snapshot: Snapshot, name: str) -> list[tuple[str, int, int, str]]:
    (container,) = [item for item in known_items(snapshot.containers) if item.name == name]
    return [(item.host_ip, item.host_port, item.container_port, item.by) for item in container.published]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("8080:80", ("", 8080, 80, "tcp")),
        ("8080:80/udp", ("", 8080, 80, "udp")),
        ("0.0.0.0:8080:80", ("", 8080, 80, "tcp")),
        ("192.0.2.1:8080:80", ("192.0.2.1", 8080, 80, "tcp")),
        ("[2001:DB8::1]:8080:80", ("2001:db8::1", 8080, 80, "tcp")),
    ],
)
def test_a_port_is_written_as_engines_take_it(text: str, wanted: tuple[str, int, int, str]) -> None:
    found = parse_port("web", text)
    assert (found.host_ip, found.host_port, found.container_port, found.proto) == wanted


@pytest.mark.parametrize(
    "text", ["", "80", "0:80", "80:65536", "80:80/sctp", "x:80:80", "80:80:80:80", "-1:80", "٨:80"]
)
def test_what_is_no_port_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_port("web", text)


def test_a_published_port_is_walked_and_seen_as_ours_and_healthy() -> None:
    before = docker_like_snapshot()
    done = published(before)
    assert ports_of(done, "app1") == [("0.0.0.0", 9090, 80, "dnet-tui")]  # noqa: S104  what is shown
    said = reached(done, REQUEST)
    assert "outside → port 9090: arrives at app1, and the answer gets back" in said
    assert run_checks(done).findings == run_checks(before).findings


def test_every_rule_bears_the_label_and_unpublish_takes_them_all_out() -> None:
    before = docker_like_snapshot()
    plan = publish_plan(before, REQUEST)
    label = PortLabel("app1", "*", 9090, 80, "tcp")
    assert decode(label.comment) == label
    specs = [item.spec for item in plan.operations if isinstance(item, InsertRule)]
    assert len(specs) == 5
    assert all(f'"{label.comment}"' in spec for spec in specs)
    done = published(before)
    back = after(done, unpublish_plan(done, "app1", 9090, "tcp").operations)  # type: ignore[arg-type]
    hosts = [View(item).host for item in (back, before)]
    assert hosts[0] is not None
    assert hosts[1] is not None
    assert hosts[0].firewall == hosts[1].firewall


def test_localhost_is_guarded_before_it_is_opened() -> None:
    lines = command_lines(publish_plan(docker_like_snapshot(), parse_port("app1", "9090:80", localhost=True)))
    guard = next(number for number, line in enumerate(lines) if "-d 127.0.0.0/8 -i br-app" in line)
    assert lines[guard + 1] == "sysctl -w net.ipv4.conf.br-app.route_localnet=1"


def test_forwarding_is_turned_on_where_it_is_off() -> None:
    off = with_sysctl(docker_like_snapshot(), "net.ipv4.ip_forward", "0")
    assert command_lines(publish_plan(off, REQUEST))[0] == "sysctl -w net.ipv4.ip_forward=1"


REFUSED = {
    "nothing of that name": ("gone", "9090:80", "no container named gone"),
    "the host's own network": ("agent", "9090:80", "uses the host's own network"),
    "another's network": ("sidecar", "9090:80", "uses the network of app1"),
    "published by its engine": ("web", "8080:80", "nothing to do"),
    "published for another": ("app1", "8080:80", "published already, for web port 80"),
    "another host's address": ("app1", "198.51.100.1:9090:80", "no address of this host"),
    "the loopback of IPv6": ("app1", "[::1]:9090:80", "forwards nothing from ::1"),
    "no IPv6": ("app1", "[2001:db8::1]:9090:80", "no address of this host"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_can_not_be_published_is_said(case: str) -> None:
    name, port, words = REFUSED[case]
    with pytest.raises(UsageError) as error:
        publish_plan(docker_like_snapshot(), parse_port(name, port))
    assert words in f"{error.value.message} {error.value.hint}"


def test_an_unseen_firewall_is_no_empty_one() -> None:
    blind = with_namespace(docker_like_snapshot(), HOST, firewall=Unread(reason="permission denied"))
    with pytest.raises(CannotInspectError):
        publish_plan(blind, REQUEST)
    with pytest.raises(CannotInspectError):
        unpublish_plan(blind, "app1", 9090, "tcp")


def test_what_an_engine_publishes_is_not_ours_to_stop() -> None:
    with pytest.raises(UsageError, match="no rule of dnet-tui's") as error:
        unpublish_plan(docker_like_snapshot(), "web", 8080, "tcp")
    assert "its engine publishes it" in error.value.hint


@pytest.mark.parametrize(
    "comment",
    ["dnet-tui:port", "dnet-tui:port a b 1>2/tcp", "dnet-tui:port app1 * 0>80/tcp", "x dnet-tui:port app1 * 1>80/tcp"],
)
def test_what_is_no_label_is_read_as_none(comment: str) -> None:
    assert decode(comment) is None


def test_a_port_that_a_rule_leads_elsewhere_is_taken_though_no_engine_publishes_it() -> None:
    """What comes for it never gets to a rule behind that one."""
    spec = "-p tcp -m tcp --dport 9090 -m addrtype --dst-type LOCAL -j DNAT --to-destination 172.17.0.2:80"
    snapshot = insert(spec, "PREROUTING", "nat")
    with pytest.raises(UsageError, match=r"led to 172\.17\.0\.2:80 by nat PREROUTING rule 1"):
        publish_plan(snapshot, parse_port("app1", "9090:80"))
    assert publish_plan(snapshot, parse_port("app1", "9090:80/udp")).steps
    assert publish_plan(snapshot, parse_port("app1", "9091:80")).steps
