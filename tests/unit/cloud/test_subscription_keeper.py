"""A subscription is made, renewed in time, made anew when it is lost, and never more than a convenience."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest

from keytrust.cloud.subscription import SubscriptionKeeper
from keytrust.cloud.subscriptions import Subscription
from keytrust.cloud.wakeup import Wakeup
from keytrust.errors import CloudError

URL = "https://keytrust.example/notify"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
LIFETIME = timedelta(hours=48)


class Service:
    """A service that grants at most so much, and refuses on request."""

    def __init__(self, most: timedelta = timedelta(days=29)) -> None:
        self.most = most
        self.there: dict[str, Subscription] = {}
        self.made = 0
        self.broken = False
        self.secrets: set[str] = set()

    def create(self, url: str, client_state: str, expires: datetime) -> Subscription:
        self._check()
        self.secrets.add(client_state)
        self.made += 1
        made = Subscription(f"s{self.made}", url, min(expires, NOW + self.most))
        self.there[made.id] = made
        return made

    def renew(self, subscription_id: str, expires: datetime) -> Subscription | None:
        self._check()
        if subscription_id not in self.there:
            return None
        self.there[subscription_id] = Subscription(subscription_id, URL, min(expires, NOW + self.most))
        return self.there[subscription_id]

    def remove(self, subscription_id: str) -> None:
        self._check()
        self.there.pop(subscription_id, None)

    def mine(self) -> list[Subscription]:
        self._check()
        return list(self.there.values())

    def _check(self) -> None:
        if self.broken:
            raise CloudError("the service is down")


def make(service: Service, wakeup: Wakeup | None = None, now: datetime = NOW) -> SubscriptionKeeper:
    return SubscriptionKeeper(
        service, URL, "secret", (wakeup or Wakeup()).set, lifetime=LIFETIME, utcnow=lambda: now, jitter=lambda: 0.0
    )


def test_the_first_step_subscribes_and_wakes_the_poller_once() -> None:
    service, wakeup = Service(), Wakeup()
    keeper = make(service, wakeup)
    assert keeper.step() == pytest.approx(LIFETIME.total_seconds() / 2)
    assert service.secrets == {"secret"}
    assert keeper.state.subscription == service.there["s1"]
    assert wakeup.wait(0)
    assert not wakeup.wait(0)


def test_further_steps_renew_the_same_one() -> None:
    service = Service()
    keeper = make(service)
    keeper.step()
    keeper.step()
    assert list(service.there) == ["s1"]


@pytest.mark.parametrize("off", [timedelta(0), timedelta(days=-400), timedelta(minutes=30)])
def test_a_shorter_life_than_asked_for_is_renewed_in_time_whatever_our_clock_says(off: timedelta) -> None:
    service = Service()
    keeper = make(service, now=NOW + off)
    service.most = off + LIFETIME - timedelta(hours=40)  # eight hours less forty
    assert keeper.step() == pytest.approx(4 * 3600)


def test_one_that_the_service_lost_is_made_anew_and_the_poller_woken() -> None:
    service, wakeup = Service(), Wakeup()
    keeper = make(service, wakeup)
    keeper.step()
    wakeup.wait(0)
    service.there.clear()
    keeper.step()
    assert list(service.there) == ["s2"]
    assert wakeup.wait(0)


def test_what_an_earlier_run_left_at_our_address_is_removed_and_nobody_elses() -> None:
    service = Service()
    service.there = {
        "old": Subscription("old", URL, NOW),
        "other": Subscription("other", "https://other.example/notify", NOW),
    }
    make(service).step()
    assert set(service.there) == {"other", "s1"}


def test_a_service_that_is_down_is_asked_again_ever_more_rarely_and_its_fault_is_told() -> None:
    service = Service()
    service.broken = True
    keeper = make(service)
    waits = [keeper.step() for _ in range(12)]
    assert waits[:3] == [2.5, 5.0, 10.0]
    assert max(waits) == 300.0
    assert keeper.state.fault is not None
    service.broken = False
    keeper.step()
    assert keeper.state.fault is None
    assert keeper.state.subscription is not None


def test_a_failed_renewal_keeps_what_there_is() -> None:
    service = Service()
    keeper = make(service)
    keeper.step()
    service.broken = True
    keeper.step()
    assert keeper.state.subscription is not None
    service.broken = False
    keeper.step()
    assert list(service.there) == ["s1"]


def test_missed_wakes_the_poller_and_leaves_the_subscription() -> None:
    service, wakeup = Service(), Wakeup()
    keeper = make(service, wakeup)
    keeper.step()
    wakeup.wait(0)
    keeper.lifecycle("missed")
    assert wakeup.wait(0)
    assert list(service.there) == ["s1"]


@pytest.mark.parametrize(("event", "left"), [("reauthorizationRequired", ["s1"]), ("subscriptionRemoved", ["s2"])])
def test_lifecycle_events_are_taken_up_at_once_and_the_end_removes_the_subscription(
    event: str, left: list[str]
) -> None:
    service, wakeup, stop = Service(), Wakeup(), threading.Event()
    keeper = make(service, wakeup)
    renewals: list[str] = []
    renew = service.renew

    def noted(subscription_id: str, expires: datetime) -> Subscription | None:
        renewals.append(subscription_id)
        return renew(subscription_id, expires)

    service.renew = noted  # type: ignore[method-assign]
    thread = threading.Thread(target=keeper.run, args=(stop,), daemon=True)
    thread.start()
    assert wakeup.wait(30)
    if event == "subscriptionRemoved":
        service.there.clear()
    keeper.lifecycle(event)
    _until(lambda: renewals == ["s1"] if event == "reauthorizationRequired" else list(service.there) == ["s2"])
    assert list(service.there) == left
    stop.set()
    keeper.nudge()
    thread.join(30)
    assert not thread.is_alive()
    assert service.there == {}


def _until(holds: object) -> None:
    assert callable(holds)
    waited = threading.Event()
    for _ in range(3000):
        if holds():
            return
        waited.wait(0.01)
    raise AssertionError("it never came to that")
