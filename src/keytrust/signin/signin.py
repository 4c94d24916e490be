"""Proof that a key signs in: ask the domain controller for a ticket with the private key alone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from keytrust.errors import SigninError
from keytrust.signin.ccache import first_ticket
from keytrust.signin.certificate import make_chain
from keytrust.signin.kinit import KinitRun, run_kinit
from keytrust.signin.refusal import Refusal, diagnose

_NAME = re.compile(r"[^\x00-\x1f\x7f\\@]{1,256}(@[^\x00-\x1f\x7f\\@/\s]{1,255})?")
_MOST_BYTES = 1_000_000
_MOST_LINES = 6
_TELLING = re.compile(r"Received error from KDC: |PKINIT .*(error|could not|no acceptable|mismatch|not match)")
_NOT_DONE = "No sign-in was attempted."


@dataclass(frozen=True)
class SigninResult:
    """What came of one sign-in.

    Attributes:
        ok: Whether the domain controller issued a ticket.
        milliseconds: How long kinit took, from its start to its end.
        principal: The account's principal as the ticket names it; None when there is no ticket.
        valid_until: When the ticket ends (aware, UTC); None when there is no ticket.
        refusal: Why not; None when ok.
        detail: kinit's own words; empty when ok.
    """

    ok: bool
    milliseconds: float
    principal: str | None = None
    valid_until: datetime | None = None
    refusal: Refusal | None = None
    detail: str = ""


def sign_in(
    upn_or_principal: str, key: RSAPrivateKey, *, kdc_ca: Path, krb5_config: Path, timeout: float = 15
) -> SigninResult:
    """Sign in by PKINIT ([MS-PKCA], RFC 4556) with the private key and nothing else; the ticket is thrown away.

    Args:
        upn_or_principal: ``user@REALM`` with the realm in upper case is a Kerberos principal; ``user@suffix`` with any
            lower-case letter in it is a user principal name, which the domain looks up; ``user`` alone is of the
            default realm.
        key: The user's private key.
        kdc_ca: PEM file with the authorities that may sign the domain controller's certificate.
        krb5_config: Kerberos configuration (krb5.conf); used for this call alone.
        timeout: Seconds to wait for an answer.

    Returns:
        The result; a refusal is a result, not an exception.

    Raises:
        SigninError: it could not be attempted: an impossible name, a missing file, no kinit, no PKINIT plug-in.
    """
    if not _NAME.fullmatch(upn_or_principal):
        raise SigninError(
            f"{upn_or_principal!r} is neither a user principal name nor a Kerberos principal.",
            not_done=_NOT_DONE,
            remedy="Use user@suffix, or user@REALM with the realm in upper case.",
        )
    suffix = upn_or_principal.partition("@")[2]
    run = run_kinit(
        upn_or_principal,
        enterprise=suffix != suffix.upper(),
        key=key,
        chain=make_chain(upn_or_principal, key.public_key()),
        kdc_ca=_read_ca(kdc_ca),
        krb5_config=_checked(krb5_config),
        timeout=timeout,
    )
    return _judge(run)


def _judge(run: KinitRun) -> SigninResult:
    ticket = first_ticket(run.cache) if run.status == 0 and run.cache is not None else None
    if ticket is not None:
        return SigninResult(True, run.milliseconds, ticket.client, ticket.valid_until)
    if run.status is None:
        refusal = Refusal.KDC_UNREACHABLE
    else:
        refusal = diagnose(run.said, run.trace)
        _require_attempt(run, refusal)
    return SigninResult(False, run.milliseconds, refusal=refusal, detail=_detail(run))


def _detail(run: KinitRun) -> str:
    telling = [line.partition(": ")[2] for line in run.trace.splitlines() if _TELLING.search(line)]
    return "\n".join([run.said, *telling[-_MOST_LINES:]])


def _require_attempt(run: KinitRun, refusal: Refusal) -> None:
    if refusal is Refusal.OTHER and "Sending " not in run.trace:
        raise SigninError(
            "kinit gave up before it asked a domain controller.",
            not_done=_NOT_DONE,
            remedy="Correct the Kerberos configuration; the detail (-v) says what is wrong with it.",
            detail=run.said,
        )
    # The controller offers PKINIT (preauthentication type 16), and yet our side never began it.
    if "PA-PK-AS-REQ (16)" in run.trace and "PKINIT" not in run.trace.replace("PA-PK-AS-REQ", ""):
        raise SigninError(
            "This machine's Kerberos cannot do PKINIT: its plug-in is not installed.",
            not_done=_NOT_DONE,
            remedy="Install the package krb5-pkinit.",
            detail=run.said,
        )


def _read_ca(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES)
        x509.load_pem_x509_certificates(content)
    except OSError as error:
        raise SigninError(
            f"The file {path} with the domain controllers' authority cannot be read: {error.strerror}.",
            not_done=_NOT_DONE,
            remedy="Name a PEM file with the certificate of the authority that signed the domain controllers'.",
        ) from error
    except ValueError as error:
        raise SigninError(
            f"The file {path} holds no PEM certificate that can be read.",
            not_done=_NOT_DONE,
            remedy="Name a PEM file with the certificate of the authority that signed the domain controllers'.",
            detail=str(error),
        ) from error
    return content


def _checked(krb5_config: Path) -> Path:
    path = krb5_config.absolute()
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise SigninError(
            f"The Kerberos configuration {path} cannot be read: {error.strerror}.",
            not_done=_NOT_DONE,
            remedy="Name the krb5.conf of the domain.",
        ) from error
    return path
