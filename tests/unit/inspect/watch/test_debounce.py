"""One request for a burst of events: after a moment's quiet, and never too late."""

from hypothesis import given
from hypothesis import strategies as st

from dnet_tui.inspect.model.change_events import Moved
from dnet_tui.inspect.watch.debounce import Debouncer

LINKS, ROUTES = frozenset({Moved("links")}), frozenset({Moved("routes", 3)})


def test_nothing_is_due_while_nothing_moved() -> None:
    debouncer = Debouncer()
    debouncer.add(1.0, frozenset())

    assert debouncer.due is None
    assert debouncer.take(99.0) == frozenset()


def test_a_single_event_is_due_after_the_quiet_time() -> None:
    debouncer = Debouncer(quiet=0.25, longest=2.0)
    debouncer.add(10.0, LINKS)

    assert debouncer.due == 10.25
    assert debouncer.take(10.24) == frozenset()
    assert debouncer.take(10.25) == LINKS
    assert debouncer.due is None


def test_further_events_put_it_off_and_join_it() -> None:
    debouncer = Debouncer(quiet=0.25, longest=2.0)
    debouncer.add(10.0, LINKS)
    debouncer.add(10.2, ROUTES)

    assert debouncer.due == 10.45
    assert debouncer.take(10.45) == LINKS | ROUTES


def test_a_host_that_never_rests_is_looked_at_all_the_same() -> None:
    debouncer = Debouncer(quiet=0.25, longest=2.0)
    for step in range(30):
        debouncer.add(10.0 + step / 10, LINKS)

    assert debouncer.due == 12.0


@given(st.lists(st.floats(0, 0.5), min_size=1, max_size=40))
def test_every_event_is_told_within_the_longest_time(pauses: list[float]) -> None:
    debouncer, now, first = Debouncer(quiet=0.25, longest=2.0), 0.0, None
    for pause in pauses:
        now += pause
        if debouncer.take(now):
            first = None
        debouncer.add(now, LINKS)
        first = now if first is None else first
        assert debouncer.due is not None
        assert debouncer.due <= first + 2.0
