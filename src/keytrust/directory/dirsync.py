"""The DirSync control: what has changed in a domain since a cookie ([MS-ADTS] 3.1.1.3.4.1.3)."""

from __future__ import annotations

from ldap.controls import RequestControl, ResponseControl
from pyasn1.codec.ber import decoder, encoder
from pyasn1.error import PyAsn1Error
from pyasn1.type import namedtype, univ

from keytrust.errors import DirectoryError

OID = "1.2.840.113556.1.4.841"
OBJECT_SECURITY = 1
"""Show what the account may read, instead of demanding replication rights (LDAP_DIRSYNC_OBJECT_SECURITY)."""
_MAX_BYTES = 2**20


class DirSyncRefusedError(DirectoryError):
    """The domain controller does not take the control, or not with this cookie."""

    def __init__(self, server: str, said: str) -> None:
        super().__init__(
            f"{server} does not tell changes by DirSync: {said}.",
            not_done="Changes in the directory are looked for by uSNChanged instead.",
            detail=said,
        )


class _Value(univ.Sequence):  # type: ignore[misc]
    componentType = namedtype.NamedTypes(  # noqa: N815 - pyasn1's interface
        namedtype.NamedType("flags", univ.Integer()),
        namedtype.NamedType("maxBytes", univ.Integer()),
        namedtype.NamedType("cookie", univ.OctetString()),
    )


class DirSyncRequest(RequestControl):  # type: ignore[misc]
    """Asks for what has changed since ``cookie``; empty for everything."""

    def __init__(self, cookie: bytes) -> None:
        super().__init__(OID, True, None)
        self._cookie = cookie

    def encodeControlValue(self) -> bytes:  # noqa: N802 - python-ldap's interface
        value = _Value()
        value["flags"], value["maxBytes"], value["cookie"] = OBJECT_SECURITY, _MAX_BYTES, self._cookie
        encoded: bytes = encoder.encode(value)
        return encoded


class DirSyncResponse(ResponseControl):  # type: ignore[misc]
    """The cookie to ask with the next time, and whether there is more to be had at once."""

    controlType = OID  # noqa: N815 - python-ldap's interface
    more: bool
    cookie: bytes

    def decodeControlValue(self, encodedControlValue: bytes) -> None:  # noqa: N802, N803 - python-ldap's interface
        try:
            value, _ = decoder.decode(encodedControlValue, asn1Spec=_Value())
        except PyAsn1Error as error:
            raise ValueError("the answer to the DirSync control is malformed") from error
        self.more = bool(int(value["flags"]))
        self.cookie = bytes(value["cookie"])
