"""Which values a domain controller looks at when a user signs in, by its vendor. Pure.

What Samba's KDC takes was tried against version 4.24; that Windows rejects SubjectPublicKeyInfo is reported.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from keytrust.credential.key_credential import KeyCredential
from keytrust.credential.material import material_kind

_KNOWN_ENTRIES = range(1, 10)
_SAMBA_READS = (None, 2)
_SAMBA_READS_FROM = 16


def objections(credential: KeyCredential, *, samba: bool) -> list[str]:
    """Why domain controllers of this vendor ignore the value; empty when they do not."""
    if not samba:
        return list(windows_objections(_kind(credential)))
    information = credential.custom_key_information
    return list(
        samba_objections(
            information=None if information is None else len(information.raw),
            entries=(identifier for identifier, _ in credential.entries),
            key_id=len(credential.key_id or b""),
            material=_kind(credential),
        )
    )


def samba_objections(
    *, information: int | None, entries: Iterable[int], key_id: int, material: str | None
) -> Iterator[str]:
    """Why Samba ignores a value.

    Args:
        information: Length of CustomKeyInformation, bytes; None when there is none.
        entries: The identifiers of all entries.
        key_id: Length of the stored KeyID, bytes.
        material: Kind of the key material (a ``MaterialKind``), when known.
    """
    if information not in _SAMBA_READS and information is not None and information < _SAMBA_READS_FROM:
        yield f"Samba cannot decode CustomKeyInformation of {information} bytes"
    unknown = sorted({entry for entry in entries if entry not in _KNOWN_ENTRIES})
    if unknown:
        yield f"Samba rejects the unknown entry {unknown[0]}"
    if key_id != 32:
        yield f"Samba rejects a KeyID of {key_id} bytes"
    if material == "pkcs1":
        yield "Samba does not read PKCS#1 key material"


def windows_objections(material: str | None) -> Iterator[str]:
    """Why Windows ignores a value with key material of this kind (a ``MaterialKind``)."""
    if material == "spki":
        yield "Windows domain controllers do not read SubjectPublicKeyInfo key material"


def _kind(credential: KeyCredential) -> str | None:
    return material_kind(credential.key_material or b"")
