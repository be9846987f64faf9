"""Which namespaces notifications are about."""

from dnet_tui.inspect.model.change_events import ANY, Moved, touched
from unit.builders.factories import APP1, APP2, LONELY, WEB, docker_like_snapshot

HOST = docker_like_snapshot()


def test_what_moved_in_our_own_namespace_touches_no_other() -> None:
    assert touched(HOST, {Moved("links"), Moved("firewall")}) == frozenset()


def test_a_number_is_that_of_the_namespace_a_link_leads_into() -> None:
    assert touched(HOST, {Moved("links", 0)}) == {WEB}
    assert touched(HOST, {Moved("links", 1), Moved("routes", 2), Moved("links")}) == {APP1, APP2}


def test_a_number_that_no_link_has_may_be_any_without_a_link() -> None:
    assert touched(HOST, {Moved("links", 99)}) == {LONELY}


def test_after_a_loss_it_may_be_any() -> None:
    assert touched(HOST, {Moved("links", ANY)}) == {WEB, APP1, APP2, LONELY}
