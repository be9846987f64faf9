"""What was not read can't be taken for empty, and what was read in part can't be taken for all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from dnet_tui.inspect.archive.snapshot_file import decode, encode
from dnet_tui.inspect.model import Address, LinkRef, NotSeen, Partial, Settings, Snapshot, Unread, known_items, require
from dnet_tui.inspect.model.coverage.gaps import HOST_LISTS, NAMESPACE_FIELDS, Gap, listed, with_gaps
from dnet_tui.inspect.model.coverage.sections import NOT_ASKED, Lack, lacks_of, unless_unasked, with_items
from dnet_tui.inspect.model.view import View
from unit.builders.factories import APP1, HOST, WEB, docker_like_snapshot, with_namespace, with_unread
from unit.builders.factories_links import namespace

UNREAD = Unread(reason="permission denied", hint="as root")
HALF: Partial[int] = Partial(items=(1, 2), lacks=(Lack(reason="torn", hint="again"),))

TOUCHES: dict[str, Callable[[Any], object]] = {
    "iterate": list,
    "unpack": lambda section: (*section,),
    "count": len,
    "ask for truth": bool,
    "index": lambda section: section[0],
    "slice": lambda section: section[:1],
    "look for": lambda section: 3 in section,
    "reverse": lambda section: list(reversed(section)),
    "read a part": lambda section: section.tables,
    "add to": lambda section: section | {"a": "b"},
    "demand": require,
}


@pytest.mark.parametrize("touch", TOUCHES)
def test_touching_what_was_not_read_raises_and_says_what_and_whose(touch: str) -> None:
    section = namespace(with_unread(docker_like_snapshot(), WEB, "routes"), WEB).routes
    with pytest.raises(NotSeen) as caught:
        TOUCHES[touch](section)
    assert (caught.value.section, caught.value.scope, caught.value.reason) == ("routes", WEB, "permission denied")


def test_what_was_not_read_may_be_compared_shown_and_copied() -> None:
    assert msgspec.structs.replace(UNREAD) == UNREAD != Unread(reason="other")
    assert "permission denied" in repr(UNREAD)


def test_what_is_there_of_a_part_is_believed_and_what_is_not_there_is_not_known() -> None:
    assert any(item == 2 for item in HALF)
    assert next(item for item in HALF if item > 1) == 2
    assert (2 in HALF, bool(HALF), HALF[1]) == (True, True, 2)
    for doubtful in (list, len, lambda it: it[2], lambda it: 3 in it, lambda it: any(item == 3 for item in it)):
        with pytest.raises(NotSeen, match="torn"):
            doubtful(HALF)
    assert known_items(HALF) == (1, 2)
    assert known_items(UNREAD) == ()


def test_a_section_tells_its_holder_s_name_even_if_several_hold_it() -> None:
    both = with_unread(with_unread(docker_like_snapshot(), WEB, "routes"), APP1, "routes", "fdb")
    scopes = [(gap.section, gap.scope) for gap in both.gaps]
    assert scopes == [("routes", WEB), ("routes", APP1), ("fdb", APP1)]


def test_settings_are_believed_where_they_are_and_only_doubted_where_they_may_be_missing() -> None:
    whole = Settings(values={"a": "1"})
    assert (whole["a"], whole.get("b"), whole.get("b", "0"), "b" in whole) == ("1", None, "0", False)
    half = Settings(values={"a": "1"}, lacks=(Lack(reason="denied"),))
    assert half["a"] == "1"
    with pytest.raises(NotSeen, match="b: denied"):
        half.get("b")
    named = msgspec.structs.replace(half, unreadable=("b",))
    assert named.get("c") is None
    with pytest.raises(NotSeen):
        "b" in named  # noqa: B015 - the question is what is tested
    assert (whole | {"c": "2"}).all() == {"a": "1", "c": "2"}


def test_what_nobody_asked_for_is_nothing_and_no_gap() -> None:
    assert unless_unasked(Unread(reason=NOT_ASKED)) == ()
    with pytest.raises(NotSeen):
        unless_unasked(UNREAD)
    assert with_unread(docker_like_snapshot(), WEB, "routes", reason=NOT_ASKED).gaps == ()


def test_other_items_lack_as_much_as_before() -> None:
    assert with_items(HALF, (3,)) == Partial(items=(3,), lacks=HALF.lacks)
    assert with_items((1,), (3,)) == (3,)
    assert with_items(UNREAD, (3,)) == UNREAD


@pytest.mark.parametrize("field", [*NAMESPACE_FIELDS, *HOST_LISTS])
def test_what_was_not_read_is_so_in_a_file_too(field: str) -> None:
    base = docker_like_snapshot()
    if field in HOST_LISTS:
        blind = msgspec.structs.replace(base, **{field: Partial(items=getattr(base, field), lacks=HALF.lacks)})
    else:
        blind = with_namespace(base, HOST, **{field: UNREAD})
    again = decode(encode(blind))
    assert again == blind
    assert again.gaps == blind.gaps
    assert [gap.reason for gap in again.gaps] == ["torn" if field in HOST_LISTS else "permission denied"]


GAPS = (
    Gap(section="namespaces", reason="1 process may not be looked into"),
    Gap(section="engine", scope="docker", reason="silent"),
    Gap(section="containers", scope="web", reason="went away", hint="again"),
    Gap(section="links", scope=WEB, reason="torn"),
    Gap(section="fdb", scope=HOST, reason="denied"),
    Gap(section="sysctls", scope=HOST, reason="one file"),
    Gap(section="firewall", scope=HOST, reason="line 7"),
    Gap(section="names", reason="denied"),
    Gap(section="names", scope="web", reason="denied"),
    Gap(section="log", scope="nobody", reason="no journal"),
    Gap(section="firewalld", scope="firewalld", reason="its settings"),
)


def test_each_gap_is_in_the_section_it_speaks_of_and_all_are_listed_again() -> None:
    base = msgspec.structs.replace(docker_like_snapshot(), engines=())
    blind = with_gaps(base, GAPS)
    assert set(blind.gaps) == set(GAPS)
    assert len(blind.gaps) == len(GAPS)
    host, web = namespace(blind, HOST), namespace(blind, WEB)
    assert isinstance(host.fdb, Unread)
    assert isinstance(web.links, Partial)
    assert require(host.sysctls).lacks
    assert require(host.firewall).lacks
    assert [item.scope for item in lacks_of(blind.containers)] == ["web"]
    assert blind.unplaced == (GAPS[-2],)
    assert set(listed(blind).gaps) == set(blind.gaps)


def test_an_index_over_all_namespaces_doubts_only_the_one_that_was_not_read() -> None:
    view = View(with_unread(docker_like_snapshot(), WEB, "links", "addresses", "routes"))
    assert view.link_named(APP1, "eth0") is not None
    assert view.links.get(LinkRef(namespace=APP1, ifindex=99)) is None
    assert view.addresses_of(LinkRef(namespace=APP1, ifindex=99)) == ()
    assert view.stacked_on(LinkRef(namespace=HOST, ifindex=2)) == ()  # a veth tells how it is connected
    assert not view.is_stranger(WEB, "10.10.0.2")
    for ask in (
        lambda: view.link_named(WEB, "eth0"),
        lambda: view.links.get(LinkRef(namespace=WEB, ifindex=5)),
        lambda: list(view.addresses_of(LinkRef(namespace=WEB, ifindex=5))),
        lambda: view.uplinks(WEB),
        lambda: view.ports_of(WEB, 5),
    ):
        with pytest.raises(NotSeen):
            ask()


def test_a_namespace_that_nothing_leads_to_may_lie_on_top_of_any_link() -> None:
    base = docker_like_snapshot()
    lonely = known_items(base.namespaces)[-1]
    view = View(with_unread(base, lonely.id, "links"))
    with pytest.raises(NotSeen):
        view.stacked_on(LinkRef(namespace=HOST, ifindex=2))


def test_who_looks_for_an_address_is_not_kept_from_it_by_a_namespace_that_does_not_have_it() -> None:
    base = docker_like_snapshot()
    lonely = known_items(base.namespaces)[-1]
    uplink = LinkRef(namespace=HOST, ifindex=2)
    assert View(with_unread(base, lonely.id, "links")).stacked_on(uplink, having="203.0.113.1") == ()
    owner = with_namespace(
        base, lonely.id, addresses=(Address(ifindex=3, family="ip", address="203.0.113.1", prefixlen=24),)
    )
    for blind in (with_unread(owner, lonely.id, "links"), with_unread(base, lonely.id, "links", "addresses")):
        with pytest.raises(NotSeen):
            View(blind).stacked_on(uplink, having="203.0.113.1")


def test_a_plain_snapshot_has_no_gap() -> None:
    assert (docker_like_snapshot().gaps, Snapshot().gaps) == ((), ())
