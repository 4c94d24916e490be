"""Tokens for applications: the unmodified azure-identity against a registry over TLS, and hand-made requests."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import CertificateCredential, ClientSecretCredential
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificate
from registry_site import Site, material
from tests.support.tls import TlsFiles, make_client_certificate, make_tls

from keytrust.cloud.credentials import application_tokens
from keytrust.cloud.graph import GraphSource
from keytrust.cloud.settings import CloudSettings
from keytrust.registry import Database, running
from keytrust.registry.applications import add_application, list_applications, remove_application
from keytrust.registry.signing_keys import SigningKeys
from keytrust.registry.token_requests import ASSERTION_TYPE
from keytrust.registry.tokens import ADMINISTRATOR, READER


@dataclass
class TlsSite:
    """A registry that issues tokens, over TLS."""

    site: Site
    tls: TlsFiles
    url: str

    @property
    def database(self) -> Database:
        return self.site.database

    @property
    def tenant(self) -> str:
        return str(self.site.settings.tenant_id)

    @property
    def azure(self) -> dict[str, Any]:
        """What azure-identity has to be told about a site of one's own."""
        return {
            "authority": self.url,
            "disable_instance_discovery": True,
            "connection_verify": str(self.tls.ca),
            "retry_total": 0,
        }

    def client(self) -> httpx.Client:
        import ssl

        return httpx.Client(base_url=self.url, verify=ssl.create_default_context(cafile=str(self.tls.ca)))

    def ask(self, **form: str) -> httpx.Response:
        """A token request."""
        base = {"grant_type": "client_credentials", "scope": f"{self.url}/.default"}
        with self.client() as client:
            return client.post(f"/{self.tenant}/oauth2/v2.0/token", data={**base, **form})

    def get(self, path: str, token: str) -> httpx.Response:
        with self.client() as client:
            return client.get(path, headers={"Authorization": f"Bearer {token}"})


@pytest.fixture
def tls_site(tmp_path: Path) -> Iterator[TlsSite]:
    tls = make_tls(tmp_path)
    made = Site.make(tmp_path, tls_certificate=tls.certificate, tls_key=tls.key, signing_keys=tmp_path / "signing-keys")
    try:
        with running(made.settings) as url:
            yield TlsSite(made, tls, url)
    finally:
        made.database.close()


def assert_refused(answer: httpx.Response, status: int, error: str) -> None:
    body = answer.json()
    assert (answer.status_code, body["error"]) == (status, error), body
    assert body["error_description"].startswith(f"AADSTS{body['error_codes'][0]}: ")
    assert body["trace_id"] == answer.headers["request-id"]
    assert answer.headers["cache-control"] == "no-store"


def test_azure_identity_gets_a_token_by_secret_with_which_the_users_are_read(tls_site: TlsSite) -> None:
    application, secret = add_application(tls_site.database, "connector")
    assert secret is not None
    with ClientSecretCredential(tls_site.tenant, application.id, secret, **tls_site.azure) as credential:
        token = credential.get_token(f"{tls_site.url}/.default")
    assert time.time() + 3000 < token.expires_on < time.time() + 3700
    assert tls_site.get("/beta/users", token.token).status_code == 200
    claims = jwt.decode(token.token, options={"verify_signature": False})
    assert (claims["roles"], claims["appid"], claims["tid"]) == ([READER], application.id, tls_site.tenant)


def test_azure_identity_gets_a_token_by_certificate(tls_site: TlsSite, tmp_path: Path) -> None:
    path = tmp_path / "application.pem"
    certificate = load_pem_x509_certificate(make_client_certificate(path))
    application, secret = add_application(tls_site.database, "connector", certificate=certificate)
    assert secret is None
    with CertificateCredential(tls_site.tenant, application.id, str(path), **tls_site.azure) as credential:
        token = credential.get_token(f"{tls_site.url}/.default").token
    assert tls_site.get("/beta/users", token).status_code == 200
    make_client_certificate(path)
    with (
        CertificateCredential(tls_site.tenant, application.id, str(path), **tls_site.azure) as credential,
        pytest.raises(ClientAuthenticationError, match="AADSTS700027"),
    ):
        credential.get_token(f"{tls_site.url}/.default")


