"""Pages kept on disk: everybody once, whoever came twice merged, nothing held in memory."""

from __future__ import annotations

import base64
import json
import tracemalloc
from typing import Any

import pytest

from keytrust.cloud import CloudUser, Reported, Unknown, spool
from keytrust.cloud.spool import MAX_VERSIONS, Spool
from keytrust.errors import CloudError


def user(number: int, *materials: bytes) -> dict[str, Any]:
    keys = [{"keyMaterial": base64.b64encode(each).decode(), "keyType": "NGC"} for each in materials]
    return {"id": f"user-{number}", "userPrincipalName": f"u{number}@example.org", "deviceKeys": keys}


def add(pages: Spool, *users: dict[str, Any]) -> int:
    return pages.add(json.dumps({"value": users}).encode(), users)


def read(*pages: list[dict[str, Any]]) -> dict[str, CloudUser]:
    with Spool("here") as kept:
        for page in pages:
            add(kept, *page)
        found = list(kept.read())
    assert len({each.id for each in found}) == len(found)
    return {each.id: each for each in found}


def test_everybody_comes_out_once_and_new_ones_are_counted() -> None:
    with Spool("here") as kept:
        assert add(kept, user(1), user(2)) == 2
        assert add(kept) == 0
        assert add(kept, user(2), user(3)) == 1
        assert kept.users == 3
        assert sorted(each.id for each in kept.read()) == ["user-1", "user-2", "user-3"]


@pytest.mark.parametrize("pages", [[[user(1, b"a"), user(1, b"a")]], [[user(1, b"a")], [user(1, b"a")]]])
def test_one_who_came_twice_alike_is_as_reported_once(pages: list[list[dict[str, Any]]]) -> None:
    assert isinstance(read(*pages)["user-1"].keys, Reported)


@pytest.mark.parametrize("pages", [[[user(1, b"a"), user(1)]], [[user(1, b"a")], [user(2)], [user(1)]]])
def test_one_who_came_twice_with_other_keys_is_unknown(pages: list[list[dict[str, Any]]]) -> None:
    assert isinstance(read(*pages)["user-1"].keys, Unknown)


def test_users_with_one_hash_stay_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "hash", lambda _: 7, raising=False)
    found = read([user(1, b"a"), user(2, b"b")], [user(3), user(1, b"a")])
    assert {name: [key.material for key in each.keys.keys] for name, each in found.items()} == {
        "user-1": [b"a"],
        "user-2": [b"b"],
        "user-3": [],
    }
    assert all(isinstance(each.keys, Reported) for each in found.values())


def test_a_user_in_endless_versions_is_an_error() -> None:
    with pytest.raises(CloudError, match="different things"):
        read([user(1, b"%d" % number) for number in range(MAX_VERSIONS + 1)])


def test_memory_does_not_grow_with_the_population() -> None:
    def peak(pages: int) -> int:
        tracemalloc.start()
        with Spool("here") as kept:
            for page in range(pages):
                add(kept, *(user(page * 500 + each, b"k" * 280) for each in range(500)))
            assert sum(1 for _ in kept.read()) == pages * 500
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    few, many = peak(4), peak(40)
    assert many - few < 2_000_000  # 18,000 users more: a hundred bytes each would be too much


def test_no_room_on_disk_is_an_error_that_says_what_to_do() -> None:
    with Spool("here") as kept:
        kept._index.execute("PRAGMA max_page_count = 8")
        kept._index.execute("PRAGMA cache_size = 2")
        with pytest.raises(CloudError, match="temporary file") as caught:
            for number in range(1000):
                add(kept, *(user(number * 100 + each) for each in range(100)))
    assert "TMPDIR" in caught.value.remedy
