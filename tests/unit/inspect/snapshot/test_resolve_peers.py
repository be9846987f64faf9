"""Which link is whose peer: both ends must agree, or it is said why not."""

from __future__ import annotations

from dnet_tui.inspect.model import Link, LinkRef
from dnet_tui.inspect.model.coverage.namespace_reading import NamespaceReading
from dnet_tui.inspect.model.links import UNDERLAY_UNSEEN
from dnet_tui.inspect.snapshot.resolve_peers import is_out_of_sight, resolve_links

HOST, WEB, DB = "net:[1]", "net:[2]", "net:[3]"


def veth(ifindex: int, lower: int | None, nsid: int | None = None, name: str = "") -> Link:
    return Link(ifindex=ifindex, name=name or f"veth{ifindex}", kind="veth", lower=lower, lower_nsid=nsid)


def space(
    key: str, *links: Link, nsids: dict[int, str] | None = None, peers: dict[int, int] | None = None
) -> NamespaceReading:
    return NamespaceReading(id=key, links=links, nsids=nsids or {}, peers=peers or {})


def resolve(*spaces: NamespaceReading, privileged: bool = True) -> dict[tuple[str, int], Link]:
    links = resolve_links(spaces, privileged=privileged)
    return {(key, link.ifindex): link for key, found in links.items() for link in found}


def ref(key: str, ifindex: int) -> LinkRef:
    return LinkRef(namespace=key, ifindex=ifindex)


def test_two_ends_that_name_each_other_are_peers() -> None:
    found = resolve(space(HOST, veth(4, 3, 0), nsids={0: WEB}), space(WEB, veth(3, 4, 0), nsids={0: HOST}))
    assert (found[HOST, 4].peer, found[HOST, 4].peer_note) == (ref(WEB, 3), "")
    assert (found[WEB, 3].peer, found[WEB, 3].peer_note) == (ref(HOST, 4), "")


def test_the_same_index_in_two_namespaces_is_told_apart() -> None:
    found = resolve(
        space(HOST, veth(10, 3, 0), veth(11, 3, 1), nsids={0: WEB, 1: DB}),
        space(WEB, veth(3, 10, 0), nsids={0: HOST}),
        space(DB, veth(3, 11, 7), nsids={7: HOST}),
    )
    assert found[HOST, 10].peer == ref(WEB, 3)
    assert found[HOST, 11].peer == ref(DB, 3)


def test_a_missing_index_means_the_same_index() -> None:
    found = resolve(space(HOST, veth(5, None, 0), nsids={0: WEB}), space(WEB, veth(5, None, 2), nsids={2: HOST}))
    assert found[HOST, 5].peer == ref(WEB, 5)
    assert found[WEB, 5].peer == ref(HOST, 5)


def test_a_pair_within_one_namespace_has_no_number() -> None:
    found = resolve(space(HOST, veth(4, 3), veth(3, 4)))
    assert (found[HOST, 4].peer, found[HOST, 3].peer) == (ref(HOST, 3), ref(HOST, 4))


def test_a_peer_in_an_unseen_namespace_says_so() -> None:
    found = resolve(space(HOST, veth(4, 3, 9)))
    assert found[HOST, 4].peer is None
    assert found[HOST, 4].peer_note == (
        "its peer is in a namespace that could not be seen: interface 3 (number 9 here)"
    )


def test_without_privilege_the_note_says_what_to_do() -> None:
    assert "run as root" in resolve(space(HOST, veth(4, 3, 9)), privileged=False)[HOST, 4].peer_note


def test_a_namespace_that_is_known_but_was_not_read_is_named() -> None:
    found = resolve(space(HOST, veth(4, 3, 0), nsids={0: WEB}))
    assert found[HOST, 4].peer is None
    assert "interface 3 of net:[2]" in found[HOST, 4].peer_note


def test_an_end_that_names_another_is_no_peer() -> None:
    found = resolve(space(HOST, veth(4, 3, 0), nsids={0: WEB}), space(WEB, veth(3, 77, 0), nsids={0: HOST}))
    assert found[HOST, 4].peer is None
    assert found[HOST, 4].peer_note.startswith("peer not found reliably: it names veth3")
    assert found[WEB, 3].peer is None
    assert "interface 77" in found[WEB, 3].peer_note


