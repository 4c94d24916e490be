"""A serving registry as a process: durable, stoppable, and careful about where it listens."""

from __future__ import annotations

import json
import signal
import socket
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)
from registry_process import process
from registry_site import Site, account, material

from keytrust.errors import RegistryError
from keytrust.registry import RegistrySettings, import_users, running, serve


def test_sigterm_stops_it_cleanly(tmp_path: Path) -> None:
    site = Site.make(tmp_path)
    with process(site) as (server, serving):
        assert serving.post(material(1), serving.device_token()).status_code == 200
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", int(serving.url.rpartition(":")[2])), timeout=5)
    site.database.close()


def test_the_log_has_one_json_line_for_each_request_and_no_secret(tmp_path: Path) -> None:
    site = Site.make(tmp_path, log_requests=True)
    with process(site) as (server, serving):
        token = serving.device_token()
        request_id = serving.post(material(1), token).headers["request-id"]
        serving.get("/beta/users?$filter=id eq 'private'")
        server.send_signal(signal.SIGTERM)
        assert server.stderr is not None
        log = server.stderr.read()
    lines = [json.loads(line) for line in log.splitlines()]
    first = next(line for line in lines if line.get("request_id") == request_id)
    assert (first["method"], first["path"], first["status"]) == ("POST", "/EnrollmentServer/key/", 200)
    assert lines[-1]["event"] == "registry has stopped"
    assert token not in log
    assert "private" not in log
    assert "Bearer" not in log
    site.database.close()


def test_it_does_not_listen_beyond_this_host_without_tls(tmp_path: Path) -> None:
    for host in ("0.0.0.0", "::", "192.0.2.1", "registry.example"):  # noqa: S104 - it is refused
        settings = RegistrySettings(database_url=f"sqlite:///{tmp_path}/r.db", host=host, port=0)
        with pytest.raises(RegistryError, match="without TLS") as caught:
            serve(settings)
        assert "tls_certificate" in caught.value.remedy
    assert not (tmp_path / "r.db").exists()


def test_it_must_be_told_its_name_when_it_listens_everywhere(tmp_path: Path) -> None:
    settings = RegistrySettings(
        database_url=f"sqlite:///{tmp_path}/r.db",
        host="0.0.0.0",  # noqa: S104 - it is refused
        port=0,
        tls_certificate=tmp_path / "certificate.pem",
        tls_key=tmp_path / "key.pem",
    )
    with pytest.raises(RegistryError, match="name its clients use"):
        serve(settings)


def test_an_address_in_use_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        settings = RegistrySettings(database_url=f"sqlite:///{tmp_path}/r.db", port=port)
        with pytest.raises(RegistryError, match=str(port)), running(settings):
            pass


def test_a_bad_certificate_or_key_is_named(tmp_path: Path) -> None:
    (tmp_path / "encrypted.pem").write_bytes(
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
        )
    )
    (tmp_path / "rubbish.pem").write_text("rubbish")
    for certificate, key in (("missing.pem", "missing.pem"), ("rubbish.pem", "encrypted.pem")):
        settings = RegistrySettings(
            database_url=f"sqlite:///{tmp_path}/r.db",
            port=0,
            tls_certificate=tmp_path / certificate,
            tls_key=tmp_path / key,
        )
        with pytest.raises(RegistryError, match="certificate"), running(settings):
            pass


@pytest.mark.parametrize(
    "url", ["nonsense", "sqlite:////nonexistent/dir/r.db", "mysql://u:geheim@127.0.0.1/x", "postgresql://x:1/y:z"]
)
def test_a_database_that_cannot_be_opened_is_an_error_without_its_password(url: str) -> None:
    with pytest.raises(RegistryError) as caught, running(RegistrySettings(database_url=url, port=0)):
        pass
    assert "geheim" not in f"{caught.value.message} {caught.value.detail} {caught.value.remedy}"


def test_a_file_that_is_no_database_is_an_error_and_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "r.db"
    path.write_bytes(b"precious" * 1000)
    with pytest.raises(RegistryError), running(RegistrySettings(database_url=f"sqlite:///{path}", port=0)):
        pass
    assert path.read_bytes() == b"precious" * 1000


def test_another_process_may_import_users_while_it_serves(tmp_path: Path) -> None:
    site = Site.make(tmp_path)
    with process(site) as (_, serving):
        report = import_users(site.database, [account("dave")])
        assert report.added == 1
        assert "dave" in serving.read()
    site.database.close()
