"""Key material of all five kinds, read into one typed result."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

from keytrust.credential.der import is_pkcs1, parse_pkcs1, parse_spki
from keytrust.credential.errors import KeyCredentialError
from keytrust.credential.fido import FidoMaterial, parse_fido
from keytrust.credential.public_keys import PublicKey, RsaPublicKey, parse_rsa1, to_rsa1
from keytrust.credential.tpm import parse_tpm

MAX_MATERIAL_BYTES = 0xFFFF
"""What an entry of a key credential can hold."""


class MaterialKind(StrEnum):
    """How key material is encoded."""

    RSA1 = "rsa1"
    """BCRYPT_RSAPUBLIC_BLOB: users' keys."""
    TPM = "tpm"
    """PCP_KEY_BLOB_WIN8: device transport keys held by a TPM."""
    SPKI = "spki"
    """DER SubjectPublicKeyInfo."""
    PKCS1 = "pkcs1"
    """DER RSAPublicKey: computers' keys."""
    FIDO = "fido"
    """JSON: FIDO2 security keys."""


@dataclass(frozen=True, slots=True)
class KeyMaterial:
    """Key material that was read.

    Attributes:
        kind: Its encoding.
        public_key: The public key in it.
        fido: What FIDO material says beside the key; None for the other kinds.
    """

    kind: MaterialKind
    public_key: PublicKey
    fido: FidoMaterial | None = None


def material_kind(material: bytes) -> MaterialKind | None:
    """Tell the kind of key material from how it begins; None if it begins as none of the five do."""
    if material.startswith(b"RSA1"):
        return MaterialKind.RSA1
    if material.startswith(b"PCPM"):
        return MaterialKind.TPM
    if material.startswith(b"{"):
        return MaterialKind.FIDO
    if material.startswith(b"\x30"):
        try:
            return MaterialKind.PKCS1 if is_pkcs1(material) else MaterialKind.SPKI
        except KeyCredentialError:
            return None
    return None


def parse_material(material: bytes) -> KeyMaterial:
    """Read key material of any kind.

    Raises:
        KeyCredentialError: it is of no known kind, or broken.
    """
    if len(material) > MAX_MATERIAL_BYTES:
        raise KeyCredentialError(f"key material of {len(material)} bytes does not fit in a key credential")
    match material_kind(material):
        case MaterialKind.RSA1:
            return KeyMaterial(MaterialKind.RSA1, parse_rsa1(material))
        case MaterialKind.TPM:
            return KeyMaterial(MaterialKind.TPM, parse_tpm(material))
        case MaterialKind.SPKI:
            return KeyMaterial(MaterialKind.SPKI, parse_spki(material))
        case MaterialKind.PKCS1:
            return KeyMaterial(MaterialKind.PKCS1, parse_pkcs1(material))
        case MaterialKind.FIDO:
            details, public_key = parse_fido(material)
            return KeyMaterial(MaterialKind.FIDO, public_key, details)
        case None:
            raise KeyCredentialError("the key material is of none of the known kinds (RSA1, TPM, DER, FIDO)")


def canonical_key_id(material: bytes) -> bytes | None:
    """SHA-256 of the ``RSA1`` form of an RSA key in any encoding, so that the same key is recognised in all of them.

    For ``RSA1`` material as everybody writes it this is the KeyID. None if the material is unreadable or not RSA.
    """
    try:
        key = parse_material(material).public_key
    except KeyCredentialError:
        return None
    return sha256(to_rsa1(key.n, key.e)).digest() if isinstance(key, RsaPublicKey) else None
