"""The folder of an authority: its certificate, its key under a passphrase, its register, its list of the revoked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from keytrust.deploy.changes import WriteFile
from keytrust.deploy.errors import SetupError
from keytrust.deploy.pki.register import Register
from keytrust.pki.certificates import Issuer

CERTIFICATE, KEY, REGISTER = "ca.crt", "ca.key", "issued.json"
CRL, CRL_PEM = "ca.crl", "ca.crl.pem"
"""The same list twice: in DER for the web server (RFC 5280 section 4.2.1.13), in PEM for OpenSSL and MIT Kerberos."""
SHORTEST_PASSPHRASE = 16
"""Characters. PKCS #8 slows guessing down little, so that the passphrase has to be long."""
RENEW_AT = 3
"""A certificate or list is made anew in the last third of its life."""
_LARGEST = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class AuthorityFolder:
    """An authority as its folder has it.

    Attributes:
        path: The folder.
        certificate: Its certificate.
        register: What it has issued.
        crl: Its current list of revoked certificates; None when there is none that can be read.
        content: Every file that was read, by name.
    """

    path: Path
    certificate: x509.Certificate
    register: Register
    crl: x509.CertificateRevocationList | None
    content: dict[str, bytes]

    def written(self, name: str, content: bytes, what: str) -> WriteFile:
        """The change that writes one of its files."""
        return WriteFile(self.path / name, content, self.content.get(name), what=what)

    def issuer(self, passphrase: bytes) -> Issuer:
        """Unlock its key.

        Raises:
            SetupError: there is no key here, the passphrase is another, or the key does not belong to the certificate.
        """
        path = self.path / KEY
        content = read(path)
        if content is None:
            raise SetupError(
                f"There is no {path}.",
                not_done="Nothing was changed.",
                remedy="Bring the authority's key, which may be kept elsewhere, back into the folder.",
            )
        try:
            key = load_pem_private_key(content, passphrase)
        except (ValueError, TypeError) as error:
            raise SetupError(
                f"{path} does not open with this passphrase.",
                not_done="Nothing was changed.",
                remedy="Give the passphrase that it was made with.",
            ) from error
        if not isinstance(key, RSAPrivateKey) or key.public_key() != self.certificate.public_key():
            raise SetupError(
                f"{path} is not the key of {self.path / CERTIFICATE}.",
                not_done="Nothing was changed.",
                remedy="Put the two together that were made together.",
            )
        return Issuer(self.certificate, key)


def find_authority(folder: Path) -> AuthorityFolder | None:
    """The authority of a folder; None when there is nothing of one.

    Raises:
        SetupError: there is a part of one, or it cannot be read.
    """
    content = {name: read(folder / name) for name in (CERTIFICATE, REGISTER, CRL, CRL_PEM)}
    certificate, register = content[CERTIFICATE], content[REGISTER]
    if certificate is None and register is None and not (folder / KEY).exists():
        return None
    if certificate is None or register is None:
        missing = folder / (CERTIFICATE if certificate is None else REGISTER)
        raise SetupError(
            f"{folder} holds a part of an authority: there is no {missing.name}.",
            not_done="Nothing was changed.",
            remedy="Put it back from a copy. If making the authority was cut short: keytrust setup undo last.",
        )
    try:
        loaded = x509.load_pem_x509_certificate(certificate)
    except ValueError as error:
        raise SetupError(f"{folder / CERTIFICATE} is not a certificate.", not_done="Nothing was changed.") from error
    there = {name: each for name, each in content.items() if each is not None}
    return AuthorityFolder(
        folder, loaded, Register.parse(register, str(folder / REGISTER)), _crl(content[CRL], loaded), there
    )


def need_authority(folder: Path) -> AuthorityFolder:
    """The authority of a folder.

    Raises:
        SetupError: there is none, or it cannot be read.
    """
    found = find_authority(folder)
    if found is None:
        raise SetupError(
            f"There is no authority in {folder}.",
            not_done="Nothing was changed.",
            remedy=f"Make one: keytrust setup pki ca --dir {folder}",
        )
    return found


def check_passphrase(passphrase: bytes) -> None:
    """Refuse what protects nothing.

    Raises:
        SetupError: it is too short.
    """
    if len(passphrase.decode("utf-8", "replace")) < SHORTEST_PASSPHRASE:
        raise SetupError(
            f"The passphrase is shorter than {SHORTEST_PASSPHRASE} characters.",
            not_done="Nothing was changed.",
            remedy="Who has the key and guesses the passphrase can sign in as anyone: take five random words or more.",
        )


def read(path: Path) -> bytes | None:
    """A file's content; None when there is none.

    Raises:
        SetupError: it cannot be read, or is far too large.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SetupError(
            f"{path} cannot be read: {error.strerror}.",
            not_done="Nothing was changed.",
            remedy="Check its owner and mode.",
        ) from error
    if len(content) > _LARGEST:
        raise SetupError(f"{path} is too large.", not_done="Nothing was changed.", remedy="Name the right folder.")
    return content


def fresh(left: timedelta, whole: timedelta) -> bool:
    """Whether so much of a life is left that it need not be renewed."""
    return left > whole / RENEW_AT


def _crl(content: bytes | None, issuer: x509.Certificate) -> x509.CertificateRevocationList | None:
    try:
        found = x509.load_der_x509_crl(content or b"")
        return found if found.is_signature_valid(issuer.public_key()) else None  # type: ignore[arg-type]
    except (ValueError, TypeError):
        return None
