"""Planning to issue and renew the certificate of a domain controller."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from keytrust.deploy.changes import MakeFolder, WriteFile
from keytrust.deploy.errors import SetupError
from keytrust.deploy.pki import lines
from keytrust.deploy.pki.authority import KEY_BITS, Passphrase
from keytrust.deploy.pki.folder import CERTIFICATE, REGISTER, RENEW_AT, AuthorityFolder, fresh, read
from keytrust.deploy.pki.register import Issued
from keytrust.deploy.step import Change, Step
from keytrust.pki.certificates import SKEW, kdc_certificate

_DNS_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+")
_REALM = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,253}[A-Za-z0-9])?")
_PLACE = re.compile(r"/[A-Za-z0-9._/@+-]*")
"""Configuration files have no quoting for more than this, and a comma parts the names of certificate and key."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a certificate is asked for.

    Attributes:
        host: The domain controller's DNS name.
        realm: Kerberos realm.
        aliases: Further DNS names.
        guid: objectGUID of its computer account.
        life: How long it is to be valid.
        folder: Where its files are written.
        place: Where they will lie on the domain controller.

    Raises:
        SetupError: a name cannot be one.
    """

    host: str
    realm: str
    aliases: tuple[str, ...]
    guid: UUID | None
    life: timedelta
    folder: Path
    place: PurePosixPath

    def __post_init__(self) -> None:
        for name in self.names:
            _require(_DNS_NAME, name, "a full DNS name", "Give it in ASCII, with its domain: dc1.corp.example.")
        _require(_REALM, self.realm, "a Kerberos realm", "Name it with --realm.")
        hint = "Give one with --installed-at, of letters, digits and . _ / @ + - only."
        _require(_PLACE, str(self.place), "a folder that can be named in smb.conf and krb5.conf", hint)

    @property
    def names(self) -> tuple[str, ...]:
        """All DNS names, the host's own first, the domain's last: LDAP clients ask for that too."""
        domain = self.realm.lower()
        every = (self.host, *self.aliases, *((domain,) if "." in domain else ()))
        return tuple(dict.fromkeys(name.lower().rstrip(".") for name in every))


def plan_controller(authority: AuthorityFolder, request: Request, passphrase: Passphrase, *, renew: bool) -> Step:
    """The step that issues a certificate, or renews it in the last third of its life; else without changes.

    Each certificate has a key of its own and both have names of their own: the configuration that names them is
    replaced last, as a whole, so that a controller never sees a certificate with another's key.

    Args:
        authority: Signs.
        request: For what.
        passphrase: Of the authority's key.
        renew: Issue in any case.

    Raises:
        SetupError: the authority's key cannot be used, or the authority ends too soon.
    """
    host, now = request.names[0], datetime.now(UTC).replace(microsecond=0)
    title = f"issue the certificate of {host} for PKINIT and LDAP"
    last = authority.register.latest(host)
    if last is not None and not renew:
        different = _why_not_good(authority, request, last, now)
        if not different:
            again = last.until - (last.until - last.made) / RENEW_AT
            why = f"{host} has one until {last.until:%Y-%m-%d}; from {again:%Y-%m-%d} on this renews it, --renew now."
            return Step("pki-kdc", title, (why,))
        reason = f"{host} has one, but {different}."
    else:
        reason = f"{host} has no certificate of this authority." if last is None else "You asked for a new one."
    issuer = authority.issuer(passphrase())
    ends = authority.certificate.not_valid_after_utc
    if ends < now + SKEW:
        raise SetupError(
            f"The authority ends on {ends:%Y-%m-%d %H:%M} UTC.",
            not_done="Nothing was issued.",
            remedy="Make a new one in another folder, and have the clients trust it first.",
        )
    until = min(now + request.life, ends)
    key = generate_private_key(65537, KEY_BITS)
    url = authority.register.crl_url
    certificate = kdc_certificate(
        issuer, key.public_key(), request.realm, request.names, until, guid=request.guid, crl_url=url
    )
    stem = _unused_stem(request.folder)
    issued = Issued(
        serial=f"{certificate.serial_number:x}",
        host=host,
        names=request.names,
        realm=request.realm,
        guid=str(request.guid) if request.guid else None,
        made=now,
        until=until,
        file=str(request.folder / f"{stem}.crt"),
    )
    register = authority.register.with_issued(issued).text()
    sealed = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    secret = request.folder / f"{stem}.key"
    changes: tuple[Change, ...] = (
        # First: what is issued can be revoked, whatever happens next.
        authority.written(REGISTER, register, f"record certificate {issued.serial} for {host}"),
        *(() if request.folder.is_dir() else (MakeFolder(request.folder, 0o700),)),
        WriteFile(secret, sealed, mode=0o600, secret=True, what=f"make an RSA key of {KEY_BITS} bits in {secret}"),
        WriteFile(
            request.folder / f"{stem}.crt",
            certificate.public_bytes(Encoding.PEM),
            what=f"write the certificate for {', '.join(request.names)}, until {until:%Y-%m-%d}",
        ),
        *_settings(authority, request, stem),
    )
    return Step("pki-kdc", title, (reason,), changes, tuple(_advice(request, until, ends, last)))


def _settings(authority: AuthorityFolder, request: Request, stem: str) -> Iterator[Change]:
    files = lines.Installed(request.place, f"{stem}.crt", f"{stem}.key", CERTIFICATE)
    host = request.names[0]
    texts = {
        CERTIFICATE: authority.content[CERTIFICATE],
        "smb.conf": lines.samba(files, host).encode(),
        "krb5-kdc.conf": lines.heimdal(files, host).encode(),
        "mit-kdc.conf": lines.mit(files, host, request.realm).encode(),
    }
    for name, content in texts.items():
        path = request.folder / name
        before = read(path)
        if before != content:
            verb = "write" if before is None else "replace"
            yield WriteFile(path, content, before, what=f"{verb} {path}")


def _advice(request: Request, until: datetime, ends: datetime, last: Issued | None) -> Iterator[str]:
    if str(request.folder) != str(request.place):
        yield f"Copy {request.folder} to {request.place} on {request.names[0]}, the key readable for root only."
    if last is None:
        yield (
            f"On {request.names[0]}: include {request.place}/smb.conf in [global] of smb.conf and"
            f" {request.place}/krb5-kdc.conf in krb5.conf. Their first lines say how."
        )
    yield "Then restart Samba: it reads certificates only at its start."
    if last is not None:
        yield f"The certificate before, {last.serial}, stays valid until {last.until:%Y-%m-%d} unless it is revoked."
    if until == ends:
        yield f"The authority itself ends on {ends:%Y-%m-%d}: time for a new one."


def _why_not_good(authority: AuthorityFolder, request: Request, last: Issued, now: datetime) -> str:
    """What keeps a certificate from being as it is asked for, in one clause; empty when nothing does."""
    if not fresh(last.until - now, last.until - last.made):
        return f"it ends on {last.until:%Y-%m-%d}"
    if set(last.names) != set(request.names):
        return f"it is for {', '.join(last.names)}"
    if last.realm != request.realm:
        return f"it is for the realm {last.realm or 'of another time'}"
    if last.guid != (str(request.guid) if request.guid else None):
        return "it has another GUID"
    file = request.folder / Path(last.file).name
    content = read(file)
    try:
        certificate = x509.load_pem_x509_certificate(content or b"")
    except ValueError:
        return f"{file} is not there"
    if f"{certificate.serial_number:x}" != last.serial or not file.with_suffix(".key").exists():
        return f"{file} is not it, or its key is not beside it"
    if _crl_url(certificate) != authority.register.crl_url:
        return "it names another CRL"
    return "its configuration files are not in order" if any(_settings(authority, request, file.stem)) else ""


def _crl_url(certificate: x509.Certificate) -> str | None:
    try:
        points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except x509.ExtensionNotFound:
        return None
    return next((str(name.value) for point in points for name in point.full_name or ()), None)


def _unused_stem(folder: Path) -> str:
    number = 1
    while any((folder / f"kdc-{number}.{ending}").exists() for ending in ("crt", "key")):
        number += 1
    return f"kdc-{number}"


def _require(pattern: re.Pattern[str], name: str, what: str, remedy: str) -> None:
    if not pattern.fullmatch(name):
        raise SetupError(f"{name!r} is not {what}.", not_done="Nothing was changed.", remedy=remedy)
