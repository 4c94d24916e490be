"""Exported files, as people really have them."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from keytrust.cloud import Reported, Unknown
from keytrust.cloud.file import FileSource
from keytrust.errors import CloudError

KEY = {"deviceId": None, "keyMaterial": "UlNBMQ==", "keyType": "NGC"}
USERS: list[dict[str, Any]] = [
    {"id": f"user-{number}", "userPrincipalName": f"Jürgen{number}@example.org", "deviceKeys": [KEY]}
    for number in range(5)
]
LEGACY = {
    "objectId": "user-9",
    "searchableDeviceKey": [
        {
            "usage": "NGC",
            "keyIdentifier": base64.b64encode(hashlib.sha256(b"RSA1").digest()).decode(),
            "keyMaterial": "UlNBMQ==",
        }
    ],
}


def source(directory: Path, content: bytes) -> FileSource:
    path = directory / "export.json"
    path.write_bytes(content)
    return FileSource(path)


SHAPES = {
    "list": json.dumps(USERS),
    "indented list": json.dumps(USERS, indent=4),
    "page": json.dumps({"@odata.context": "x", "value": USERS}),
    "lines": "\n".join(json.dumps(user) for user in USERS) + "\n",
    "lines with CRLF": "\r\n".join(json.dumps(user) for user in USERS),
    "lines of pages": json.dumps({"value": USERS[:2]}) + "\n\n" + json.dumps({"value": USERS[2:]}),
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_and_encoding_is_read(tmp_path: Path, shape: str, encoding: str) -> None:
    done: list[int] = []
    users = list(source(tmp_path, SHAPES[shape].encode(encoding)).read(done.append))
    assert [user.id for user in users] == [user["id"] for user in USERS]
    assert users[0].upn == "Jürgen0@example.org"
    assert all(isinstance(user.keys, Reported) and user.keys.keys[0].material == b"RSA1" for user in users)
    assert done[-1] == len(USERS)


def test_both_key_shapes_may_stand_in_one_file(tmp_path: Path) -> None:
    users = list(source(tmp_path, json.dumps([USERS[0], LEGACY]).encode()).read())
    assert [type(user.keys) for user in users] == [Reported, Reported]
    assert users[1].keys.keys[0].material == b"RSA1"


@pytest.mark.parametrize("shape", ["list", "indented list", "page"])
def test_a_file_cut_anywhere_is_an_error(tmp_path: Path, shape: str) -> None:
    content = SHAPES[shape].encode()
    for length in range(0, len(content), 7):
        with pytest.raises(CloudError):
            list(source(tmp_path, content[:length]).read())


def test_lines_cut_anywhere_give_whole_users_or_an_error(tmp_path: Path) -> None:
    content = SHAPES["lines"].encode()
    for length in range(len(content)):
        try:
            users = list(source(tmp_path, content[:length]).read())
        except CloudError:
            continue
        assert users
        assert all(isinstance(user.keys, Reported) and user.keys.keys for user in users)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"  \n",
        b"<html></html>",
        b"[" * 100_000,
        b'"users"',
        b"7",
        b"[null]",
        b'{"value": null}',
        b'{"value": {}}',
        b'{"error": {"code": "x"}}',
        b'{"value": [], "error": {}}',
        b'{"value": [], "@odata.nextLink": "https://graph.example/next"}',
        b'[{"id": "a", "deviceKeys": [], "deviceKeys": null}]',
        b'[{"userPrincipalName": "nobody"}]',
        b"\xff\xff\xff\xff",
        b'[{"id": "caf\xe9"}]',
        b'{"id":"a"}\n{"id":',
        b"[1e999999999999, " + b"9" * 5000 + b"]",
    ],
)
def test_what_is_not_a_complete_list_of_users_is_an_error_that_names_the_file(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(CloudError) as caught:
        list(source(tmp_path, content).read())
    assert "export.json" in caught.value.message
    assert caught.value.remedy


def test_a_missing_file_and_a_directory_are_errors(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.json", tmp_path):
        with pytest.raises(CloudError, match=str(path)):
            list(FileSource(path).read())


def test_a_file_over_the_limit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "export.json"
    path.write_text(SHAPES["list"])
    with pytest.raises(CloudError, match="larger"):
        list(FileSource(path, max_bytes=100).read())


def test_a_user_that_stands_twice_with_different_keys_is_unknown(tmp_path: Path) -> None:
    users = list(source(tmp_path, json.dumps([USERS[0], {**USERS[0], "deviceKeys": []}]).encode()).read())
    assert len(users) == 1
    assert isinstance(users[0].keys, Unknown)
