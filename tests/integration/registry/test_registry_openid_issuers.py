"""Tokens of OpenID Connect providers, several at once: found by discovery, over TLS, and not taken on trust."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from registry_site import LAPTOP, Site, quick_material
from tests.support.tls import TlsFiles, make_tls

from keytrust.registry import Issuer, RegistrySettings, TrustedIssuer, key_sets, running
from keytrust.registry.tokens import TokenRefused, TokenVerifier

AUDIENCE = "urn:ms-drs:127.0.0.1"


@dataclass
class Provider:
    """A provider at ``url``. ``document`` and ``keys`` are what it answers, ``up`` whether it does."""

    url: str
    directory: Path
    issuer: Issuer
    document: dict[str, Any] = field(default_factory=dict)
    keys: list[Any] = field(default_factory=list)
    up: bool = True
    asked: list[str] = field(default_factory=list)

    def token(self, **claims: Any) -> str:
        given = {"aud": AUDIENCE, "upn": "alice@example.org", "deviceid": str(LAPTOP), "amr": ["ngcmfa"]}
        return self.issuer.sign({**given, "auth_time": int(time.time()), **claims})


@contextmanager
def provider(directory: Path, tls: TlsFiles) -> Iterator[Provider]:
    made: Provider

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked.append(self.path)
            answers = {"/.well-known/openid-configuration": made.document, "/keys": {"keys": made.keys}}
            found = answers.get(self.path) if made.up else None
            body = json.dumps(found).encode()
            self.send_response(200 if found is not None else 503)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls.certificate, tls.key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    url = f"https://127.0.0.1:{server.server_address[1]}"
    issuer = Issuer.open(directory, name=url, algorithm="ES256")
    made = Provider(url, directory, issuer, {"issuer": url, "jwks_uri": f"{url}/keys"}, issuer.key_set()["keys"])  # type: ignore[arg-type]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


@pytest.fixture
def tls(tmp_path: Path) -> TlsFiles:
    return make_tls(tmp_path)


@pytest.fixture
def one(tmp_path: Path, tls: TlsFiles) -> Iterator[Provider]:
    with provider(tmp_path / "one", tls) as made:
        yield made


def verifier(*providers: Provider, ca_file: Path | None) -> TokenVerifier:
    trusted = tuple(TrustedIssuer(issuer=each.url, ca_file=ca_file) for each in providers)
    return TokenVerifier(RegistrySettings(database_url="sqlite://", issuers=trusted))


def verify(check: TokenVerifier, token: str) -> None:
    check.verify(f"Bearer {token}", audience=AUDIENCE, purpose="register")


def test_users_of_several_providers_register_keys(tmp_path: Path, tls: TlsFiles, one: Provider) -> None:
    with ExitStack() as stack:
        two = stack.enter_context(provider(tmp_path / "two", tls))
        site = Site.make(tmp_path)
        stack.callback(site.database.close)
        trusted = tuple(TrustedIssuer(issuer=each.url, ca_file=tls.ca) for each in (one, two))
        settings = site.settings.model_copy(update={"issuers": (*site.settings.issuers, *trusted)})
        site.url = stack.enter_context(running(settings))
        for number, each in enumerate((one, two)):
            assert site.post(quick_material(number), each.token()).status_code == 200
        assert site.post(quick_material(5), two.token(amr=["pwd"])).json()["code"] == "mfa_required"
        # One provider cannot speak for the other.
        two.keys, posing = list(one.keys), Issuer.open(two.directory, name=one.url)
        two.issuer = posing
        assert site.post(quick_material(6), two.token()).json()["code"] == "invalid_token"


@pytest.mark.parametrize(
    "document",
    [
        {"issuer": "https://elsewhere.example"},
        {"jwks_uri": "http://192.0.2.1/keys"},
        {"jwks_uri": None},
        {"jwks_uri": ["x"]},
        {"jwks_uri": "https://[broken/keys"},
        {"jwks_uri": "file:///etc/passwd"},
    ],
)
def test_a_discovery_document_that_is_not_right_is_not_followed(
    one: Provider, tls: TlsFiles, document: dict[str, Any]
) -> None:
    one.document = {**one.document, **document}
    with pytest.raises(TokenRefused, match="cannot be read"):
        verify(verifier(one, ca_file=tls.ca), one.token())
    assert "/keys" not in one.asked


def test_a_provider_whose_certificate_is_not_trusted_is_not_believed(one: Provider) -> None:
    with pytest.raises(TokenRefused, match="cannot be read"):
        verify(verifier(one, ca_file=None), one.token())
    assert one.asked == []


def test_a_key_that_was_withdrawn_is_not_good_for_ever(
    one: Provider, tls: TlsFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    check, token, passed = verifier(one, ca_file=tls.ca), one.token(), [0.0]
    real = time.monotonic
    monkeypatch.setattr(key_sets.time, "monotonic", lambda: real() + passed[0])
    verify(check, token)
    one.keys = []
    verify(check, token)
    passed[0] = key_sets._FRESH_SECONDS + 1
    with pytest.raises(TokenRefused, match="not signed by a current key"):
        verify(check, token)


def test_a_provider_may_be_away_for_a_day(one: Provider, tls: TlsFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    check, token, passed = verifier(one, ca_file=tls.ca), one.token(exp=int(time.time()) + 10**6), [0.0]
    real = time.monotonic
    monkeypatch.setattr(key_sets.time, "monotonic", lambda: real() + passed[0])
    verify(check, token)
    one.up = False
    passed[0] = key_sets._FRESH_SECONDS + 1
    verify(check, token)
    passed[0] = key_sets._STALE_SECONDS + 1
    with pytest.raises(TokenRefused, match="cannot be read"):
        verify(check, token)
    one.up = True
    passed[0] += 10
    verify(check, token)