def test_the_connector_reads_the_registry_as_it_reads_graph(tls_site: TlsSite, tmp_path: Path) -> None:
    application, secret = add_application(tls_site.database, "connector")
    (tmp_path / "secret").write_text(str(secret))
    cloud = CloudSettings(
        kind="graph",
        url=tls_site.url,
        authority=tls_site.url,
        ca_file=tls_site.tls.ca,
        tenant_id=tls_site.tenant,
        client_id=application.id,
        client_secret_file=tmp_path / "secret",
    )
    users = list(GraphSource(cloud.root, application_tokens(cloud), ca_file=cloud.ca_file).read())
    assert {user.upn.partition("@")[0] for user in users} == {"alice", "bob", "carol"}


def test_discovery_names_the_endpoints_and_the_keys_that_sign(tls_site: TlsSite) -> None:
    application, secret = add_application(tls_site.database, "connector")
    with tls_site.client() as client:
        document = client.get(f"/{tls_site.tenant}/v2.0/.well-known/openid-configuration").json()
        assert client.get("/keytrust.local/.well-known/openid-configuration").json() == document
        keys = jwt.PyJWKSet.from_dict(client.get(document["jwks_uri"]).json())
        assert client.get("/other.example/v2.0/.well-known/openid-configuration").status_code == 404
    answer = tls_site.ask(client_id=application.id, client_secret=str(secret)).json()
    token = answer["access_token"]
    key = keys[jwt.get_unverified_header(token)["kid"]]
    audience = tls_site.site.settings.graph_resource
    claims = jwt.decode(token, key, algorithms=["RS256"], audience=audience, issuer=document["issuer"])
    assert claims["sub"] == application.id
    assert document["token_endpoint"] == f"{tls_site.url}/{tls_site.tenant}/oauth2/v2.0/token"


def test_a_wrong_secret_and_an_unknown_application_are_refused_alike(tls_site: TlsSite) -> None:
    application, secret = add_application(tls_site.database, "connector")
    wrong = tls_site.ask(client_id=application.id, client_secret=f"{secret}x")
    unknown = tls_site.ask(client_id=str(uuid.uuid4()), client_secret=str(secret))
    assert_refused(wrong, 401, "invalid_client")
    assert_refused(unknown, 401, "invalid_client")
    assert wrong.json()["error_codes"] == unknown.json()["error_codes"]
    assert str(secret) not in wrong.text


def test_a_request_that_is_not_as_it_should_be_is_refused_with_its_cause(tls_site: TlsSite) -> None:
    application, secret = add_application(tls_site.database, "connector")
    good = {"client_id": application.id, "client_secret": str(secret)}
    assert_refused(tls_site.ask(**good, grant_type="password"), 400, "unsupported_grant_type")
    for scope in ("", "openid"):
        assert tls_site.ask(**good, scope=scope).status_code == 400
    assert_refused(tls_site.ask(**good, scope="https://graph.example/.default"), 400, "invalid_scope")
    assert_refused(tls_site.ask(client_id=application.id), 401, "invalid_client")
    assert_refused(tls_site.ask(**good, client_assertion="x"), 401, "invalid_client")
    with tls_site.client() as client:
        path = f"/{tls_site.tenant}/oauth2/v2.0/token"
        for body in (b"\xff", b"client_id=a&client_id=b", b"&".join([b"a=b"] * 60)):
            assert_refused(client.post(path, content=body), 400, "invalid_request")
        assert_refused(client.post(path, content=b"x" * 40_000), 413, "invalid_request")
        assert_refused(client.post("/other.example/oauth2/v2.0/token", data=good), 404, "invalid_tenant")
        form = {"grant_type": "client_credentials", "scope": f"{tls_site.url}/.default"}
        assert client.post(path, data=form, auth=(application.id, str(secret))).status_code == 200
        assert_refused(client.post(path, data=form, headers={"Authorization": "Basic !"}), 400, "invalid_request")


