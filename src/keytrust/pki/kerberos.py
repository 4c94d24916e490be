"""What Kerberos and Active Directory put into certificates, in DER."""

from __future__ import annotations

from uuid import UUID

from cryptography import x509

KRB5_PRINCIPAL_NAME = x509.ObjectIdentifier("1.3.6.1.5.2.2")
"""id-pkinit-san, RFC 4556 section 3.2.2."""
NTDS_REPLICATION = x509.ObjectIdentifier("1.3.6.1.4.1.311.25.1")
"""szOID_NTDS_REPLICATION: the objectGUID of a domain controller's computer account, as Windows' templates have it."""

_NT_SRV_INST = 2


def krbtgt_principal(realm: str) -> bytes:
    """DER of the ``KRB5PrincipalName`` krbtgt/REALM@REALM (RFC 4556 section 3.2.2)."""
    name = _tlv(0xA0, _tlv(0x02, bytes([_NT_SRV_INST]))) + _tlv(
        0xA1, _tlv(0x30, _general_string("krbtgt") + _general_string(realm))
    )
    return _tlv(0x30, _tlv(0xA0, _general_string(realm)) + _tlv(0xA1, _tlv(0x30, name)))


def controller_guid(guid: UUID) -> bytes:
    """DER of a domain controller's GUID: an octet string, its first three fields little-endian."""
    return _tlv(0x04, guid.bytes_le)


def _general_string(text: str) -> bytes:
    return _tlv(0x1B, text.encode("ascii"))


def _tlv(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content
