"""What a domain controller's refusals mean: LDAP exceptions turned into our own words."""

from __future__ import annotations

from typing import Any

import ldap

from keytrust.directory.diagnose import Diagnosis, diagnose
from keytrust.directory.settings import DirectorySettings
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


def _connection_cause(error: ldap.LDAPError, said: str, server: str, settings: DirectorySettings) -> Diagnosis:
    for sign, cause, remedy in _KERBEROS_CAUSES:
        if sign in said.lower():
            return cause.format(server=server), remedy
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
        return diagnose(server, settings) or (
            f"The connection to {server} was lost: {said}.",
            "Run it again; if it stays so, look at the domain controller's log.",
        )
    return f"{server} refused the connection: {said}.", "See the detail with -v."


_KERBEROS_CAUSES = (
    (
        "clock skew",
        "{server} refused the Kerberos ticket because the clocks differ.",
        "Synchronise the clocks (at most 5 minutes apart).",
    ),
    ("ticket expired", "The Kerberos ticket has expired.", 'Run kinit again, or use a keytab (auth = "keytab").'),
    ("credentials expired", "The Kerberos ticket has expired.", 'Run kinit again, or use a keytab (auth = "keytab").'),
    (
        "not found in kerberos database",
        "The domain does not know the service ldap/{server}.",
        "Use the domain controller's full DNS name in servers, as it stands in its servicePrincipalName.",
    ),
    (
        "80090346",  # SEC_E_BAD_BINDINGS
        "{server} demands that the sign-in be bound to its TLS channel, and it was not.",
        'Leave LDAPSASL_CBINDING at "tls-endpoint" in the environment, or use security = "gssapi" in [directory].',
    ),
    (
        "no worthy mechs",
        "This machine cannot do Kerberos sign-ins over LDAP.",
        "Install the package libsasl2-modules-gssapi-mit.",
    ),
)


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
