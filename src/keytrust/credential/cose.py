"""COSE public keys (RFC 9052 section 7, RFC 9053) in the flat CBOR that authenticators write (CTAP2 canonical CBOR)."""

from __future__ import annotations

from keytrust.credential.errors import KeyCredentialError
from keytrust.credential.public_keys import EcPublicKey, OtherPublicKey, PublicKey, RsaPublicKey

_KEY_TYPE = 1
_EC2, _RSA = 2, 3
_CURVE, _X, _Y = -1, -2, -3
_N, _E = -1, -2
_CURVES = {1: "P-256", 2: "P-384", 3: "P-521"}
_MAX_MEMBERS = 32
_UNSIGNED, _NEGATIVE, _BYTES, _TEXT, _MAP = 0, 1, 2, 3, 5

Value = int | bytes


def _head(data: bytes, position: int) -> tuple[int, int, int]:
    """Read the initial bytes of a data item: its major type, its number, and where it goes on."""
    if position >= len(data):
        raise KeyCredentialError("the COSE key is cut short")
    major, number = data[position] >> 5, data[position] & 0x1F
    position += 1
    if number < 24:
        return major, number, position
    if number > 27:
        raise KeyCredentialError("the COSE key uses CBOR that authenticators must not write")
    width = 1 << (number - 24)
    if position + width > len(data):
        raise KeyCredentialError("the COSE key is cut short")
    return major, int.from_bytes(data[position : position + width], "big"), position + width


def _item(data: bytes, position: int) -> tuple[Value, int]:
    major, number, position = _head(data, position)
    if major == _UNSIGNED:
        return number, position
    if major == _NEGATIVE:
        return -1 - number, position
    if major in (_BYTES, _TEXT):
        end = position + number
        if end > len(data):
            raise KeyCredentialError("the COSE key is cut short")
        return data[position:end], end
    raise KeyCredentialError("the COSE key holds something other than numbers and strings")


def parse_cose_key(data: bytes) -> PublicKey:
    """Read the COSE_Key at the beginning of ``data``; extensions may follow it.

    Raises:
        KeyCredentialError: it is cut short, is not a flat map, or lacks what its key type needs.
    """
    major, count, position = _head(data, 0)
    if major != _MAP or count > _MAX_MEMBERS:
        raise KeyCredentialError("the COSE key is not a small map")
    members: dict[Value, Value] = {}
    for _ in range(count):
        label, position = _item(data, position)
        members[label], position = _item(data, position)
    kind = members.get(_KEY_TYPE)
    if kind == _RSA:
        return RsaPublicKey(_unsigned(members, _N), _unsigned(members, _E))
    if kind == _EC2:
        curve = members.get(_CURVE)
        if not isinstance(curve, int) or curve not in _CURVES:
            raise KeyCredentialError("the COSE key names no known elliptic curve")
        return EcPublicKey(_CURVES[curve], _unsigned(members, _X), _unsigned(members, _Y))
    if isinstance(kind, int):
        return OtherPublicKey(f"COSE key type {kind}")
    raise KeyCredentialError("the COSE key has no key type")


def _unsigned(members: dict[Value, Value], label: int) -> int:
    value = members.get(label)
    if not isinstance(value, bytes):
        raise KeyCredentialError(f"the COSE key lacks its parameter {label}")
    return int.from_bytes(value, "big")