def test_an_index_that_is_no_veth_is_no_peer() -> None:
    other = Link(ifindex=3, name="br0", kind="bridge")
    found = resolve(space(HOST, veth(4, 3, 0), nsids={0: WEB}), space(WEB, other))
    assert found[HOST, 4].peer is None
    assert "does not name it" in found[HOST, 4].peer_note


def test_one_end_that_knows_is_enough_where_the_other_cannot_tell() -> None:
    found = resolve(space(HOST, veth(4, 3, 9)), space(WEB, veth(3, 4, 0), nsids={0: HOST}))
    assert found[HOST, 4].peer == ref(WEB, 3)
    assert found[WEB, 3].peer == ref(HOST, 4)
    assert "word" in found[HOST, 4].peer_note
    assert "word" in found[WEB, 3].peer_note


def test_an_end_that_cannot_tell_is_not_paired_by_a_wrong_index() -> None:
    found = resolve(space(HOST, veth(4, 8, 9)), space(WEB, veth(3, 4, 0), nsids={0: HOST}))
    assert found[HOST, 4].peer is None
    assert found[WEB, 3].peer is None


def test_two_that_claim_the_same_end_are_both_refused() -> None:
    found = resolve(
        space(HOST, veth(4, 3, 9)),
        space(WEB, veth(3, 4, 0), nsids={0: HOST}),
        space(DB, veth(3, 4, 0), nsids={0: HOST}),
    )
    assert found[HOST, 4].peer is None


def test_the_drivers_statistic_decides_over_the_guess() -> None:
    found = resolve(
        space(HOST, veth(5, None, 0), nsids={0: WEB}, peers={5: 8}), space(WEB, veth(8, 5, 0), nsids={0: HOST})
    )
    assert found[HOST, 5].peer == ref(WEB, 8)


def test_a_veth_whose_other_end_is_being_removed_says_so() -> None:
    assert resolve(space(HOST, veth(4, 0)))[HOST, 4].peer_note == "it has no peer: the other end is being removed"


def test_every_veth_without_a_peer_has_a_note() -> None:
    odd = [veth(1, None), veth(2, 0), veth(3, 99), veth(4, 4, -1), veth(5, None, 6), veth(6, 2)]
    for link in resolve(space(HOST, *odd)).values():
        assert link.peer is None
        assert link.peer_note, link.name


def test_what_lies_on_another_link_points_at_it() -> None:
    def macvlan(ifindex: int, lower: int, nsid: int | None) -> Link:
        return Link(ifindex=ifindex, name=f"mv{ifindex}", kind="macvlan", lower=lower, lower_nsid=nsid)

    uplink = Link(ifindex=2, name="eth0")
    found = resolve(
        space(HOST, uplink, macvlan(5, 2, None)),
        space(WEB, macvlan(7, 2, 0), macvlan(8, 99, 0), macvlan(9, 2, 5), nsids={0: HOST}),
    )
    assert found[HOST, 5].peer == ref(HOST, 2)
    assert found[WEB, 7].peer == ref(HOST, 2)
    assert found[WEB, 8].peer is None
    assert found[WEB, 9].peer is None
    assert found[HOST, 2].peer is None


def test_a_tunnel_that_was_moved_keeps_the_namespace_of_its_outer_packets() -> None:
    def tunnel(ifindex: int, nsid: int | None, kind: str = "vxlan") -> Link:
        return Link(ifindex=ifindex, name=f"t{ifindex}", kind=kind, lower_nsid=nsid)

    found = resolve(space(HOST, tunnel(3, None)), space(WEB, tunnel(4, 0), tunnel(5, 9, "wireguard"), nsids={0: HOST}))
    assert found[HOST, 3].underlay == ""
    assert found[WEB, 4].underlay == HOST
    assert found[WEB, 5].underlay == UNDERLAY_UNSEEN


def test_a_moved_tunnel_s_own_index_is_no_link_of_the_other_namespace() -> None:
    moved = Link(ifindex=2, name="vxlan0", kind="vxlan", lower=2, lower_nsid=0)
    found = resolve(space(HOST, Link(ifindex=2, name="eth0")), space(WEB, moved, nsids={0: HOST}))
    assert (found[WEB, 2].peer, found[WEB, 2].underlay) == (None, HOST)
    assert not is_out_of_sight(found[WEB, 2])
    astray = resolve(space(WEB, moved, nsids={0: "net:[9]"}))[WEB, 2]
    assert is_out_of_sight(astray)