@pytest.mark.parametrize(
    "change",
    [
        {"aud": "https://elsewhere.example/token"},
        {"iss": "somebody"},
        {"sub": "somebody"},
        {"exp": 1},
        {"exp": 9_999_999_999},
        {"exp": "soon"},
        {"nbf": 9_999_999_999},
    ],
)
def test_an_assertion_must_be_ours_for_us_and_now(tls_site: TlsSite, tmp_path: Path, change: dict[str, Any]) -> None:
    path = tmp_path / "application.pem"
    certificate = load_pem_x509_certificate(make_client_certificate(path))
    application, _ = add_application(tls_site.database, "connector", certificate=certificate)
    key: Any = load_pem_private_key(path.read_bytes(), None)
    claims = {
        "aud": f"{tls_site.url}/{tls_site.tenant}/oauth2/v2.0/token",
        "iss": application.id,
        "sub": application.id,
        "exp": int(time.time()) + 300,
    }

    def ask(claims: dict[str, Any], **headers: str) -> httpx.Response:
        assertion = jwt.encode(claims, key, algorithm="RS256", headers=headers)
        return tls_site.ask(client_id=application.id, client_assertion=assertion, client_assertion_type=ASSERTION_TYPE)

    assert ask(claims).status_code == 200
    assert_refused(ask({**claims, **change}), 401, "invalid_client")
    assert_refused(ask(claims, x5t="AAAA"), 401, "invalid_client")


def test_an_expired_certificate_is_refused(tls_site: TlsSite, tmp_path: Path) -> None:
    path = tmp_path / "application.pem"
    certificate = load_pem_x509_certificate(make_client_certificate(path, days=-1))
    application, _ = add_application(tls_site.database, "connector", certificate=certificate)
    with (
        CertificateCredential(tls_site.tenant, application.id, str(path), **tls_site.azure) as credential,
        pytest.raises(ClientAuthenticationError, match="not valid at this time"),
    ):
        credential.get_token(f"{tls_site.url}/.default")


def test_a_removed_application_gets_no_more_tokens_and_only_hashes_are_kept(tls_site: TlsSite) -> None:
    application, secret = add_application(tls_site.database, "connector", roles=[READER, ADMINISTRATOR])
    assert [each.id for each in list_applications(tls_site.database)] == [application.id]
    good = {"client_id": application.id, "client_secret": str(secret)}
    assert tls_site.ask(**good).status_code == 200
    for file in tls_site.site.directory.glob("registry.db*"):
        assert str(secret).encode() not in file.read_bytes()
    assert remove_application(tls_site.database, application.id)
    assert not remove_application(tls_site.database, application.id)
    assert_refused(tls_site.ask(**good), 401, "invalid_client")


def test_an_applications_token_does_what_its_roles_say_and_registers_nothing(tls_site: TlsSite) -> None:
    reader, secret = add_application(tls_site.database, "connector")
    token = tls_site.ask(client_id=reader.id, client_secret=str(secret)).json()["access_token"]
    path = "/v1.0/users/alice@example.org/authentication/windowsHelloForBusinessMethods/" + str(uuid.uuid4())
    headers = {"Authorization": f"Bearer {token}"}
    with tls_site.client() as client:
        assert client.delete(path, headers=headers).status_code == 403
        kpp = {**headers, "Accept": "application/json"}
        body = {"kngc": material(1).hex()}
        refused = client.post("/EnrollmentServer/key/?api-version=1.0", headers=kpp, json=body)
    assert refused.status_code == 401


def test_tokens_of_a_replaced_key_are_accepted_and_those_of_a_new_one_at_once(tls_site: TlsSite) -> None:
    application, secret = add_application(tls_site.database, "connector")
    good = {"client_id": application.id, "client_secret": str(secret)}
    before = tls_site.ask(**good).json()["access_token"]
    other_process = SigningKeys(tls_site.site.directory / "signing-keys")
    new = other_process.rotate()
    after = other_process.sign(jwt.decode(before, options={"verify_signature": False}))
    assert jwt.get_unverified_header(after)["kid"] == new != jwt.get_unverified_header(before)["kid"]
    assert tls_site.get("/beta/users", after).status_code == 200
    assert tls_site.get("/beta/users", before).status_code == 200
    assert jwt.get_unverified_header(tls_site.ask(**good).json()["access_token"])["kid"] == new


def test_failed_tries_are_slowed_down_and_successes_are_not(tls_site: TlsSite) -> None:
    application, secret = add_application(tls_site.database, "connector")
    good = {"client_id": application.id, "client_secret": str(secret)}
    assert {tls_site.ask(**good).status_code for _ in range(25)} == {200}
    answers = [tls_site.ask(client_id=application.id) for _ in range(60)]
    limited = [answer for answer in answers if answer.status_code == 429]
    assert limited
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in limited)
    assert all(answer.json()["error"] == "temporarily_unavailable" for answer in limited)


def test_without_signing_keys_there_is_no_token_endpoint(site: Site) -> None:
    assert httpx.post(f"{site.url}/keytrust.local/oauth2/v2.0/token", data={}).status_code == 404
