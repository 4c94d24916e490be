"""The one Kerberos exchange that the checks need: a request without pre-authentication and its refusal. Pure.

RFC 4120: messages in section 5, the ASN.1 module in appendix A. Nothing secret is in either message, and a request
without pre-authentication does not count as a wrong password.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

from pyasn1.codec.der import decoder, encoder
from pyasn1.error import PyAsn1Error
from pyasn1.type import char, constraint, namedtype, tag, univ, useful

from keytrust.deploy.checks.facts import KdcAnswer
from keytrust.errors import DirectoryError

PA_PK_AS_REQ = 16
"""Pre-authentication by public key, RFC 4556 section 3.1.3."""
PREAUTH_REQUIRED = 25
"""KDC_ERR_PREAUTH_REQUIRED, RFC 4120 section 7.5.9."""
MAX_BYTES = 65_536

_NT_PRINCIPAL, _NT_SRV_INST = 1, 2
_AS_REP = 0x6B  # [APPLICATION 11], constructed
_ETYPES = (18, 17, 20, 19, 23)  # AES with SHA-1, AES with SHA-2, RC4: whatever the account has a key of


def _explicit(number: int) -> tag.Tag:
    return tag.Tag(tag.tagClassContext, tag.tagFormatConstructed, number)


def _field(name: str, number: int, kind: univ.Any) -> namedtype.NamedType:
    return namedtype.NamedType(name, kind.subtype(explicitTag=_explicit(number)))


def _optional(name: str, number: int, kind: univ.Any) -> namedtype.OptionalNamedType:
    return namedtype.OptionalNamedType(name, kind.subtype(explicitTag=_explicit(number)))


class _String(char.GeneralString):  # type: ignore[misc]
    # Active Directory and Samba take UTF-8 in a KerberosString ([MS-KILE] 2.2.1 allows what RFC 4120 does not).
    encoding = "utf-8"


class _Names(univ.SequenceOf):  # type: ignore[misc]
    componentType = _String()  # noqa: N815 - pyasn1's name


class _PrincipalName(univ.Sequence):  # type: ignore[misc]
    componentType = namedtype.NamedTypes(  # noqa: N815
        _field("name-type", 0, univ.Integer()), _field("name-string", 1, _Names())
    )


class _Integers(univ.SequenceOf):  # type: ignore[misc]
    componentType = univ.Integer()  # noqa: N815


class _Body(univ.Sequence):  # type: ignore[misc]
    componentType = namedtype.NamedTypes(  # noqa: N815
        _field("kdc-options", 0, univ.BitString()),
        _optional("cname", 1, _PrincipalName()),
        _field("realm", 2, _String()),
        _optional("sname", 3, _PrincipalName()),
        _field("till", 5, useful.GeneralizedTime()),
        _field("nonce", 7, univ.Integer()),
        _field("etype", 8, _Integers()),
    )


class _AsRequest(univ.Sequence):  # type: ignore[misc]
    tagSet = univ.Sequence.tagSet.tagExplicitly(tag.Tag(tag.tagClassApplication, tag.tagFormatConstructed, 10))  # noqa: N815
    componentType = namedtype.NamedTypes(  # noqa: N815
        _field("pvno", 1, univ.Integer()), _field("msg-type", 2, univ.Integer()), _field("req-body", 4, _Body())
    )


class _KrbError(univ.Sequence):  # type: ignore[misc]
    tagSet = univ.Sequence.tagSet.tagExplicitly(tag.Tag(tag.tagClassApplication, tag.tagFormatConstructed, 30))  # noqa: N815
    componentType = namedtype.NamedTypes(  # noqa: N815
        _field("pvno", 0, univ.Integer()),
        _field("msg-type", 1, univ.Integer()),
        _optional("ctime", 2, useful.GeneralizedTime()),
        _optional("cusec", 3, univ.Integer()),
        _field("stime", 4, useful.GeneralizedTime()),
        _field("susec", 5, univ.Integer()),
        _field("error-code", 6, univ.Integer().subtype(subtypeSpec=constraint.ValueRangeConstraint(0, 2**31))),
        _optional("crealm", 7, _String()),
        _optional("cname", 8, _PrincipalName()),
        _optional("realm", 9, _String()),
        _optional("sname", 10, _PrincipalName()),
        _optional("e-text", 11, _String()),
        _optional("e-data", 12, univ.OctetString()),
    )


class _PaData(univ.Sequence):  # type: ignore[misc]
    componentType = namedtype.NamedTypes(  # noqa: N815
        _field("padata-type", 1, univ.Integer()), _field("padata-value", 2, univ.OctetString())
    )


class _MethodData(univ.SequenceOf):  # type: ignore[misc]
    componentType = _PaData()  # noqa: N815


def as_request(name: str, realm: str) -> bytes:
    """DER of an AS-REQ for a ticket-granting ticket, without pre-authentication."""
    request = _AsRequest()
    request["pvno"] = 5
    request["msg-type"] = 10
    body = request["req-body"]
    body["kdc-options"] = (0,) * 32
    _principal(body["cname"], _NT_PRINCIPAL, name.split("/"))
    body["realm"] = realm
    _principal(body["sname"], _NT_SRV_INST, ["krbtgt", realm])
    body["till"] = "20370913024805Z"
    body["nonce"] = secrets.randbelow(2**31)
    body["etype"].extend(_ETYPES)
    encoded: bytes = encoder.encode(request)
    return encoded


def read_answer(answer: bytes, now: datetime) -> KdcAnswer:
    """What a KDC's answer says.

    Args:
        answer: The bytes, without the length that goes before them over TCP.
        now: This machine's time when it came.

    Raises:
        DirectoryError: it is neither a KRB-ERROR nor a ticket.
    """
    if answer[:1] == bytes([_AS_REP]):
        return KdcAnswer(code=None, offered=frozenset(), offset=None)
    try:
        error, _ = decoder.decode(answer[:MAX_BYTES], asn1Spec=_KrbError())
        code = int(error["error-code"])
        then = error["stime"].asDateTime.astimezone(UTC)
        offset = (then - now).total_seconds() + int(error["susec"]) / 1_000_000
        data = bytes(error["e-data"]) if error["e-data"].hasValue() else b""
    except (PyAsn1Error, ValueError, OverflowError, RecursionError) as cause:
        raise DirectoryError("The answer is not a Kerberos message.", detail=str(cause)[:200]) from cause
    return KdcAnswer(code, _offered(data) if code == PREAUTH_REQUIRED else frozenset(), offset)


def _offered(data: bytes) -> frozenset[int]:
    try:
        methods, _ = decoder.decode(data, asn1Spec=_MethodData())
        return frozenset(int(method["padata-type"]) for method in methods)
    except (PyAsn1Error, ValueError, RecursionError) as cause:
        raise DirectoryError(
            "The KDC's list of pre-authentication types is not legible.", detail=str(cause)[:200]
        ) from cause


def _principal(field: univ.Sequence, kind: int, parts: list[str]) -> None:
    field["name-type"] = kind
    field["name-string"].extend(parts)
