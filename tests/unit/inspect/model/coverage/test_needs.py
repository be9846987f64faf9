"""What a command asks to be read, and what it is told of that could not be."""

from __future__ import annotations

from dnet_tui.inspect.model.coverage.needs import EVERYTHING, MAP, Needs, SectionName


def test_links_are_always_read_for_nothing_has_a_place_without_them() -> None:
    assert Needs().sections == {SectionName.LINKS}
    assert Needs().of(is_host=False) == {SectionName.LINKS}


def test_what_is_wanted_of_the_host_alone_is_read_of_no_other_namespace() -> None:
    needs = Needs(everywhere=frozenset({SectionName.ADDRESSES}), host=frozenset({SectionName.FIREWALL}))
    assert needs.of(is_host=True) == {SectionName.LINKS, SectionName.ADDRESSES, SectionName.FIREWALL}
    assert needs.of(is_host=False) == {SectionName.LINKS, SectionName.ADDRESSES}


def test_ports_taken_by_translation_are_the_hosts() -> None:
    assert SectionName.NAT_PORTS in EVERYTHING.of(is_host=True)
    assert SectionName.NAT_PORTS not in EVERYTHING.of(is_host=False)


def test_a_gap_of_what_nobody_asked_for_is_none() -> None:
    assert MAP.includes("addresses")
    assert not MAP.includes("firewall")
    assert EVERYTHING.includes("firewall")


def test_a_gap_of_what_is_always_read_counts_for_every_command() -> None:
    assert all(Needs().includes(section) for section in ("links", "namespaces", "engine", "containers", "processes"))
