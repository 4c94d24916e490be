"""Planning to make an authority, and to publish what it has revoked."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from keytrust.deploy.changes import MakeFolder, WriteFile
from keytrust.deploy.errors import SetupError
from keytrust.deploy.pki.folder import (
    CERTIFICATE,
    CRL,
    CRL_PEM,
    KEY,
    REGISTER,
    AuthorityFolder,
    check_passphrase,
    find_authority,
    fresh,
    read,
)
from keytrust.deploy.pki.register import Issued, Register
from keytrust.deploy.step import Change, Step
from keytrust.pki.certificates import Issuer, authority
from keytrust.pki.revocation import Reason, revocation_list

KEY_BITS = 3072
"""Of RSA keys: 128 bits of security. Every client and KDC verifies RSA; EC P-384 is not taken by all PKINIT clients."""
_URL = re.compile(r"http://[A-Za-z0-9.-]+(:\d{1,5})?/[\x21-\x7e]*")

Passphrase = Callable[[], bytes]
"""Asked for when something is to be signed, and not otherwise."""


def plan_authority(
    folder: Path, name: str, life: timedelta, crl_life: timedelta, crl_url: str | None, passphrase: Passphrase
) -> Step:
    """The step that makes an authority; without changes when the folder has one.

    Raises:
        SetupError: the passphrase is too short, the name or URL cannot be, or the folder holds a part of an authority.
    """
    title = f"make a private certification authority in {folder}"
    found = find_authority(folder)
    if found is not None:
        until = found.certificate.not_valid_after_utc
        who = found.certificate.subject.rfc4514_string()
        return Step("pki-ca", title, (f"{folder} has one: {who}, until {until:%Y-%m-%d}.",))
    if not 0 < len(name) <= 64 or not name.isprintable():
        raise SetupError(
            f"An authority cannot be called {name!r}.",
            not_done="Nothing was changed.",
            remedy="Give a name of at most 64 characters.",
        )
    if crl_url is not None and not _URL.fullmatch(crl_url):
        raise SetupError(
            f"{crl_url!r} cannot be a CRL distribution point.",
            not_done="Nothing was changed.",
            remedy="Give a URL of http. By https a client would have to check a certificate to check a certificate.",
        )
    secret = passphrase()
    check_passphrase(secret)
    key = generate_private_key(65537, KEY_BITS)
    made = Issuer(authority(key, name, life), key)
    number = _list_number(0)
    register = Register(crl_url=crl_url, crl_number=number).text()
    # In use is an authority that has issued: then an undo leaves it.
    unused = (folder / REGISTER, WriteFile(folder / REGISTER, register).digest)
    sealed = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(secret))
    certificate = made.certificate.public_bytes(Encoding.PEM)
    der, pem = _list(made, Register(), number, crl_life)
    changes: tuple[Change, ...] = (
        *(() if folder.is_dir() else (MakeFolder(folder, 0o700),)),
        WriteFile(folder / REGISTER, register, what=f"write the register of certificates, {folder / REGISTER}"),
        WriteFile(
            folder / KEY,
            sealed,
            mode=0o600,
            secret=True,
            while_same=unused,
            what=f"make an RSA key of {KEY_BITS} bits, under the passphrase, in {folder / KEY}",
        ),
        WriteFile(
            folder / CERTIFICATE,
            certificate,
            while_same=unused,
            what=f"write the certificate of {name}, until {made.certificate.not_valid_after_utc:%Y-%m-%d},"
            f" to {folder / CERTIFICATE}",
        ),
        WriteFile(folder / CRL, der, read(folder / CRL), what=f"publish an empty list of the revoked, {folder / CRL}"),
        WriteFile(folder / CRL_PEM, pem, read(folder / CRL_PEM), what=f"the same in PEM, {folder / CRL_PEM}"),
    )
    warnings = [
        f"Who has {KEY} and its passphrase can sign in as anyone. Keep both offline and apart, with a copy of the"
        f" folder, and never on a domain controller. A lost passphrase cannot be recovered."
    ]
    if crl_url is None:
        warnings.append("No --crl-url: certificates will name no CRL, and cloud-joined devices refuse such a KDC.")
    why = ("For domains without AD CS. Where there is an enterprise CA, keytrust doctor checks it instead.",)
    return Step("pki-ca", title, why, changes, tuple(warnings))


def plan_crl(
    folder: AuthorityFolder,
    revoke: Sequence[str],
    reason: Reason,
    life: timedelta,
    passphrase: Passphrase,
    *,
    renew: bool = False,
) -> Step:
    """The step that revokes certificates and publishes the list; without changes while the list is good.

    Args:
        folder: The authority.
        revoke: Serial numbers in hexadecimal, or names of certificate files.
        reason: Why.
        life: Until when the next list comes.
        passphrase: Of the authority's key.
        renew: Publish a new list in any case.

    Raises:
        SetupError: a certificate is not of this authority.
    """
    now = datetime.now(UTC).replace(microsecond=0)
    register = folder.register
    serials = set()
    for each in revoke:
        register, serial = _known(folder, register, each)
        serials.add(serial)
    register = register.with_revoked(serials, now, reason)
    title = f"publish which certificates of {folder.certificate.subject.rfc4514_string()} are revoked"
    new = [each for each in register.revoked(now) if not _listed(folder.crl, each.serial)]
    until = folder.crl.next_update_utc if folder.crl is not None else None
    unchanged = not new and not renew and register == folder.register
    if folder.crl is not None and until is not None and unchanged and _fresh(folder.crl, until, now):
        return Step("pki-crl", title, (f"The list is complete and good until {until:%Y-%m-%d}.",))
    number = _list_number(register.crl_number)
    register = register.with_list(number)
    der, pem = _list(folder.issuer(passphrase()), register, number, life)
    named = ", ".join(f"{each.serial:x}" for each in new)
    until = now + life
    changes = (
        folder.written(REGISTER, register.text(), f"record {f'that {named} is revoked' if new else 'the new list'}"),
        folder.written(CRL, der, f"publish {len(register.revoked(now))} revoked, until {until:%Y-%m-%d}, in {CRL}"),
        folder.written(CRL_PEM, pem, f"the same in PEM, {CRL_PEM}"),
    )
    where = register.crl_url or "where clients look for it"
    warnings = (f"Copy {CRL} to {where}, and publish the next before {until:%Y-%m-%d}: clients refuse an old list.",)
    return Step("pki-crl", title, (), changes, warnings)


def _list_number(last: int) -> int:
    """Greater than every list's before, also than one's that an undo took out of the register: the time in ms."""
    return max(last + 1, time.time_ns() // 1_000_000)


def _list(issuer: Issuer, register: Register, number: int, life: timedelta) -> tuple[bytes, bytes]:
    now = datetime.now(UTC).replace(microsecond=0)
    made = revocation_list(issuer, register.revoked(now), number, now, now + life)
    return made.public_bytes(Encoding.DER), made.public_bytes(Encoding.PEM)


def _fresh(crl: x509.CertificateRevocationList, until: datetime, now: datetime) -> bool:
    return fresh(until - now, until - crl.last_update_utc)


def _listed(crl: x509.CertificateRevocationList | None, serial: int) -> bool:
    return crl is not None and crl.get_revoked_certificate_by_serial_number(serial) is not None


def _known(folder: AuthorityFolder, register: Register, name: str) -> tuple[Register, str]:
    """The serial number of a certificate of this authority; one that an undo took out of the register comes back."""
    wanted = name.lower().replace(":", "").removeprefix("0x").lstrip("0")
    if any(each.serial == wanted for each in register.certificates):
        return register, wanted
    try:
        certificate = x509.load_pem_x509_certificate(read(Path(name)) or b"")
        certificate.verify_directly_issued_by(folder.certificate)
    except (SetupError, ValueError, TypeError, InvalidSignature) as error:
        raise SetupError(
            f"{name} is neither the serial number of a certificate of this authority nor a file that holds one.",
            not_done="Nothing was revoked.",
            remedy="keytrust setup pki list shows them.",
        ) from error
    serial = f"{certificate.serial_number:x}"
    if any(each.serial == serial for each in register.certificates):
        return register, serial
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    hosts = tuple(names.get_values_for_type(x509.DNSName))
    again = Issued(
        serial=serial,
        host=hosts[0] if hosts else "",
        names=hosts,
        realm="",
        made=certificate.not_valid_before_utc,
        until=certificate.not_valid_after_utc,
        file=name,
    )
    return register.with_issued(again), serial
