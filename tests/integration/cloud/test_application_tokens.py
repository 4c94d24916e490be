"""Tokens of an application, by the unmodified azure-identity, from an authority on loopback over TLS."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import jwt
import pytest
from tests.support.tls import TlsFiles, make_client_certificate, make_tls
from token_authority import TENANT, Authority, authority

from keytrust.cloud.credentials import ApplicationTokens, application_tokens
from keytrust.cloud.settings import CloudSettings
from keytrust.errors import CloudError, ConfigError

CLIENT = "99999999-8888-7777-6666-555555555555"
SECRET = "s3cret~value+with/odd=characters"


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> TlsFiles:
    return make_tls(tmp_path_factory.mktemp("tls"))


def settings(found: Authority, tls: TlsFiles, **given: Any) -> CloudSettings:
    base = {"kind": "graph", "authority": found.url, "url": found.url, "ca_file": tls.ca}
    return CloudSettings(**{**base, "tenant_id": TENANT, "client_id": CLIENT, **given})


def secret_file(directory: Path, content: str = SECRET + "\n") -> Path:
    path = directory / "secret"
    path.write_text(content)
    return path


def test_a_secret_in_a_file_gets_a_token_for_the_configured_service(tls: TlsFiles, tmp_path: Path) -> None:
    with authority(tls) as found:
        tokens = application_tokens(settings(found, tls, client_secret_file=secret_file(tmp_path)))
        assert tokens.token() == "issued-1"
        assert tokens.token() == "issued-1"
    (form,) = found.forms
    assert form["scope"] == f"{found.url}/.default"
    assert form["client_secret"] == SECRET
    assert (form["client_id"], form["grant_type"]) == (CLIENT, "client_credentials")


def test_a_secret_in_an_environment_variable_or_a_systemd_credential_is_the_same(
    tls: TlsFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRAPH_SECRET", SECRET)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    secret_file(tmp_path)
    with authority(tls) as found:
        application_tokens(settings(found, tls, client_secret_env="GRAPH_SECRET")).token()
        application_tokens(settings(found, tls, client_secret_credential="secret")).token()
    assert [form["client_secret"] for form in found.forms] == [SECRET, SECRET]


def test_a_certificate_signs_an_assertion_and_the_private_key_stays(tls: TlsFiles, tmp_path: Path) -> None:
    path = tmp_path / "application.pem"
    public = make_client_certificate(path)
    with authority(tls) as found:
        assert application_tokens(settings(found, tls, client_certificate_file=path)).token() == "issued-1"
    (form,) = found.forms
    from cryptography.x509 import load_pem_x509_certificate

    key: Any = load_pem_x509_certificate(public).public_key()
    token_endpoint = f"{found.url}/{TENANT}/oauth2/v2.0/token"
    claims = jwt.decode(form["client_assertion"], key, algorithms=["RS256", "PS256"], audience=token_endpoint)
    assert claims["iss"] == CLIENT
    assert "client_secret" not in form


def test_a_workload_identity_sends_the_platforms_own_token(
    tls: TlsFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    federated = tmp_path / "federated"
    federated.write_text("token-of-the-platform")
    monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(federated))
    with authority(tls) as found:
        assert application_tokens(settings(found, tls, credential="workload-identity")).token() == "issued-1"
    assert found.forms[0]["client_assertion"] == "token-of-the-platform"


def test_a_managed_identity_asks_the_platforms_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    with authority(None) as found:
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{found.url}/msi/token")
        monkeypatch.setenv("IDENTITY_HEADER", "header")
        monkeypatch.delenv("IDENTITY_SERVER_THUMBPRINT", raising=False)
        tokens = application_tokens(CloudSettings(kind="graph", credential="managed-identity"))
        assert tokens.token() == "issued-1"
    assert found.forms[0]["resource"].rstrip("/") == "https://graph.microsoft.com"


def test_a_refused_token_is_renewed_with_the_secret_that_is_there_now(tls: TlsFiles, tmp_path: Path) -> None:
    path = secret_file(tmp_path)
    with authority(tls) as found:
        tokens = application_tokens(settings(found, tls, client_secret_file=path))
        tokens.token()
        secret_file(tmp_path, "rotated")
        assert tokens.renew() == "issued-2"
        assert tokens.token() == "issued-2"
    assert [form["client_secret"] for form in found.forms] == [SECRET, "rotated"]


def test_a_token_is_fetched_again_before_it_expires() -> None:
    class Credential:
        def __init__(self) -> None:
            self.asked = 0

        def get_token(self, *_: str) -> Any:
            from azure.core.credentials import AccessToken

            self.asked += 1
            return AccessToken(f"issued-{self.asked}", 1000 * self.asked)

    credential: Any = Credential()
    clock = [0.0]
    tokens = ApplicationTokens(lambda: (credential, None), "scope", remedy="", now=lambda: clock[0])
    assert tokens.token() == tokens.token() == "issued-1"
    clock[0] = 699.0
    assert tokens.token() == "issued-1"
    clock[0] = 701.0
    assert tokens.token() == "issued-2"


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        ("AADSTS7000215: Invalid client secret provided.", "secret is wrong"),
        ("AADSTS7000222: The provided client secret keys are expired.", "has expired"),
        ("AADSTS700016: Application was not found.", "client_id"),
        ("something never seen", "check the authority"),
    ],
)
def test_a_refusal_says_what_to_do_and_never_shows_the_secret(
    tls: TlsFiles, tmp_path: Path, caplog: pytest.LogCaptureFixture, code: str, remedy: str
) -> None:
    caplog.set_level(logging.DEBUG)
    with authority(tls) as found:
        found.status, found.error = 401, {"error": "unknown", "error_description": f"{code} You sent {SECRET}"}
        tokens = application_tokens(settings(found, tls, client_secret_file=secret_file(tmp_path)))
        with pytest.raises(CloudError) as caught:
            tokens.token()
    error = caught.value
    assert remedy in error.remedy
    assert code.split(":", maxsplit=1)[0] in error.detail
    assert SECRET not in f"{error.detail}{error.message}{tokens!r}"
    assert error.__suppress_context__
    assert SECRET not in caplog.text


def test_an_untrusted_authority_gets_no_secret(tls: TlsFiles, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = make_tls(tmp_path / "other")
    with authority(tls) as found:
        given = settings(found, tls, client_secret_file=secret_file(tmp_path), ca_file=other.ca)
        with pytest.raises(CloudError):
            application_tokens(given).token()
    assert found.forms == []


@pytest.mark.parametrize("content", ["", "\n", "two\nlines", " padded", "x" * 5000])
def test_a_file_without_a_secret_is_an_error_that_does_not_show_it(tls: TlsFiles, tmp_path: Path, content: str) -> None:
    with authority(tls) as found:
        path = secret_file(tmp_path, content)
        with pytest.raises(ConfigError, match=str(path)) as caught:
            application_tokens(settings(found, tls, client_secret_file=path)).token()
    assert "lines" not in caught.value.message + caught.value.detail
    assert found.forms == []


def test_a_missing_secret_or_certificate_is_an_error_that_says_where(
    tls: TlsFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    monkeypatch.delenv("GRAPH_SECRET", raising=False)
    with authority(tls) as found:
        for given, match in (
            ({"client_secret_file": tmp_path / "gone"}, "gone"),
            ({"client_secret_env": "GRAPH_SECRET"}, "GRAPH_SECRET"),
            ({"client_secret_credential": "secret"}, "CREDENTIALS_DIRECTORY"),
            ({"client_certificate_file": tmp_path / "gone"}, "gone"),
        ):
            with pytest.raises(ConfigError, match=match):
                application_tokens(settings(found, tls, **given)).token()


def test_a_certificate_file_without_its_key_is_an_error(tls: TlsFiles, tmp_path: Path) -> None:
    path = tmp_path / "application.pem"
    path.write_bytes(make_client_certificate(path))
    with authority(tls) as found, pytest.raises(CloudError):
        application_tokens(settings(found, tls, client_certificate_file=path)).token()
