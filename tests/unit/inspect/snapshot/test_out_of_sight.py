"""What is said of links that lead to where nobody could look: what matters, and the true reason."""

from __future__ import annotations

import msgspec
import pytest

from dnet_tui.inspect.kernel.cgroups import CgroupContainer
from dnet_tui.inspect.kernel.procfs import HiddenProcess, ProcessTable
from dnet_tui.inspect.model import Link, NextHop, Route
from dnet_tui.inspect.model.coverage.namespace_reading import NamespaceReading
from dnet_tui.inspect.snapshot import out_of_sight
from dnet_tui.inspect.snapshot.out_of_sight import NotRead, SeenNamespaces, unseen_ends, unseen_processes
from dnet_tui.inspect.snapshot.resolve_peers import resolve_links

HOST, WEB = "net:[1]", "net:[2]"


@pytest.fixture(autouse=True)
def another_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """The host is not the one that runs the tests: its links aren't looked at again."""
    monkeypatch.setattr(out_of_sight, "current_inode", lambda: 0)


def port(name: str, nsid: int | None = 0, *, master: int | None = 2) -> Link:
    return Link(ifindex=int(name[4:]), name=name, kind="veth", lower=3, lower_nsid=nsid, master=master)


def seen(*links: Link, unread: dict[str, NotRead] | None = None, table: ProcessTable | None = None) -> SeenNamespaces:
    host = NamespaceReading(id=HOST, links=links, nsids={0: WEB})
    return SeenNamespaces(
        host=HOST,
        spaces={HOST: host},
        links=resolve_links([host], privileged=True),
        unread=unread or {},
        labels={WEB: "web"},
        table=table or ProcessTable(),
    )


def test_a_port_of_a_bridge_into_a_namespace_that_could_not_be_read_is_told_with_the_reason_of_that_one() -> None:
    (gap,) = unseen_ends(seen(port("veth4"), unread={WEB: NotRead("not permitted to enter it", "be root")}))
    assert (gap.section, gap.scope, gap.hint) == ("namespaces", HOST, "be root")
    assert gap.reason == "veth4 leads to web, which could not be read: not permitted to enter it"


def test_several_ends_of_one_reason_are_one_gap() -> None:
    links = [port(f"veth{number}", nsid=7) for number in range(4, 11)]
    (gap,) = unseen_ends(seen(*links))
    assert gap.reason.startswith("veth4, veth5, veth6 and 4 more lead to namespaces that could not be found: ")


def test_a_way_out_of_the_host_may_lead_out_of_sight_but_not_where_it_is_a_bridges_port() -> None:
    route = Route(family="ip", table=254, type="unicast", dst="0.0.0.0/0", hops=(NextHop(ifindex=4),))

    def with_route(link: Link) -> SeenNamespaces:
        found = seen(link)
        host = msgspec.structs.replace(found.spaces[HOST], routes=(route,))
        return found._replace(spaces={HOST: host})

    assert list(unseen_ends(with_route(port("veth4", nsid=7, master=None)))) == []
    assert len(list(unseen_ends(with_route(port("veth5", nsid=7, master=None))))) == 1
    assert len(list(unseen_ends(with_route(port("veth4", nsid=7))))) == 1


def test_the_reason_is_what_hides_processes_where_something_does() -> None:
    (gap,) = unseen_ends(seen(port("veth4", nsid=7), table=ProcessTable(hiding="invisible")))
    assert "/proc hides processes here (hidepid=invisible)" in gap.reason
    hidden = ProcessTable(hidden=(HiddenProcess(pid=9, name="nginx"),))
    (gap,) = unseen_ends(seen(port("veth4", nsid=7), table=hidden))
    assert "not permitted to look into process nginx (9)" in gap.reason


def test_a_hidden_process_alone_makes_nothing_unknown_where_every_link_leads_to_what_was_read() -> None:
    table = ProcessTable(hidden=(HiddenProcess(pid=1, name="systemd"),))
    (gap,) = unseen_processes(table, HOST, complete=True)
    assert gap.section == "processes"
    assert "every link leads to what was read all the same" in gap.reason


def test_hidden_proxies_engines_and_containers_are_each_told_for_what_they_keep_untold() -> None:
    hidden = (
        HiddenProcess(pid=7, name="docker-proxy"),
        HiddenProcess(pid=8, name="dockerd"),
        HiddenProcess(pid=9, name="nginx", container=CgroupContainer(id="ab" * 32, engine="docker")),
    )
    gaps = list(unseen_processes(ProcessTable(hidden=hidden), HOST, complete=True))
    assert [(gap.section, gap.scope) for gap in gaps] == [
        ("sockets", HOST),
        ("engine", "docker"),
        ("containers", "ab" * 6),
        ("processes", ""),
    ]


def test_nothing_is_told_where_nothing_is_hidden() -> None:
    assert list(unseen_processes(ProcessTable(), HOST, complete=True)) == []
