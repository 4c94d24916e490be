"""``keytrust registry app``: what an administrator types, sees and gets."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest
from tests.support.tls import make_client_certificate
from typer.testing import CliRunner, Result

from keytrust.cli.main import app
from keytrust.errors import RegistryError
from keytrust.registry.applications import check_secret, list_applications
from keytrust.registry.database import Database


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "keytrust.toml"
    path.write_text(f'[registry]\ndatabase_url = "sqlite:///{tmp_path}/registry.db"\n')
    return path


def run(config: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["registry", "app", *words, "--config", str(config)])


def database(config: Path) -> Database:
    return Database.open(f"sqlite:///{config.parent}/registry.db")


def test_an_added_application_proves_itself_by_the_secret_shown_once(config: Path) -> None:
    made = json.loads(run(config, "add", "connector", "--administrator", "--json").stdout)
    assert made["roles"] == "Registry.Admin Registry.Read"
    with closing(database(config)) as opened, opened.read() as connection:
        assert check_secret(connection, made["client_id"], made["client_secret"]) is not None
        assert check_secret(connection, made["client_id"], made["client_secret"] + "x") is None
    listed = run(config, "list", "--json").stdout
    assert [each["client_id"] for each in json.loads(listed)] == [made["client_id"]]
    assert made["client_secret"] not in listed


def test_a_secret_file_is_private_and_takes_the_secret_off_the_screen(config: Path, tmp_path: Path) -> None:
    path = tmp_path / "secret"
    made = json.loads(run(config, "add", "connector", "--secret-file", str(path), "--json").stdout)
    assert "client_secret" not in made
    assert path.stat().st_mode & 0o777 == 0o600
    with closing(database(config)) as opened, opened.read() as connection:
        assert check_secret(connection, made["client_id"], path.read_text().strip()) is not None


def test_what_cannot_be_entered_leaves_nothing_behind(config: Path, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("precious")
    (tmp_path / "rubbish.pem").write_text("rubbish")
    weak = tmp_path / "weak.pem"
    make_client_certificate(weak, bits=1024)
    for words in (
        ("--secret-file", str(tmp_path / "there")),
        ("--secret-file", str(tmp_path / "no" / "directory")),
        ("--certificate", str(tmp_path / "rubbish.pem")),
        ("--certificate", str(tmp_path / "gone.pem")),
        ("--certificate", str(weak)),
    ):
        result = run(config, "add", "connector", *words)
        assert isinstance(result.exception, RegistryError), words
    assert (tmp_path / "there").read_text() == "precious"
    with closing(database(config)) as opened:
        assert list_applications(opened) == []


def test_a_certificate_takes_the_place_of_a_secret_and_removal_ends_it(config: Path, tmp_path: Path) -> None:
    path = tmp_path / "application.pem"
    make_client_certificate(path)
    made = json.loads(run(config, "add", "connector", "--certificate", str(path), "--json").stdout)
    assert made["credential"] == "certificate"
    assert "client_secret" not in made
    assert made["client_id"] in run(config, "remove", made["client_id"]).stdout
    assert isinstance(run(config, "remove", made["client_id"]).exception, RegistryError)
    with closing(database(config)) as opened:
        assert list_applications(opened) == []
