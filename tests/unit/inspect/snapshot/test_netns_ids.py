"""Whom to ask which namespace a number in a link stands for.  The asking itself is the lab's."""

from __future__ import annotations

from dnet_tui.inspect.kernel.netns import NsHandle
from dnet_tui.inspect.model import Link
from dnet_tui.inspect.model.coverage.namespace_reading import NamespaceReading
from dnet_tui.inspect.snapshot.netns_ids import open_questions, settle_numbers, wanted_numbers

HOST, WEB, DB, APP = "net:[1]", "net:[2]", "net:[3]", "net:[4]"


def veth(index: int, lower: int | None, nsid: int | None, kind: str = "veth") -> Link:
    return Link(ifindex=index, name=f"l{index}", kind=kind, lower=lower, lower_nsid=nsid)


def spaces(*contents: NamespaceReading) -> dict[str, NamespaceReading]:
    return {item.id: item for item in contents}


def questions(found: dict[str, NamespaceReading], *fresh: str, unread: tuple[int, ...] = ()) -> dict[str, list[str]]:
    places = {key: NsHandle(inode=int(key[5:-1])) for key in found}
    places |= {f"net:[{inode}]": NsHandle(inode=inode) for inode in unread}
    return dict(open_questions(found, places, HOST, fresh or tuple(found)))


def test_the_hosts_numbers_are_what_was_asked_while_the_others_were_read() -> None:
    found = spaces(
        NamespaceReading(id=HOST, links=(veth(5, 2, 0), veth(6, 2, 1))),
        NamespaceReading(id=WEB, links=(veth(2, 5, 0),), nsids={0: HOST}, host_nsid=0),
        NamespaceReading(id=DB, links=(veth(2, 6, 0),), nsids={0: HOST}, host_nsid=1),
    )
    settle_numbers(found, [NsHandle(inode=inode) for inode in (1, 2, 3)], HOST, tuple(found), workers=1)
    assert found[HOST].nsids == {0: WEB, 1: DB}
    assert questions(found) == {}


def test_the_host_is_asked_of_those_it_had_no_number_for_yet() -> None:
    found = spaces(
        NamespaceReading(id=HOST, links=(veth(5, 2, 0), veth(6, 2, 1)), nsids={0: WEB}),
        NamespaceReading(id=WEB, links=(veth(2, 5, 0),), nsids={0: HOST}, host_nsid=0),
        NamespaceReading(id=DB, links=(veth(2, 6, 0),), nsids={0: HOST}),
    )
    assert questions(found) == {HOST: [DB]}


def test_of_two_containers_only_likely_ones_are_asked_of() -> None:
    found = spaces(
        NamespaceReading(id=HOST),
        NamespaceReading(id=WEB, links=(veth(2, 9, 3),)),
        NamespaceReading(id=DB, links=(veth(9, 2, 4),)),
        NamespaceReading(id=APP, links=(veth(9, 7, 0), veth(2, 9, None))),
    )
    # APP's 9 leads elsewhere, and its 2 to a link of its own namespace.
    assert questions(found, WEB, DB) == {WEB: [DB], DB: [WEB]}


def test_a_silent_index_means_the_same_index() -> None:
    found = spaces(
        NamespaceReading(id=WEB, links=(veth(7, None, 0),)), NamespaceReading(id=DB, links=(veth(7, None, 0),))
    )
    assert questions(found) == {WEB: [DB], DB: [WEB]}


def test_what_lies_on_a_link_may_lie_on_any_of_that_index() -> None:
    found = spaces(
        NamespaceReading(id=WEB, links=(veth(3, 2, 0, kind="macvlan"),)),
        NamespaceReading(id=APP, links=(veth(2, None, None, ""),)),
    )
    assert questions(found) == {WEB: [APP]}


def test_namespaces_that_could_not_be_read_are_asked_of_too() -> None:
    found = spaces(NamespaceReading(id=WEB, links=(veth(3, 2, 0),)))
    assert questions(found, unread=(8,)) == {WEB: ["net:[8]"]}


def test_a_number_that_the_kernel_did_not_give_is_not_looked_for() -> None:
    assert wanted_numbers(NamespaceReading(id=WEB, links=(veth(3, 2, -1), veth(4, 2, 6)), nsids={6: HOST})) == set()
