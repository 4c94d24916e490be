"""Asking about one user: who is found, and what is no answer."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from scripted_graph import Answer, FixedToken, Request, page, patient, scripted, user

from keytrust.cloud import CloudUser, Reported, UserName, UserSource
from keytrust.cloud.file import FileSource
from keytrust.cloud.graph import GraphSource
from keytrust.errors import CloudError

ANCHOR = b"0123456789abcdef"
NAMES = [UserName(id="user-7"), UserName(upn="O'Brien+x@Example.org"), UserName(source_anchor=ANCHOR)]


def somebody() -> dict[str, Any]:
    immutable = base64.b64encode(ANCHOR).decode()
    return {**user(7, b"key"), "userPrincipalName": "o'brien+x@example.org", "onPremisesImmutableId": immutable}


def graph(request: Request, _number: int) -> Answer:
    """A service with this one user, which understands the filters that are asked for."""
    url = urlsplit(request.path)
    name, query = unquote(url.path.rpartition("/")[2]), parse_qs(url.query)
    if name == "users":
        criterion, _, value = query["$filter"][0].partition(" eq ")
        found = [somebody()] if somebody()[criterion].casefold() == value[1:-1].replace("''", "'").casefold() else []
        return page([{name: value for name, value in each.items() if name != "deviceKeys"} for each in found])
    if name != "user-7":
        return Answer(b'{"error":{"code":"Request_ResourceNotFound"}}', 404)
    return Answer(json.dumps(somebody()).encode())


def ask(name: UserName, script: Any = graph) -> CloudUser | None:
    with scripted(script) as (url, _):
        source = GraphSource(url, FixedToken(), retry=patient())
        assert isinstance(source, UserSource)
        return source.user(name)


@pytest.mark.parametrize("name", NAMES, ids=str)
def test_a_user_is_found_by_each_of_their_names_with_their_keys(name: UserName, tmp_path: Path) -> None:
    path = tmp_path / "users.json"
    path.write_text(json.dumps([user(1, b"other"), somebody()]))
    for found in (ask(name), FileSource(path).user(name)):
        assert found is not None
        assert found.id == "user-7"
        assert isinstance(found.keys, Reported)
        assert [key.material for key in found.keys.keys] == [b"key"]


@pytest.mark.parametrize(
    "name", [UserName(id="../users"), UserName(upn="nobody@example.org"), UserName(source_anchor=b"1" * 16)], ids=str
)
def test_nobody_is_none(name: UserName, tmp_path: Path) -> None:
    path = tmp_path / "users.json"
    path.write_text(json.dumps([somebody()]))
    assert ask(name) is None
    assert FileSource(path).user(name) is None


def test_a_service_that_ignores_the_filter_has_not_answered() -> None:
    with pytest.raises(CloudError, match="other users"):
        ask(UserName(upn="o'brien+x@example.org"), lambda *_: page([user(1), somebody()]))


def test_an_answer_about_somebody_else_is_nobodys() -> None:
    with pytest.raises(CloudError, match="another user"):
        ask(UserName(id="user-7"), lambda *_: Answer(json.dumps(user(8)).encode()))


def test_of_two_users_with_one_name_none_is_taken(tmp_path: Path) -> None:
    twins = [somebody(), {**somebody(), "id": "user-8"}]
    path = tmp_path / "users.json"
    path.write_text(json.dumps(twins))
    with pytest.raises(CloudError, match="2 users"):
        ask(UserName(source_anchor=ANCHOR), lambda *_: page(twins))
    with pytest.raises(CloudError, match="2 users"):
        FileSource(path).user(UserName(upn="o'brien+x@example.org"))


def test_a_refusal_is_an_error_and_not_an_absent_user() -> None:
    with pytest.raises(CloudError, match="403"):
        ask(UserName(id="user-7"), lambda *_: Answer(b"{}", 403))


@pytest.mark.parametrize("given", [{}, {"id": ""}, {"id": "1", "upn": "a@b"}])
def test_a_name_is_exactly_one_name(given: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="exactly one"):
        UserName(**given)
