"""When the app looks at the host again by itself."""

from dnet_tui.inspect.model.change_events import Moved
from dnet_tui.tui.app.refresh_scheduler import REST, Following

LINKS = frozenset({Moved("links")})


def ready() -> Following:
    following = Following()
    following.ended(100.0)
    return following


def test_without_a_reason_it_does_not_look() -> None:
    assert ready().wait(200.0) is None


def test_it_looks_at_once_when_something_moved() -> None:
    following = ready()
    following.note(LINKS)

    assert following.wait(200.0) == 0.0
    assert following.begin(200.0) == LINKS


def test_what_moves_before_the_first_look_ended_waits_for_it() -> None:
    following = Following()
    following.note(LINKS)

    assert following.wait(1.0) is None
    following.ended(2.0)
    assert following.wait(2.0) == 0.0


def test_what_moves_during_a_look_asks_for_another_after_a_rest() -> None:
    following = ready()
    following.begin(200.0)
    following.note(LINKS)
    assert following.wait(201.0) is None
    following.ended(202.0)

    assert following.wait(202.0) == 2.0 * REST
    assert following.wait(202.0 + 2.0 * REST) == 0.0


def test_what_moved_before_a_look_is_seen_by_it() -> None:
    following = ready()
    following.note(LINKS)
    following.begin(200.0)
    following.ended(200.1)

    assert following.wait(300.0) is None
