"""Users asked for one by one, many at a time: faster, and wrong in nothing that it was right in before."""

from __future__ import annotations

import json
import threading
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from scripted_graph import Answer, FixedToken, Request, page, patient, scripted, user

from keytrust.cloud import CloudUser, Reported, Unknown
from keytrust.cloud.graph import GraphSource
from keytrust.errors import CloudError

MANY = 900


@dataclass
class Tenant:
    """A service that shows keys only for single users, and lets several requests meet before it answers one."""

    meet: int = 0
    spoil: Callable[[Request, int], Answer | None] = lambda *_: None
    batches: bool = True
    inside: int = 0
    most: int = 0
    asked: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    met: threading.Event = field(default_factory=threading.Event)

    def __call__(self, request: Request, number: int) -> Answer:
        path = urlsplit(request.path).path
        if path.endswith("/users"):
            shown = [user(each) for each in range(MANY)]
            return page([{name: value for name, value in each.items() if name != "deviceKeys"} for each in shown])
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
            if self.inside >= self.meet:
                self.met.set()
        # The first twenty users are asked for alone; of the others' requests so many have to be there at once.
        if self.meet and number > (1 if self.batches else 22):
            self.met.wait(30)
        try:
            return self.spoil(request, number) or self.answer(request)
        finally:
            with self.lock:
                self.inside -= 1

    def answer(self, request: Request) -> Answer:
        if not request.body:
            return Answer(json.dumps(self.one(urlsplit(request.path).path)).encode())
        if not self.batches:
            return Answer(b"{}", 404)
        parts = json.loads(request.body)["requests"]
        answers = [{"id": each["id"], "status": 200, "headers": {}, "body": self.one(each["url"])} for each in parts]
        return Answer(json.dumps({"responses": answers}).encode())

    def one(self, path: str) -> dict[str, Any]:
        name = unquote(path.partition("?")[0].rpartition("/")[2])
        with self.lock:
            self.asked.append(name)
        return user(int(name.removeprefix("user-")), name.encode())


def read(tenant: Tenant, tokens: FixedToken | None = None) -> list[CloudUser]:
    with scripted(tenant) as (url, _):
        return list(GraphSource(url, tokens or FixedToken(), retry=patient()).read())


@pytest.mark.parametrize("batches", [True, False])
def test_everybody_is_read_once_by_requests_that_are_under_way_together(batches: bool) -> None:
    tenant = Tenant(meet=4, batches=batches)
    found = {each.id: each for each in read(tenant)}
    assert len(found) == MANY
    assert sorted(tenant.asked) == sorted(found)
    assert 4 <= tenant.most <= 8
    for name, each in found.items():
        assert isinstance(each.keys, Reported)
        assert [key.material for key in each.keys.keys] == [name.encode()]


def test_a_token_that_expires_under_many_requests_is_renewed_once() -> None:
    tokens = FixedToken()

    def expired(request: Request, number: int) -> Answer | None:
        return Answer(b"{}", 401) if number > 5 and request.authorization == "Bearer token-0" else None

    assert len(read(Tenant(meet=4, spoil=expired), tokens)) == MANY
    assert tokens.renewals == 1


def test_throttled_parts_and_batches_are_asked_for_again_and_none_is_lost() -> None:
    asked: Counter[str] = Counter()  # each user's requests: which of many threads comes when is not known
    lock = threading.Lock()

    def throttled(request: Request, _number: int) -> Answer | None:
        if not request.body:
            return None
        parts = json.loads(request.body)["requests"]
        with lock:
            asked.update(each["url"] for each in parts)
            times = asked[parts[0]["url"]]
        if times == 1 and zlib.crc32(parts[0]["url"].encode()) % 2:
            return Answer(b"{}", 429, {"Retry-After": "1"})
        if times <= 2:
            answers = [{"id": each["id"], "status": 429, "headers": {"Retry-After": "1"}} for each in parts]
            return Answer(json.dumps({"responses": answers}).encode())
        return None

    found = read(Tenant(spoil=throttled))
    assert len(found) == MANY
    assert all(isinstance(each.keys, Reported) for each in found)
    assert min(asked.values()) == 3, "everybody was refused twice"


@pytest.mark.parametrize("status", [403, 404, 500, 503])
def test_one_batch_that_fails_for_good_spoils_no_users_keys(status: int) -> None:
    """Users of whom it could not be learned are an error or unknown, never without keys."""
    struck: list[str] = []

    def fails(request: Request, _number: int) -> Answer | None:
        if "user-777" in request.body.decode() or request.path.partition("?")[0].endswith("user-777"):
            struck.append("user-777")
            return Answer(b"{}", status)
        return None

    try:
        found = {each.id: each for each in read(Tenant(spoil=fails))}
    except CloudError:
        assert status >= 500
    else:
        assert len(found) == MANY
        assert isinstance(found["user-777"].keys, Unknown)
        assert isinstance(found["user-5"].keys, Reported)
    assert struck


def test_who_stops_reading_leaves_no_request_behind() -> None:
    tenant = Tenant()
    with scripted(tenant) as (url, seen):
        users = GraphSource(url, FixedToken(), retry=patient()).read()
        for _ in range(30):
            next(users)
        users.close()
        asked = len(seen)
        threading.Event().wait(0.3)
        assert len(seen) == asked
        assert not [each for each in threading.enumerate() if each.name.startswith("graph")]
