"""Revocation lists are fetched as a device would, from whatever a certificate names, and never trusted blindly."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from tests.support.recorded import NOW, UNREAD, certificate, controller

from keytrust.deploy.checks.facts import Unread
from keytrust.deploy.checks.pki_facts import Crl
from keytrust.deploy.reading import crl
from keytrust.deploy.reading.crl import fetch, read_crls

NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Corp CA")])
KEY, OTHER_KEY = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())


def authority(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    builder = x509.CertificateBuilder().subject_name(NAME).issuer_name(NAME).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(NOW).not_valid_after(NOW + timedelta(9))
    return builder.sign(key, hashes.SHA256())


def revoking(*serials: int) -> bytes:
    builder = x509.CertificateRevocationListBuilder().issuer_name(NAME).last_update(NOW).next_update(NOW + timedelta(7))
    for serial in serials:
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(NOW).build()
        builder = builder.add_revoked_certificate(entry)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(Encoding.DER)


@contextmanager
def serving(content: bytes, status: int = 200) -> Iterator[tuple[str, list[str]]]:
    """A web server's URL, and the paths that were asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


def test_what_a_list_says_of_our_certificates_is_read_and_its_signature_checked() -> None:
    with serving(revoking(4711, 99)) as (url, _):
        good = fetch(url, frozenset({4711, 4712}), [authority(KEY)], 20)
        forged = fetch(url, frozenset({4711}), [authority(OTHER_KEY)], 20)
        unknown = fetch(url, frozenset({4711}), [], 20)
    assert good == Crl(NOW + timedelta(7), frozenset({4711}), True, True)
    assert isinstance(forged, Crl)
    assert (forged.signer_known, forged.signature_good) == (True, False)
    assert isinstance(unknown, Crl)
    assert not unknown.signer_known


@pytest.mark.parametrize(
    ("content", "status", "why"),
    [(b"", 404, "404"), (b"<html>", 200, "not a DER certificate revocation list"), (b"", 200, "not a DER")],
)
def test_what_is_no_list_is_no_answer(content: bytes, status: int, why: str) -> None:
    with serving(content, status) as (url, _):
        found = fetch(url, frozenset(), [], 20)
    assert isinstance(found, Unread)
    assert why in found.why


def test_a_list_without_end_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crl, "MAX_BYTES", 2**20)
    with serving(bytes(2**21)) as (url, _):
        found = fetch(url, frozenset(), [], 20)
    assert isinstance(found, Unread)
    assert "more than 1 MiB" in found.why


def test_a_certificate_can_make_us_open_nothing_but_web_addresses() -> None:
    for url in ("file:///etc/passwd", "ldap://127.0.0.1/", "http://", "http://[", "\x00"):
        assert isinstance(fetch(url, frozenset(), [], 5), Unread), url


def test_many_certificates_with_one_list_fetch_it_once_and_a_silent_server_costs_one_time_out() -> None:
    silent = socket.create_server(("127.0.0.1", 0))
    with silent, serving(revoking()) as (url, asked):
        dead = f"http://127.0.0.1:{silent.getsockname()[1]}/x.crl"
        controllers = []
        for number in range(20):
            shown = certificate(f"dc{number}.corp.example", lists=(url + "/ca.crl", dead))
            controllers.append(controller(f"dc{number}.corp.example", ldaps=shown, starttls=shown))
        found = read_crls(controllers, UNREAD, None, time.monotonic() + 60, 2)
    assert asked == ["/ca.crl"]
    assert isinstance(found[url + "/ca.crl"], Crl)
    assert isinstance(found[dead], Unread)
