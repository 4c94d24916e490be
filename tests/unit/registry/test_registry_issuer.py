"""The embedded issuer and the verification of its and others' tokens."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Literal
from uuid import UUID

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import ValidationError

from keytrust.errors import RegistryError
from keytrust.registry import Issuer, RegistrySettings, TrustedIssuer
from keytrust.registry import key_sets as key_sets_module
from keytrust.registry.tokens import TokenRefused, TokenVerifier

AUDIENCE = "urn:test"


def verifier(*issuers: TrustedIssuer) -> TokenVerifier:
    return TokenVerifier(RegistrySettings(database_url="sqlite://", issuers=issuers))


def token(issuer: Issuer) -> str:
    return "Bearer " + issuer.device_token(audience=AUDIENCE, upn="a@example.org", device_id=UUID(int=1))


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_its_tokens_are_accepted_after_a_restart_too(tmp_path: Path, algorithm: Literal["RS256", "ES256"]) -> None:
    first = token(Issuer.open(tmp_path, algorithm=algorithm))
    issuer = Issuer.open(tmp_path)
    check = verifier(issuer.trusted())
    for bearer in (first, token(issuer)):
        assert check.verify(bearer, audience=AUDIENCE, purpose="register").text("upn") == "a@example.org"


def test_the_signing_key_is_private_and_the_key_set_is_public(tmp_path: Path) -> None:
    Issuer.open(tmp_path / "issuer", algorithm="ES256")
    assert (tmp_path / "issuer").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "issuer" / "signing-key.pem").stat().st_mode & 0o777 == 0o600
    keys = json.loads((tmp_path / "issuer" / "jwks.json").read_text())["keys"]
    assert set(keys[0]) == {"crv", "kty", "x", "y", "kid", "alg", "use"}


def test_opened_many_times_at_once_it_has_one_key(tmp_path: Path) -> None:
    kids: list[object] = []
    threads = [
        threading.Thread(target=lambda: kids.append(Issuer.open(tmp_path, algorithm="ES256").key_set()))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(kids) == 8
    assert all(kid == kids[0] for kid in kids)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["jwks.json", "signing-key.pem"]


def test_a_damaged_signing_key_is_an_error_and_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "signing-key.pem").write_text("rubbish")
    with pytest.raises(RegistryError, match="signing key"):
        Issuer.open(tmp_path)
    assert (tmp_path / "signing-key.pem").read_text() == "rubbish"


def test_an_issuer_may_be_trusted_for_one_purpose_only(tmp_path: Path) -> None:
    issuer = Issuer.open(tmp_path, algorithm="ES256")
    check = verifier(issuer.trusted().model_copy(update={"may_call_graph": False}))
    check.verify(token(issuer), audience=AUDIENCE, purpose="register")
    with pytest.raises(TokenRefused, match="not trusted for this"):
        check.verify(token(issuer), audience=AUDIENCE, purpose="graph")


@pytest.mark.filterwarnings("ignore:The RSA key is 1024 bits")
def test_a_short_rsa_key_in_a_key_set_is_not_trusted(tmp_path: Path) -> None:
    small = rsa.generate_private_key(65537, 1024)  # noqa: S505 - it must be refused
    pem = small.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "signing-key.pem").write_bytes(pem)
    issuer = Issuer.open(tmp_path)
    with pytest.raises(TokenRefused, match="not signed by a current key"):
        verifier(issuer.trusted()).verify(token(issuer), audience=AUDIENCE, purpose="register")


def test_a_new_key_is_found_when_the_key_set_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_sets_module, "_RELOAD_SECONDS", 0.0)
    old = Issuer.open(tmp_path / "old", algorithm="ES256")
    new = Issuer.open(tmp_path / "new", algorithm="ES256")
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps(old.key_set()))
    check = verifier(TrustedIssuer(issuer="urn:keytrust:issuer", jwks_file=path))
    check.verify(token(old), audience=AUDIENCE, purpose="register")
    with pytest.raises(TokenRefused):
        check.verify(token(new), audience=AUDIENCE, purpose="register")
    path.write_text(json.dumps({"keys": [*_keys(old), *_keys(new), {"kty": "oct", "k": "AA"}, 7, {}]}))
    for issuer in (old, new):
        check.verify(token(issuer), audience=AUDIENCE, purpose="register")
    path.write_text("damaged in mid-write")
    check.verify(token(new), audience=AUDIENCE, purpose="register")


def _keys(issuer: Issuer) -> list[object]:
    keys = issuer.key_set()["keys"]
    assert isinstance(keys, list)
    return keys


def test_unknown_key_ids_do_not_make_it_fetch_the_key_set_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_sets_module, "_RELOAD_SECONDS", 3600.0)
    issuer, other = (Issuer.open(tmp_path / name, algorithm="ES256") for name in ("issuer", "other"))
    fetched = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            fetched.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(issuer.key_set()).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_address[1]}/keys"
        check = verifier(TrustedIssuer(issuer="urn:keytrust:issuer", jwks_url=url))
        check.verify(token(issuer), audience=AUDIENCE, purpose="register")
        for _ in range(5):
            with pytest.raises(TokenRefused):
                check.verify(token(other), audience=AUDIENCE, purpose="register")
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
    assert fetched == ["/keys"]


def test_a_key_set_that_cannot_be_read_refuses_and_says_so(tmp_path: Path) -> None:
    issuer = Issuer.open(tmp_path, algorithm="ES256")
    trusted = TrustedIssuer(issuer="urn:keytrust:issuer", jwks_file=tmp_path / "missing.json")
    with pytest.raises(TokenRefused, match="cannot be read"):
        verifier(trusted).verify(token(issuer), audience=AUDIENCE, purpose="register")


def test_key_sets_come_from_one_place_and_not_in_clear_text_from_elsewhere(tmp_path: Path) -> None:
    with pytest.raises(ValidationError):
        TrustedIssuer(issuer="x", jwks_url="http://issuer.example/keys")
    with pytest.raises(ValidationError):
        TrustedIssuer(issuer="x")
    with pytest.raises(ValidationError):
        TrustedIssuer(issuer="http://issuer.example")
    with pytest.raises(ValidationError):
        TrustedIssuer(issuer="x", jwks_url="https://issuer.example/keys", jwks_file=tmp_path)


def test_the_database_password_is_not_in_the_repr() -> None:
    settings = RegistrySettings(database_url="postgresql+psycopg://u:geheim@127.0.0.1/x")
    assert "geheim" not in repr(settings)
    assert "geheim" not in str(settings)
