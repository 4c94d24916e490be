"""``keytrust run`` when the cloud has bad moments: told with what to do, in nobody's way, over by itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from tests.support.running import RunningService
from tests.support.unruly import Reply, Unruly, unruly

from keytrust.lab import Lab, LabUser

pytestmark = pytest.mark.lab
MakeUser = Callable[..., LabUser]


@pytest.fixture(scope="module")
def site(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningService, Unruly]]:
    """A service that lives through all of these tests, which shows that none of the faults ends it."""
    folder = tmp_path_factory.mktemp("unruly")
    with RunningService.beside_a_registry(lab, folder) as service, unruly(service.url) as cloud:
        service.extra = {"cloud": {"url": cloud.url, "timeout": 1}}
        service.start()
        yield service, cloud
        assert service.stop() == 0


@pytest.mark.parametrize(
    ("manners", "says", "advises"),
    [
        ({"reply": Reply(500)}, "answered 500", "Read again later"),
        ({"reply": Reply(503, {"Retry-After": "nonsense"})}, "answered 503", "Read again later"),
        ({"reply": Reply(401)}, "answered 401", "Renew the access token"),
        ({"reply": Reply(200, {}, b"<html>a captive portal</html>")}, "beta/users/delta", "not a proxy or a web page"),
        ({"silent": True}, "did not answer in time", "Check the network"),
        ({"cut": True}, "broke off in the middle of its answer", "Check the network"),
    ],
)
def test_a_fault_of_the_cloud_is_told_delays_its_own_changes_alone_and_passes(
    site: tuple[RunningService, Unruly], make_user: MakeUser, manners: dict[str, object], says: str, advises: str
) -> None:
    service, cloud = site
    before = service.enrol(make_user())
    service.register(before)
    service.await_values(before, 1)
    with service.told_anew("feed-failed", feed="cloud") as told:
        for name, value in manners.items():
            setattr(cloud, name, value)
        during = service.enrol(make_user())
        key = service.register(during)
        service.delete_values(before)
        service.await_values(before, 1)  # the directory's side goes on
    assert says in told[0]["sentence"]
    assert advises in told[0]["sentence"]
    assert cloud.url.removeprefix("http://") in told[0]["sentence"]
    assert told[0]["pause"] > 0
    assert len(service.account(during).values) == 0
    with service.told_anew("feed-recovered", feed="cloud"):
        cloud.behave()
    service.await_sign_in(during, key)
    assert service.events("set-aside") == []


def test_a_cloud_that_asks_to_be_left_alone_is_left_alone_for_that_long(
    site: tuple[RunningService, Unruly], make_user: MakeUser
) -> None:
    service, cloud = site
    user = service.enrol(make_user())
    with service.told_anew("feed-failed", feed="cloud") as told:
        begins = len(cloud.asked)
        cloud.reply = Reply(429, {"Retry-After": "2"})
        service.register(user)
    asked = [at for at, path in cloud.asked[begins + 1 :] if "/users/delta" in path]
    assert len(asked) >= 2
    assert min(later - earlier for earlier, later in pairwise(asked)) >= 2.0
    assert "answered 429" in told[0]["sentence"]
    assert told[0]["pause"] >= 2.0
    cloud.behave()
    service.await_values(user, 1)


@pytest.mark.parametrize("with_location", [True, False])
def test_a_cloud_that_has_lost_track_is_read_anew_and_nothing_is_missed_or_removed(
    site: tuple[RunningService, Unruly], make_user: MakeUser, *, with_location: bool
) -> None:
    service, cloud = site
    kept, user = make_user(), make_user()
    service.enrol(kept, user)
    service.register(kept)
    service.await_values(kept, 1)
    location = {"Location": f"{cloud.url}/beta/users/delta"} if with_location else {}
    with service.told_anew("reconciled"):
        cloud.only = lambda path: "deltatoken=" in path.lower()
        cloud.reply = Reply(410, location)
        service.register(user)
        service.await_values(user, 1)
        cloud.behave()
    assert len(service.account(kept).values) == 1


def test_told_to_stop_while_the_cloud_is_silent_during_the_first_read_it_stops(lab: Lab, tmp_path: Path) -> None:
    with RunningService.beside_a_registry(lab, tmp_path) as service, unruly(service.url) as cloud:
        service.extra = {"cloud": {"url": cloud.url}}
        cloud.only = lambda path: path.startswith("/beta/users?")
        cloud.silent = True
        service.start(wait=False)
        service.eventually(lambda: any(cloud.only(path) for _, path in cloud.asked), "the first read")
        began = time.monotonic()
        assert service.stop() == 0
        assert time.monotonic() - began < 40
        assert service.events("internal fault") == []
