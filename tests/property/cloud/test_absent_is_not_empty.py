"""No damage to what the cloud sends makes keys look removed."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from scripted_graph import Answer, FixedToken, Request, page, patient, scripted, user

from keytrust.cloud import CloudUser, KeyList, Reported, Unknown
from keytrust.cloud import strict_json as strict
from keytrust.cloud.file import FileSource, decode_text
from keytrust.cloud.graph import GraphSource
from keytrust.cloud.user_json import parse_user
from keytrust.errors import CloudError

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4)
)
DAMAGE = JSON.filter(lambda value: value != [])  # an empty list is the one thing that *is* a report
NAMES = ["id", "userPrincipalName", "onPremisesImmutableId", "onPremisesSecurityIdentifier", "accountEnabled"]

USERS = [user(number, *(b"key %d %d" % (number, index) for index in range(1 + number % 3))) for number in range(6)]
KEYS = {parse_user(item).id: parse_user(item).keys for item in USERS}


def pages(split: list[int]) -> list[bytes]:
    bounds = [0, *sorted(split), len(USERS)]
    parts = [USERS[start:end] for start, end in pairwise(bounds)]
    links = [f"?page={number}" for number in range(1, len(parts))] + [None]
    return [page(part, link).body for part, link in zip(parts, links, strict=True)]


def read_pages(bodies: list[Answer]) -> list[CloudUser]:
    def script(request: Request, _: int) -> Answer:
        number = int(request.path.partition("?page=")[2] or 0)
        return bodies[number] if number < len(bodies) else Answer(b"{}", 404)

    with scripted(script) as (root, _):
        return list(GraphSource(root, FixedToken(), retry=patient()).read())


def assert_nothing_looks_removed(users: list[CloudUser]) -> None:
    for found in users:
        if isinstance(found.keys, Reported) and found.id in KEYS:
            assert found.keys == KEYS[found.id]


SPLITS = st.lists(st.integers(0, len(USERS)), max_size=3)


@settings(max_examples=60, deadline=None)
@given(SPLITS, st.data())
def test_a_page_cut_anywhere_never_makes_keys_look_removed(split: list[int], data: st.DataObject) -> None:
    bodies = pages(split)
    victim = data.draw(st.integers(0, len(bodies) - 1))
    length = data.draw(st.integers(0, len(bodies[victim]) - 1))
    announced = data.draw(st.booleans())
    answers = [Answer(body) for body in bodies]
    answers[victim] = Answer(bodies[victim][:length]) if announced else Answer(bodies[victim], cut=length)
    try:
        users = read_pages(answers)
    except CloudError:
        return
    raise AssertionError(f"a cut page was taken for a whole one: {users}")


@settings(max_examples=60, deadline=None)
@given(SPLITS, st.data())
def test_any_part_replaced_by_anything_never_makes_keys_look_removed(split: list[int], data: st.DataObject) -> None:
    bodies = pages(split)
    victim = data.draw(st.integers(0, len(bodies) - 1))
    content: Any = json.loads(bodies[victim])
    place = data.draw(st.sampled_from(["page", "value", "link", "user", "property", "keys", "entry", "material"]))
    damage = data.draw(DAMAGE)
    users = content["value"]
    whose = data.draw(st.integers(0, len(users) - 1)) if users else None
    if place == "page":
        content = damage
    elif place == "value" or whose is None:
        content["value"] = damage
    elif place == "link":
        content["@odata.nextLink"] = damage
    elif place == "user":
        users[whose] = damage
    elif place == "property":
        users[whose][data.draw(st.sampled_from(NAMES[1:]))] = damage
    elif place == "keys":
        users[whose]["deviceKeys"] = damage
    elif place == "entry":
        users[whose]["deviceKeys"][0] = damage
    else:
        users[whose]["deviceKeys"][0]["keyMaterial"] = damage if not isinstance(damage, str) else "damaged!"
    answers = [Answer(body) for body in bodies]
    answers[victim] = Answer(json.dumps(content).encode())
    try:
        found = read_pages(answers)
    except CloudError:
        return
    assert_nothing_looks_removed(found)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from([*NAMES, "deviceKeys", "searchableDeviceKey", "objectId"]), JSON) | JSON)
def test_arbitrary_users_parse_or_raise_one_error(value: object) -> None:
    try:
        found = parse_user(value)
    except CloudError:
        return
    assert isinstance(found.keys, Reported | Unknown)
    assert isinstance(value, dict)
    if isinstance(found.keys, Reported):
        entries = value.get("deviceKeys", value.get("searchableDeviceKey"))
        assert isinstance(entries, list)
        assert len(entries) == len(found.keys.keys)


@given(st.lists(st.fixed_dictionaries({}, optional={"keyMaterial": JSON, "keyType": JSON, "deviceId": JSON})))
def test_a_list_is_reported_only_if_every_entry_was_legible(entries: list[object]) -> None:
    keys: KeyList = parse_user({"id": "u", "deviceKeys": entries}).keys
    assert isinstance(keys, Unknown) or len(keys.keys) == len(entries)


@given(st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_arbitrary_bytes_are_json_or_a_value_error(data: bytes) -> None:
    try:
        strict.loads(data)
    except ValueError:
        return
    json.loads(data)


@given(st.binary())
def test_arbitrary_bytes_are_text_or_nothing(data: bytes) -> None:
    assert decode_text(data) is None or isinstance(decode_text(data), str)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 400), st.integers(0, 60))
def test_a_damaged_file_never_makes_keys_look_removed(
    tmp_path_factory: Any, splice: bytes, start: int, length: int
) -> None:
    whole = json.dumps(USERS).encode()
    start = min(start * 7, len(whole) - 1)
    path = tmp_path_factory.getbasetemp() / "damaged.json"
    path.write_bytes(whole[:start] + splice + whole[start + length :])
    try:
        users = list(FileSource(path).read())
    except CloudError:
        return
    for found in users:
        assert found.keys != Reported(())
