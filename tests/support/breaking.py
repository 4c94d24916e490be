"""Ways to break a lab's domain controller itself, each for a while: its files, its clock, its KDC."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from keytrust.lab import Lab
from keytrust.lab.processes import living_in
from keytrust.lab.provision import write_secret
from keytrust.lab.texts import TLS
from keytrust.pki.certificates import Issuer, kdc_certificate

_FAKETIME = "libfaketime.so.1"
_IN_TREE = Path("usr/lib") / _FAKETIME
DEAD_LIST = "http://127.0.0.1:9/ca.crl"
"""Where nothing listens (RFC 863's port of discarding)."""


@contextmanager
def files(lab: Lab, contents: Mapping[str, bytes | None]) -> Iterator[None]:
    """The domain controller, restarted, with other files in its tree (None: without one); then with its own again."""
    places = {lab.spec.tree / name.lstrip("/"): content for name, content in contents.items()}
    before = {place: (place.read_bytes(), place.stat().st_mode) if place.exists() else None for place in places}
    lab.stop_dc()
    try:
        for place, content in places.items():
            place.unlink(missing_ok=True)
            if content is not None:
                write_secret(place, content)
                if (kept := before[place]) is None or kept[1] & 0o044:
                    place.chmod(0o644)
        lab.start_dc()
        yield
    finally:
        lab.stop_dc()
        for place, kept in before.items():
            place.unlink(missing_ok=True)
            if kept is not None:
                place.write_bytes(kept[0])
                place.chmod(kept[1])
        lab.start_dc()


@contextmanager
def edited(lab: Lab, name: str, old: str, new: str) -> Iterator[None]:
    """With another line in one of its configuration files."""
    text = (lab.spec.tree / name.lstrip("/")).read_text(encoding="utf-8")
    assert old in text, f"{name} has no {old!r}"
    with files(lab, {name: text.replace(old, new).encode()}):
        yield


@contextmanager
def clock_off(lab: Lab, seconds: int) -> Iterator[None]:
    """With the clock of all its processes so many seconds ahead, or behind when negative (libfaketime)."""
    library = next(Path("/usr/lib").glob(f"*/faketime/{_FAKETIME}"), None)
    assert library is not None, "libfaketime is not installed: run ./script/setup"
    place = lab.spec.tree / _IN_TREE
    shutil.copy(library, place)
    try:
        with files(lab, {"/etc/ld.so.preload": f"/{_IN_TREE}\n".encode(), "/etc/faketimerc": b"%+d\n" % seconds}):
            yield
    finally:
        place.unlink()


@contextmanager
def kdc_silent(lab: Lab) -> Iterator[None]:
    """With every process of its KDC stopped, and all its other services at work."""
    kdc = [pid for pid in living_in(lab.spec.tree) if b"task[kdc]" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    assert kdc, "no process calls itself the KDC"
    for pid in kdc:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in kdc:
            os.kill(pid, signal.SIGCONT)


@contextmanager
def certificate(lab: Lab, made: tuple[x509.Certificate, RSAPrivateKey]) -> Iterator[None]:
    """With this certificate, for TLS and PKINIT alike."""
    shown, key = made
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with files(lab, {f"{TLS}/dc.pem": shown.public_bytes(Encoding.PEM), f"{TLS}/dc.key": pem}):
        yield


def expired(lab: Lab) -> tuple[x509.Certificate, RSAPrivateKey]:
    """A certificate in good order of the lab's own authority that ended an hour ago. It names a list that is gone."""
    key = generate_private_key(65537, 2048)
    ended = datetime.now(UTC) - timedelta(hours=1)
    hosts = [lab.spec.dc_host, lab.spec.domain]
    return kdc_certificate(_issuer(lab), key.public_key(), lab.spec.realm, hosts, ended, crl_url=DEAD_LIST), key


def unfit(lab: Lab) -> tuple[x509.Certificate, RSAPrivateKey]:
    """A certificate that is wrong in everything but its time: for another host, by nobody known, short, for clients."""
    key = generate_private_key(65537, 1024)  # noqa: S505 - that it is too short is the point
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Self-made")])
    now = datetime.now(UTC)
    usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=300))
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(f"old.{lab.spec.domain}")]), critical=False)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    ), key


def _issuer(lab: Lab) -> Issuer:
    key = load_pem_private_key(lab.spec.ca_key.read_bytes(), None)
    assert isinstance(key, RSAPrivateKey)
    return Issuer(x509.load_pem_x509_certificate(lab.spec.ca_cert.read_bytes()), key)


@contextmanager
def restored(lab: Lab) -> Iterator[None]:
    """The domain controller's data, whatever is done to them meanwhile, are as they were: quicker than undoing much."""
    data = lab.spec.tree / "var/lib/samba"
    kept = data.with_name("samba.kept")
    lab.stop_dc()
    shutil.copytree(data, kept, symlinks=True, ignore=_sockets)
    lab.start_dc()
    try:
        yield
    finally:
        lab.stop_dc()
        shutil.rmtree(data)
        kept.rename(data)
        lab.start_dc()


def _sockets(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if (Path(folder) / name).is_socket()]
