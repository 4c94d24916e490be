"""A value that an account holds, seen with a planner's eyes. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from keytrust.credential import (
    KeyCredential,
    KeyCredentialError,
    KeyCredentialLink,
    KeySource,
    KeyUsage,
    canonical_key_id,
)


@dataclass(frozen=True, slots=True)
class StoredKey:
    """One stored value.

    Attributes:
        raw: The exact bytes as stored.
        credential: What it holds, or None when it cannot be read.
        key_id: SHA-256 of its key material (computed, never the stored claim), None when there is none.
    """

    raw: bytes
    credential: KeyCredential | None
    key_id: bytes | None

    @classmethod
    def read(cls, raw: bytes) -> StoredKey:
        """Read a value; one that cannot be read is kept as it is."""
        try:
            credential = KeyCredentialLink.parse(raw).credential
        except KeyCredentialError:
            return cls(raw, None, None)
        return cls(raw, credential, credential.computed_key_id)

    @property
    def cloud_origin(self) -> bool:
        """Whether it says that it came from the cloud: usage NGC, source Azure AD."""
        credential = self.credential
        return credential is not None and credential.usage == KeyUsage.NGC and credential.source == KeySource.AZURE_AD

    @property
    def serves(self) -> bool:
        """Whether a domain controller would look at it for a sign-in: an NGC key under its true KeyID.

        A value that carries the right material under a false KeyID must not keep the right value from being written.
        """
        credential = self.credential
        return credential is not None and credential.usage == KeyUsage.NGC and credential.key_id == self.key_id

    @property
    def public_key_id(self) -> bytes | None:
        """An identity of the public key whatever its encoding: SHA-256 of its RSA1 form, else of the material."""
        if self.credential is None or self.credential.key_material is None:
            return None
        return canonical_key_id(self.credential.key_material) or self.key_id


def binary_part(value: bytes) -> bytes:
    """The hexadecimal part of a DN-with-binary value, upper case; the whole value when it is none.

    The DN part changes when the account is renamed or moved; the binary part is what we wrote.
    """
    parts = value.split(b":", 3)
    if len(parts) == 4 and parts[0].upper() == b"B":
        return parts[2].upper()
    return value
