"""``keytrust cloud check`` and the probe behind it: which ways work, what was seen, what to grant."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from scripted_graph import Answer, FixedToken, Request, Script, page, patient, scripted, user
from typer.testing import CliRunner

from keytrust.cli import cloud
from keytrust.cli.main import app
from keytrust.cli.output import safe_lines
from keytrust.cloud.graph import GraphSource
from keytrust.cloud.probe import Way
from keytrust.errors import CloudError, ConfigError

DENIED = Answer(b'{"error":{"code":"Authorization_RequestDenied","message":"no"}}', 403)
FULL, BARE = user(1, b"one"), {"id": "user-1"}


def tenant(
    *,
    collection: Answer | None = None,
    batch: Answer | None = None,
    single: Answer | None = None,
    delta: Answer | None = None,
    methods: Answer | None = None,
    audits: Answer | None = None,
) -> Script:
    """A tenant where everything works but what is given."""
    inner = {"responses": [{"id": "1", "status": 200, "body": FULL}]}

    def script(request: Request, _: int) -> Answer:
        if "/users/delta" in request.path:
            return delta or page([], **{"@odata.deltaLink": "/beta/users/delta?$deltatoken=x"})
        if request.path.endswith("$batch"):
            return batch or Answer(json.dumps(inner).encode())
        if "windowsHello" in request.path:
            return methods or page([{}, {}])
        if "directoryAudits" in request.path:
            return audits or page([{}])
        if "/users/" in request.path:
            return single or Answer(json.dumps(FULL).encode())
        return collection or page([FULL])

    return script


def ways(script: Script) -> tuple[dict[str, Way], bool]:
    with scripted(script) as (root, _):
        found = GraphSource(root, FixedToken(), retry=patient()).probe()
    return {way.name: way for way in found.ways}, found.keys_readable


def test_where_everything_works_every_way_says_so() -> None:
    found, readable = ways(tenant())
    assert readable
    assert [way.works for way in found.values()] == [True] * 6
    assert "1 of 1 users, 1 keys" in found["collection"].seen
    assert all(way.grant == "" for way in found.values())


def test_a_missing_permission_is_named_with_how_to_grant_it() -> None:
    found, readable = ways(tenant(methods=DENIED, audits=DENIED))
    assert readable
    assert found["methods"].works is False
    assert "403 Authorization_RequestDenied" in found["methods"].seen
    assert "UserAuthenticationMethod.Read.All" in found["methods"].grant
    assert "AuditLog.Read.All" in found["audits"].grant
    assert found["collection"].works


def test_a_collection_without_keys_leaves_the_other_ways() -> None:
    found, readable = ways(tenant(collection=page([BARE])))
    assert (found["collection"].works, found["batch"].works, found["single"].works) == (False, True, True)
    assert readable
    bare = Answer(json.dumps({"responses": [{"id": "1", "status": 200, "body": BARE}]}).encode())
    found, readable = ways(tenant(collection=page([BARE]), batch=bare, single=Answer(json.dumps(BARE).encode())))
    assert not readable
    assert found["single"].works is False


@pytest.mark.parametrize(
    "batch",
    [
        Answer(b"{}", 404),
        Answer(b"{}"),
        Answer(b"<html>"),
        Answer(b'{"responses":[{"id":"1","status":429}]}'),
        Answer(b'{"responses":[7]}'),
    ],
)
def test_a_batch_that_does_not_work_is_no_failure_of_the_check(batch: Answer) -> None:
    found, readable = ways(tenant(batch=batch))
    assert found["batch"].works is False
    assert readable


def test_what_cannot_be_tried_without_a_user_is_not_judged() -> None:
    found, readable = ways(tenant(collection=page([])))
    assert {name for name, way in found.items() if way.works is None} == {"collection", "batch", "single", "methods"}
    assert not readable
    found, _ = ways(tenant(collection=DENIED))
    assert found["collection"].works is False
    assert found["single"].works is None


def test_a_refused_token_or_a_dead_service_is_an_error_and_not_a_finding() -> None:
    for answer in (Answer(b"{}", 401), Answer(b"<html>"), Answer(cut=-1)):
        with pytest.raises(CloudError):
            ways(tenant(collection=answer))


def check(directory: Path, root: str, *words: str) -> tuple[str, BaseException | None]:
    (directory / "token").write_text("abc")
    (directory / "keytrust.toml").write_text(
        f'[cloud]\nkind = "registry"\nurl = "{root}"\ntoken_file = "{directory}/token"\n'
    )
    done = CliRunner().invoke(app, ["cloud", "check", "--config", str(directory / "keytrust.toml"), *words])
    return done.stdout, done.exception


def test_the_command_prints_what_was_found(tmp_path: Path) -> None:
    with scripted(tenant(audits=DENIED)) as (root, _):
        text, failed = check(tmp_path, root)
        document, _ = check(tmp_path, root, "--json")
    assert failed is None
    assert "AuditLog.Read.All" in text
    found = json.loads(document)
    assert found["keys_readable"] is True
    assert [way["name"] for way in found["ways"] if not way["works"]] == ["audits"]


def test_the_command_fails_where_no_key_can_be_read_and_still_prints(tmp_path: Path) -> None:
    with scripted(tenant(collection=DENIED)) as (root, _):
        document, failed = check(tmp_path, root, "--json")
    assert isinstance(failed, CloudError)
    assert json.loads(document)["keys_readable"] is False


def test_a_file_is_not_checked(tmp_path: Path) -> None:
    (tmp_path / "keytrust.toml").write_text('[cloud]\nkind = "file"\npath = "users.json"\n')
    done = CliRunner().invoke(app, ["cloud", "check", "--config", str(tmp_path / "keytrust.toml")])
    assert isinstance(done.exception, ConfigError)


HOSTILE = "\x1b[2J\x1b]0;t\x07\x9b31m\u202egnp\u061c[red]\U000e0041"
RAW = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u202e\U000e0041]")


@pytest.mark.parametrize("status", [400, 403, 429, 500])
def test_what_a_server_says_steers_no_terminal(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    error = {"error": {"code": HOSTILE, "message": HOSTILE, "innerError": {"request-id": HOSTILE, "date": HOSTILE}}}
    hostile = Answer(json.dumps(error, ensure_ascii=False).encode(), status, {"request-id": "a\x1b[2J"})
    script = tenant(collection=hostile, batch=hostile, single=hostile, delta=hostile, methods=hostile, audits=hostile)
    with scripted(script) as (root, _):
        monkeypatch.setattr(cloud, "settings", lambda: SimpleNamespace(need_cloud=lambda: None))
        monkeypatch.setattr(cloud, "key_source", lambda _: GraphSource(root, FixedToken(), retry=patient()))
        shown = CliRunner().invoke(app, ["cloud", "check"])
        as_json = CliRunner().invoke(app, ["cloud", "check", "--json"])
    assert "no" in shown.output
    assert not RAW.search(shown.output + as_json.output)
    assert isinstance(shown.exception, CloudError)
    assert not RAW.search("".join(map(safe_lines, (str(shown.exception), shown.exception.detail))))
