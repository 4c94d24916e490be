"""Why a sign-in was refused: from what kinit and the KDC said to one cause and one remedy."""

from __future__ import annotations

import re
from enum import Enum

_BASE = 1765328384  # com_err base of the krb5 table: -BASE + n is KDC error n (RFC 4120 section 7.5.9)
_FROM_KDC = re.compile(r"Received error from KDC: (-?\d+)/")
_OFFERED = re.compile(r"Processing preauth types: (.*)")
_ORDINARY = frozenset({25, 52, 91})  # preauthentication required, response too big, more preauthentication data
_PKINIT_OFFER = re.compile(r"\(1[46]\)|\b1[46]\b")


class Refusal(Enum):
    """A typed refusal. ``cause`` says what it means, ``remedy`` what to do."""

    CLIENT_NOT_TRUSTED = (
        "The domain controller does not know this key for this account.",
        "Check that msDS-KeyCredentialLink of the account holds it (keytrust show), in a form this controller reads.",
    )
    CLIENT_NAME_MISMATCH = (
        "The domain controller knows the key, or the certificate, as another account's.",
        "Sign in as the account that the key was registered for.",
    )
    UNKNOWN_PRINCIPAL = (
        "The domain has no account of this name.",
        "Check the user principal name and the realm.",
    )
    CLIENT_REVOKED = (
        "The account is disabled, locked, expired, or outside its logon hours.",
        "Enable or unlock the account, then try again.",
    )
    PASSWORD_EXPIRED = (
        "The account's password has expired, and the domain insists on it before any sign-in.",
        "Reset the password, or let it not expire.",
    )
    CLOCK_SKEW = (
        "This machine's clock and the domain controller's differ by more than Kerberos allows (5 minutes).",
        "Set both clocks by the same time server.",
    )
    KDC_UNREACHABLE = (
        "No domain controller of the realm answered.",
        "Check that it runs, that port 88 is open, and the kdc entry of the Kerberos configuration.",
    )
    KDC_CERTIFICATE_UNTRUSTED = (
        "The domain controller's own certificate was not accepted.",
        "Give the authority that signed it, and check its names, its purpose (KDC authentication) and its dates.",
    )
    PREAUTH_FAILED = (
        "The domain controller could not verify the proof of the key.",
        "Check that the private key belongs to the registered public key, and the domain controller's log.",
    )
    PKINIT_NOT_OFFERED = (
        "The domain controller does not offer sign-in by key (PKINIT).",
        "Give it a domain controller certificate; key trust needs Windows Server 2016 or Samba 4.24.",
    )
    PASSWORD_PROMPTED = (
        "Sign-in by key was passed over and a password was asked for.",
        "Let the account require Kerberos preauthentication, and check that PKINIT works on the domain controller.",
    )
    POLICY = (
        "A policy of the domain forbids this sign-in.",
        "Look at the account's logon restrictions, authentication policy and silo.",
    )
    OTHER = (
        "The sign-in was refused for a reason that has no name here.",
        "Read the detail (-v).",
    )

    @property
    def cause(self) -> str:
        """What it means, one plain sentence."""
        return self.value[0]

    @property
    def remedy(self) -> str:
        """What to do about it, one plain sentence."""
        return self.value[1]


_BY_KDC_ERROR = {
    1: Refusal.CLIENT_REVOKED,  # KDC_ERR_NAME_EXP
    6: Refusal.UNKNOWN_PRINCIPAL,
    12: Refusal.POLICY,
    16: Refusal.PKINIT_NOT_OFFERED,  # KDC_ERR_PADATA_TYPE_NOSUPP: a Windows controller without a certificate
    18: Refusal.CLIENT_REVOKED,
    23: Refusal.PASSWORD_EXPIRED,
    24: Refusal.PREAUTH_FAILED,
    29: Refusal.KDC_UNREACHABLE,  # KDC_ERR_SVC_UNAVAILABLE
    31: Refusal.PKINIT_NOT_OFFERED,  # KRB_AP_ERR_BAD_INTEGRITY: a Samba KDC without PKINIT in its configuration
    37: Refusal.CLOCK_SKEW,
    62: Refusal.CLIENT_NOT_TRUSTED,
    63: Refusal.KDC_CERTIFICATE_UNTRUSTED,
    64: Refusal.PREAUTH_FAILED,  # KDC_ERR_INVALID_SIG
    66: Refusal.CLIENT_NAME_MISMATCH,  # KDC_ERR_CERTIFICATE_MISMATCH ([MS-PKCA])
    68: Refusal.UNKNOWN_PRINCIPAL,  # KDC_ERR_WRONG_REALM, and the referral led nowhere
    70: Refusal.CLIENT_NOT_TRUSTED,
    71: Refusal.CLIENT_NOT_TRUSTED,
    75: Refusal.CLIENT_NAME_MISMATCH,
    77: Refusal.CLIENT_NOT_TRUSTED,
}

_UNTRUSTED_KDC = (
    "certificate verify failed",
    "could not verify",
    "kdc certificate",
    "eku in kdc cert",
    "san in kdc cert",
    "kdc name mismatch",
    "pkinit client found no acceptable",
    "unable to get local issuer",
)
_UNREACHABLE = ("cannot contact any kdc", "cannot find kdc", "cannot resolve network address", "kdc unreachable")
_PASSWORD = ("cannot read password", "password for", "password incorrect", "password read interrupted")


def refused_with(trace: str) -> int | None:
    """The last error code by which the KDC refused; None when it did not."""
    codes = [int(code) + _BASE for code in _FROM_KDC.findall(trace)]
    return next((code for code in reversed(codes) if code not in _ORDINARY), None)


def diagnose(said: str, trace: str) -> Refusal:
    """Why kinit failed.

    Args:
        said: What it wrote, in the C locale.
        trace: Its ``KRB5_TRACE``.
    """
    code = refused_with(trace)
    if code is not None:
        return _BY_KDC_ERROR.get(code, Refusal.OTHER)
    words = f"{said}\n{trace}".lower()
    if any(sign in words for sign in _UNREACHABLE):
        return Refusal.KDC_UNREACHABLE
    if "clock skew" in words:
        return Refusal.CLOCK_SKEW
    if any(sign in words for sign in _UNTRUSTED_KDC):
        return Refusal.KDC_CERTIFICATE_UNTRUSTED
    offers = _OFFERED.findall(trace)
    if offers and not any(_PKINIT_OFFER.search(offer) for offer in offers):
        return Refusal.PKINIT_NOT_OFFERED
    if any(sign in said.lower() for sign in _PASSWORD):
        return Refusal.PASSWORD_PROMPTED
    return Refusal.OTHER
