"""TPM 2.0 key material: the ``PCPM`` blob of the Windows Platform Crypto Provider, which wraps a TPM2B_PUBLIC.

Sources: PCP_KEY_BLOB_WIN8 in Microsoft's TSS.MSR PCPTool; TPM 2.0 Library, part 2, sections 11 and 12.2 (TPMT_PUBLIC).
"""

from __future__ import annotations

from struct import Struct

from keytrust.credential.errors import KeyCredentialError
from keytrust.credential.public_keys import EcPublicKey, PublicKey, RsaPublicKey

_HEADER = Struct("<4s4I")  # magic, header length, TPM generation, flags, length of the public area
_TPM_20 = 2
_ALG_RSA, _ALG_ECC, _ALG_NULL = 0x0001, 0x0023, 0x0010
_SCHEMES_WITHOUT_DETAILS = (_ALG_NULL, 0x0015)  # RSAES is named alone; all other schemes name a hash too
_ECDAA = 0x001A  # names a hash and a counter
_DEFAULT_EXPONENT = 65537  # what an exponent of zero stands for
_CURVES = {0x0003: "P-256", 0x0004: "P-384", 0x0005: "P-521"}


class _Reader:
    """Reads the big-endian fields of a TPM structure, each only if it is there."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def take(self, size: int) -> bytes:
        end = self._position + size
        if end > len(self._data):
            raise KeyCredentialError("the TPM key material is cut short")
        taken = self._data[self._position : end]
        self._position = end
        return taken

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def sized(self) -> bytes:
        """A TPM2B: two bytes of length and as many bytes."""
        return self.take(self.number(2))

    def finish(self) -> None:
        if self._position != len(self._data):
            raise KeyCredentialError("the TPM key material has stray bytes in its public area")


def parse_tpm(material: bytes) -> PublicKey:
    """Read the public key out of a PCP_KEY_BLOB_WIN8.

    Raises:
        KeyCredentialError: it is cut short or contradicts itself, is not of TPM 2.0, or its key is of no usual kind.
    """
    if len(material) < _HEADER.size:
        raise KeyCredentialError("the TPM key material is shorter than its header")
    magic, header_bytes, generation, _, public_bytes = _HEADER.unpack_from(material)
    if magic != b"PCPM":
        raise KeyCredentialError("the TPM key material does not begin with PCPM")
    if generation != _TPM_20:
        raise KeyCredentialError(f"the TPM key material is of TPM generation {generation}; only TPM 2.0 is read")
    if header_bytes < _HEADER.size or header_bytes + public_bytes > len(material):
        raise KeyCredentialError("the TPM key material announces more bytes than are there")
    outer = _Reader(material[header_bytes : header_bytes + public_bytes])
    public = _Reader(outer.sized())
    outer.finish()
    key = _public_area(public)
    public.finish()
    return key


def _public_area(public: _Reader) -> PublicKey:
    algorithm = public.number(2)
    public.take(2 + 4)  # name algorithm, object attributes
    public.sized()  # authorization policy
    if algorithm not in (_ALG_RSA, _ALG_ECC):
        raise KeyCredentialError(f"the TPM key material holds a key of the unknown kind 0x{algorithm:04x}")
    if public.number(2) != _ALG_NULL:
        public.take(2 + 2)  # key length and mode of the symmetric algorithm
    _skip_scheme(public)
    if algorithm == _ALG_RSA:
        bits, exponent = public.number(2), public.number(4)
        modulus = public.sized()
        key = RsaPublicKey(int.from_bytes(modulus, "big"), exponent or _DEFAULT_EXPONENT)
        if not key.bits <= bits <= 8 * len(modulus):
            raise KeyCredentialError(f"the TPM key material announces {bits} bits, its modulus has {key.bits}")
        return key
    curve = public.number(2)
    _skip_scheme(public)  # key derivation
    x, y = public.sized(), public.sized()
    if curve not in _CURVES:
        raise KeyCredentialError(f"the TPM key material names the unknown elliptic curve 0x{curve:04x}")
    return EcPublicKey(_CURVES[curve], int.from_bytes(x, "big"), int.from_bytes(y, "big"))


def _skip_scheme(public: _Reader) -> None:
    scheme = public.number(2)
    if scheme not in _SCHEMES_WITHOUT_DETAILS:
        public.take(2 + 2 if scheme == _ECDAA else 2)
