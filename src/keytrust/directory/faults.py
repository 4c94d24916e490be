"""What a domain controller's refusals mean: LDAP exceptions turned into our own words."""

from __future__ import annotations

from typing import Any

import ldap

from keytrust.directory.settings import DirectorySettings, Security
from keytrust.errors import DirectoryError

LOST = (ldap.SERVER_DOWN, ldap.CONNECT_ERROR, ldap.TIMEOUT, ldap.UNAVAILABLE, ldap.LOCAL_ERROR)
"""The connection is gone or going: whether an operation in flight took effect is not known."""

BUSY = (ldap.BUSY, ldap.TIMELIMIT_EXCEEDED, ldap.ADMINLIMIT_EXCEEDED)
"""The server lives and asks us to come back later."""


def words(error: ldap.LDAPError) -> str:
    """The server's or the library's own words, on one line."""
    info: Any = error.args[0] if error.args else {}
    if not isinstance(info, dict):
        return str(error)
    parts = [str(info.get("desc", "")), str(info.get("info", ""))]
    return ": ".join(" ".join(part.split()).strip("\x00 ") for part in parts if part) or type(error).__name__


def connection_fault(error: ldap.LDAPError, server: str, settings: DirectorySettings) -> DirectoryError:
    """Explain why no session with ``server`` could be opened."""
    said = words(error)
    message, remedy = _connection_cause(error, said, server, settings)
    return DirectoryError(message, not_done="Nothing was read or changed there.", remedy=remedy, detail=said)


def _connection_cause(error: ldap.LDAPError, said: str, server: str, settings: DirectorySettings) -> tuple[str, str]:
    low = said.lower()
    port = 636 if settings.security is Security.LDAPS else 389
    if "hostname does not match" in low or "does not match" in low:
        return (
            f"The certificate of {server} is for another name.",
            "Use the name in the certificate's subjectAltName in servers, or issue a certificate for this name.",
        )
    if "certificate" in low and ("verify" in low or "untrusted" in low or "issuer" in low or "trusted" in low):
        if "expired" in low:
            return f"The certificate of {server} has expired.", "Renew the domain controller's certificate."
        return (
            f"The certificate of {server} is not signed by a trusted authority.",
            "Set ca_file in [directory] to the CA's certificate (PEM).",
        )
    if "clock skew" in low:
        return (
            f"{server} refused the Kerberos ticket because the clocks differ.",
            "Synchronise the clocks (at most 5 minutes apart).",
        )
    if "ticket expired" in low or "credentials have expired" in low:
        return "The Kerberos ticket has expired.", 'Run kinit again, or use a keytab (auth = "keytab").'
    if "server not found in kerberos database" in low:
        return (
            f"The domain does not know the service ldap/{server}.",
            "Use the domain controller's full DNS name in servers, as it stands in its servicePrincipalName.",
        )
    if isinstance(error, ldap.INVALID_CREDENTIALS):
        return (
            f"{server} refused the connector account {settings.principal or ''}".rstrip() + ".",
            "Check the account's name and password, and that it is enabled.",
        )
    if isinstance(error, (ldap.STRONG_AUTH_REQUIRED, ldap.CONFIDENTIALITY_REQUIRED)):
        return (
            f"{server} demands a protected connection.",
            'Use security = "gssapi", "ldaps" or "starttls" in [directory].',
        )
    if isinstance(error, LOST):
        return (
            f"The domain controller {server} cannot be reached on port {port}.",
            "Check its name in servers, DNS, that it runs, and that the port is open from here.",
        )
    return f"{server} refused the connection: {said}.", "See the detail with -v."


def refusal(error: ldap.LDAPError) -> str:
    """One phrase on why a change was refused, with the usual cause."""
    said = words(error)
    if isinstance(error, ldap.INSUFFICIENT_ACCESS):
        return "access denied: the connector account lacks Write msDS-KeyCredentialLink on it"
    if isinstance(error, ldap.NO_SUCH_OBJECT):
        return "the account no longer exists"
    if isinstance(error, (ldap.UNDEFINED_TYPE, ldap.NO_SUCH_ATTRIBUTE)):
        return "the schema has no msDS-KeyCredentialLink: it needs version 87 (Windows Server 2016) or later"
    if isinstance(error, ldap.REFERRAL):
        return "the server refers us elsewhere: it is read-only or does not hold this domain"
    if isinstance(error, ldap.UNWILLING_TO_PERFORM):
        return f"the server is unwilling: {said}"
    return said
