"""Reading the user's private key from a file."""

from __future__ import annotations

from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_pem_private_key

from keytrust.errors import SigninError

_MOST_BYTES = 64 * 1024
_NOT_DONE = "No sign-in was attempted."


def load_private_key(path: Path, passphrase: str | bytes | None = None) -> RSAPrivateKey:
    """Read an RSA private key, PEM or DER, in PKCS#8, PKCS#1 or OpenSSL's own encrypted form.

    Args:
        path: The file, at most 64 KiB.
        passphrase: What the file is encrypted with; must be left out when it is not.

    Raises:
        SigninError: the file cannot be read, holds no private key or one that is not RSA, or the passphrase is missing,
            wrong, or not asked for.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise SigninError(
            f"The key file {path} cannot be read: {error.strerror}.",
            not_done=_NOT_DONE,
            remedy="Name a file with the user's private key that this account may read.",
        ) from error
    if len(content) > _MOST_BYTES:
        raise _no_key(path, "it is larger than 64 KiB")
    secret = passphrase.encode() if isinstance(passphrase, str) else passphrase
    load = load_pem_private_key if b"-----BEGIN " in content else load_der_private_key
    try:
        key = load(content, secret or None)
    except TypeError as error:  # cryptography's way to say that encryption and passphrase do not fit together
        raise SigninError(
            f"The key file {path} is {'not encrypted' if secret else 'encrypted'}.",
            not_done=_NOT_DONE,
            remedy="Leave the passphrase out." if secret else "Give its passphrase.",
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        if secret:
            raise SigninError(
                f"The key file {path} cannot be decrypted: the passphrase is wrong or the file is damaged.",
                not_done=_NOT_DONE,
                remedy="Try the passphrase with `openssl pkey -in FILE -noout`.",
                detail=str(error),
            ) from error
        raise _no_key(path, _what_it_is(content), str(error)) from error
    if not isinstance(key, RSAPrivateKey):
        raise SigninError(
            f"The key in {path} is not an RSA key; Windows Hello for Business keys are.",
            not_done=_NOT_DONE,
            remedy="Name the file with the key that was registered.",
        )
    return key


def _what_it_is(content: bytes) -> str:
    if b"PUBLIC KEY-----" in content:
        return "it is a public key"
    if b"CERTIFICATE-----" in content:
        return "it is a certificate"
    return "it is neither PEM nor DER of one"


def _no_key(path: Path, why: str, detail: str = "") -> SigninError:
    return SigninError(
        f"The file {path} holds no private key that can be read: {why}.",
        not_done=_NOT_DONE,
        remedy="Name a file with the user's RSA private key in PEM or DER.",
        detail=detail,
    )
