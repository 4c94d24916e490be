"""FIDO2 key material: JSON with WebAuthn authenticator data and attestation certificates.

``{"version": 1, "authData": base64, "x5c": [base64, ...], "displayName": text}``, as the cloud writes it to KeyMaterial
of usage FIDO. Authenticator data: WebAuthn Level 2, section 6.1.
"""

from __future__ import annotations

import binascii
import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from keytrust.credential.cose import parse_cose_key
from keytrust.credential.errors import KeyCredentialError
from keytrust.credential.public_keys import PublicKey

_ATTESTED = 0x40  # the flag that says: attested credential data follows
_FIXED_BYTES = 32 + 1 + 4  # hash of the relying party, flags, signature counter
_MAX_CERTIFICATES = 32


@dataclass(frozen=True, slots=True)
class FidoMaterial:
    """What FIDO key material says beside the public key.

    Attributes:
        version: Version of the JSON structure.
        relying_party_hash: SHA-256 of the relying party's identifier.
        flags: Flags of the authenticator data.
        sign_count: Signature counter at registration.
        aaguid: Model of the authenticator.
        credential_id: The credential's id, which is also the KeyID of the key credential.
        display_name: What the user called the authenticator.
        certificates: The attestation certificates (DER), not verified.
    """

    version: int
    relying_party_hash: bytes
    flags: int
    sign_count: int
    aaguid: UUID
    credential_id: bytes
    display_name: str
    certificates: tuple[bytes, ...]


def parse_fido(material: bytes) -> tuple[FidoMaterial, PublicKey]:
    """Read FIDO key material.

    Raises:
        KeyCredentialError: it is not the JSON described above, or its authenticator data holds no readable key.
    """
    members = _members(material)
    version = members.get("version")
    name = members.get("displayName") or ""
    chain = members.get("x5c") or []
    if type(version) is not int or not isinstance(name, str) or _has_lone_surrogates(name):
        raise KeyCredentialError("the FIDO key material has no version, or a name that is not text")
    if not isinstance(chain, list) or len(chain) > _MAX_CERTIFICATES:
        raise KeyCredentialError("the FIDO key material has a certificate chain that is not a short list")
    certificates = tuple(_decoded(certificate) for certificate in chain)
    data = _decoded(members.get("authData"))
    if len(data) < _FIXED_BYTES + 16 + 2 or not data[32] & _ATTESTED:
        raise KeyCredentialError("the FIDO key material has authenticator data without a credential")
    start = _FIXED_BYTES + 16 + 2
    end = start + int.from_bytes(data[start - 2 : start], "big")
    if end > len(data):
        raise KeyCredentialError("the FIDO key material has authenticator data that is cut short")
    details = FidoMaterial(
        version=version,
        relying_party_hash=data[:32],
        flags=data[32],
        sign_count=int.from_bytes(data[33:37], "big"),
        aaguid=UUID(bytes=data[37:53]),
        credential_id=data[start:end],
        display_name=name,
        certificates=certificates,
    )
    return details, parse_cose_key(data[end:])


def _members(material: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(material.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # deep nesting is an attack on the parser, not a key
        raise KeyCredentialError("the FIDO key material is not readable JSON", detail=str(error)) from error
    if not isinstance(parsed, dict):
        raise KeyCredentialError("the FIDO key material is not a JSON object")
    return parsed


def _has_lone_surrogates(text: str) -> bool:
    """Whether JSON escapes smuggled in half a character, which nobody could print or store."""
    return any("\ud800" <= character <= "\udfff" for character in text)


def _decoded(text: object) -> bytes:
    if not isinstance(text, str):
        raise KeyCredentialError("the FIDO key material lacks base64 where it is needed")
    try:
        return binascii.a2b_base64(text, strict_mode=True) if text else b""
    except ValueError as error:
        raise KeyCredentialError("the FIDO key material has broken base64", detail=str(error)) from error
