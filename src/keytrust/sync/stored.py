"""A value that an account holds, seen with a planner's eyes. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from keytrust.credential import (
    KeyCredential,
    KeyCredentialError,
    KeyCredentialLink,
    KeySource,
    KeyTime,
    KeyUsage,
    canonical_key_id,
)

_USUAL_LENGTH = 283
_USUAL_HEADER = bytes.fromhex("525341310008000003000000000100000000000000000000010001")
"""RSA1 with 2048 bits and exponent 65537: what nearly every user's key is, and its own RSA1 form."""


@dataclass(frozen=True, slots=True)
class StoredKey:
    """One stored value.

    Attributes:
        raw: The exact bytes as stored.
        credential: What it holds, or None when it cannot be read.
        key_id: SHA-256 of its key material (computed, never the stored claim), None when there is none.
        cloud_origin: Whether it says that it came from the cloud: usage NGC, source Azure AD.
        serves: Whether a domain controller would look at it for a sign-in: an NGC key under its true KeyID. A value
            that carries the right material under a false KeyID must not keep the right value from being written.
    """

    raw: bytes
    credential: KeyCredential | None
    key_id: bytes | None
    cloud_origin: bool
    serves: bool

    @classmethod
    def read(cls, raw: bytes) -> StoredKey:
        """Read a value; one that cannot be read is kept as it is."""
        try:
            credential = KeyCredentialLink.parse(raw).credential
        except KeyCredentialError:
            return cls(raw, None, None, False, False)
        key_id = credential.computed_key_id
        ngc = credential.usage == KeyUsage.NGC
        return cls(
            raw,
            credential,
            key_id,
            cloud_origin=ngc and credential.source == KeySource.AZURE_AD,
            serves=ngc and credential.key_id == key_id,
        )

    @property
    def public_key_id(self) -> bytes | None:
        """An identity of the public key whatever its encoding: SHA-256 of its RSA1 form, else of the material."""
        material = self.credential.key_material if self.credential is not None else None
        if material is None or (len(material) == _USUAL_LENGTH and material.startswith(_USUAL_HEADER)):
            return self.key_id
        return canonical_key_id(material) or self.key_id


def binary_part(value: bytes) -> bytes:
    """The hexadecimal part of a DN-with-binary value, upper case; the whole value when it is none.

    The DN part changes when the account is renamed or moved; the binary part is what we wrote.
    """
    parts = value.split(b":", 3)
    if len(parts) == 4 and parts[0].upper() == b"B":
        return parts[2].upper()
    return value


def creation_time(value: bytes | None) -> KeyTime | None:
    """When the key in a value was created, bit for bit, as far as the value can be read and says."""
    credential = StoredKey.read(value).credential if value is not None else None
    return credential.created if credential is not None else None
