"""Listeners are called while they listen, and none can stop the service or the others."""

from __future__ import annotations

from keytrust.service.events import Event, EventKind, Events


def test_a_listener_that_fails_stops_nobody_and_one_that_has_left_is_not_called() -> None:
    events, told = Events(), list[Event]()

    def failing(event: Event) -> None:
        raise ValueError(event)

    events.subscribe(failing)
    events.subscribe(told.append)
    events.publish(Event(EventKind.RECONCILED, "d", ""))
    assert len(told) == 1
    leaving = list[Event]()
    listener = leaving.append
    events.subscribe(listener)
    events.unsubscribe(listener)
    events.publish(Event(EventKind.RECONCILED, "d", ""))
    assert (len(told), leaving) == (2, [])
