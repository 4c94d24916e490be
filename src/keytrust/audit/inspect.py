"""What one value shows by itself. Pure, and the part of an audit that can run on several processors."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from uuid import UUID

from keytrust.audit.dn import same_object
from keytrust.audit.model import Code, InspectedValue, Issue
from keytrust.audit.usual import EARLIEST, LATEST, TICKS_1970, inspect_usual
from keytrust.credential import (
    DnWithBinary,
    KeyCredential,
    KeyCredentialError,
    KeyCredentialLink,
    KeyMaterial,
    KeyTime,
    KeyUsage,
    MaterialKind,
    ProblemCode,
    RsaPublicKey,
    Weakness,
    is_canonical_rsa1,
    parse_material,
    to_rsa1,
    weaknesses,
)

_CODES = {
    ProblemCode.KEY_ID_MISMATCH: Code.KEY_ID_MISMATCH,
    ProblemCode.KEY_HASH_MISMATCH: Code.KEY_HASH_MISMATCH,
    ProblemCode.UNREADABLE_MATERIAL: Code.UNREADABLE_MATERIAL,
    ProblemCode.ODD_TIME: Code.ODD_TIME,
}
_ANY_KIND = frozenset(MaterialKind)
_SAID_OTHERWISE = {ProblemCode.UNKNOWN_USAGE}
_FITTING = {
    KeyUsage.FIDO: {MaterialKind.FIDO},
    KeyUsage.NGC: set(MaterialKind) - {MaterialKind.FIDO},
}
_DECISIVE = {1, 3, 4, 5, 6}
"""Entries that decide what a value is taken for: KeyID, material, usage, source, device."""
_NO_DEVICE = bytes(16)
_MAX_SHOWN = 200


def inspect(raw: bytes, dn: str, *, keep_raw: bool = False) -> InspectedValue:
    """Inspect one value.

    Args:
        raw: The attribute value's bytes.
        dn: The object that holds it.
        keep_raw: Whether the result shall carry the bytes.
    """
    kept = raw if keep_raw else b""
    return inspect_usual(raw, dn, kept) or inspect_closely(raw, dn, kept)


def inspect_closely(raw: bytes, dn: str, kept: bytes = b"") -> InspectedValue:
    """Inspect one value whatever it is.

    Args:
        raw: The attribute value's bytes.
        dn: The object that holds it.
        kept: What the result shall carry as its bytes.
    """
    try:
        link = KeyCredentialLink.parse(raw)
    except KeyCredentialError as error:
        return _unreadable(raw, kept, str(error))
    credential = link.credential
    entries = credential.identifiers
    if not entries:
        return _unreadable(raw, kept, "it has no entries")
    key = _material(credential)
    usage, device = credential.usage, credential.value(6)
    issues = [*_structure(credential), *_weak(key), *_owner(link.dn, dn), *_fit(usage, key)]
    key_id = credential.computed_key_id or b""
    return InspectedValue(
        raw=kept,
        identity=sha256(link.binary).digest(),
        key_id=key_id,
        claimed_id=credential.key_id or b"",
        public_id=_public_id(credential, key, key_id),
        usage=_plain(usage),
        source=_plain(credential.source),
        device="" if device is None or len(device) != 16 or device == _NO_DEVICE else str(UUID(bytes_le=device)),
        created=_seconds(credential.created),
        last_used=_seconds(credential.last_logon),
        information=credential.value(7),
        material=key.kind.value if key else "",
        bits=key.public_key.bits if key and isinstance(key.public_key, RsaPublicKey) else 0,
        entries=entries,
        issues=tuple(issues),
    )


def _unreadable(raw: bytes, kept: bytes, why: str) -> InspectedValue:
    try:
        binary = DnWithBinary.parse(raw).binary
    except KeyCredentialError:
        binary = raw
    sample = raw[:60].decode("utf-8", "replace")
    issue = Issue(Code.UNREADABLE_VALUE, f"the value ({len(raw)} bytes, {sample!r}) cannot be read: {why}")
    return InspectedValue(
        kept, sha256(binary).digest(), b"", b"", b"", None, None, "", None, None, None, "", 0, (), (issue,)
    )


def _plain(number: int | None) -> int | None:
    return None if number is None else int(number)


def _material(credential: KeyCredential) -> KeyMaterial | None:
    """The key material; None when there is none that can be read."""
    material = credential.key_material
    try:
        return None if material is None else parse_material(material)
    except KeyCredentialError:
        return None


def _structure(credential: KeyCredential) -> Iterator[Issue]:
    """What the value's own verification says, in the audit's terms."""
    odd: list[str] = []
    for problem in credential.problems():
        code = _CODES.get(problem.code)
        if code is Code.KEY_HASH_MISMATCH and credential.key_hash == sha256(credential.key_id or b"").digest():
            yield Issue(Code.TOOL_MARK, "KeyHash is the hash of the KeyID alone: the mark of a published planting tool")
        elif code is not None:
            yield Issue(code, problem.message)
        elif problem.code is ProblemCode.DUPLICATE_ENTRY and problem.entry in _DECISIVE:
            yield Issue(Code.DISGUISED, f"{problem.message}: readers differ in which of them counts")
        elif problem.code not in _SAID_OTHERWISE:
            odd.append(problem.message)
    if odd:
        yield Issue(Code.ODD_STRUCTURE, "; ".join(odd[:5]) + ("; …" if len(odd) > 5 else ""))


def _weak(key: KeyMaterial | None) -> Iterator[Issue]:
    if key is None or not isinstance(key.public_key, RsaPublicKey):
        return
    found = weaknesses(key.public_key.n, key.public_key.e)
    if Weakness.ROCA in found:
        yield Issue(Code.ROCA, f"RSA-{key.public_key.bits} with the fingerprint of the flawed library (CVE-2017-15361)")
    rest = [weakness.value for weakness in found if weakness is not Weakness.ROCA]
    if rest:
        yield Issue(Code.WEAK_RSA, f"RSA-{key.public_key.bits}, exponent {_short(key.public_key.e)}: {', '.join(rest)}")


def _short(number: int) -> str:
    text = str(number) if number.bit_length() <= 256 else f"of {number.bit_length()} bits"
    return text[:_MAX_SHOWN]


def _owner(named: str, dn: str) -> Iterator[Issue]:
    if not same_object(named, dn):
        yield Issue(Code.OWNER_MISMATCH, f"the value names {named[:_MAX_SHOWN]!r}")


def _fit(usage: int | None, key: KeyMaterial | None) -> Iterator[Issue]:
    """Whether usage and key material belong together."""
    if key is not None and isinstance(usage, KeyUsage) and key.kind not in _FITTING.get(usage, _ANY_KIND):
        code = Code.DISGUISED if usage is KeyUsage.FIDO else Code.ODD_STRUCTURE
        yield Issue(code, f"usage {usage.name} with key material of the kind {key.kind}")


def _public_id(credential: KeyCredential, key: KeyMaterial | None, key_id: bytes) -> bytes:
    if key is None or not isinstance(key.public_key, RsaPublicKey):
        return key_id
    if key.kind is MaterialKind.RSA1 and is_canonical_rsa1(credential.key_material or b"", key.public_key):
        return key_id
    return sha256(to_rsa1(key.public_key.n, key.public_key.e)).digest()


def _seconds(time: KeyTime | None) -> int | None:
    if time is None or time.raw == 0:
        return None
    seconds = (time.ticks - TICKS_1970) // 10_000_000
    return seconds if EARLIEST - 10**9 <= seconds < LATEST + 10**10 else None
