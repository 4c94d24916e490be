"""Opening a protected, signed-in LDAP connection to one domain controller."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import ldap
import ldap.sasl
from ldap.ldapobject import SimpleLDAPObject

from keytrust.directory.faults import connection_fault
from keytrust.directory.kerberos import environment, read_password
from keytrust.directory.settings import Auth, DirectorySettings, Security
from keytrust.errors import ConfigError, DirectoryError

MINIMUM_SSF = 128
"""Weakest encryption accepted of a SASL layer, in bits; Kerberos with AES gives 256."""

_environment_lock = threading.Lock()


def connect(settings: DirectorySettings, server: str, cache: Path | None) -> SimpleLDAPObject:
    """Open a connection to ``server`` and sign in as the connector account.

    Args:
        settings: How to protect it and as whom to sign in.
        server: Host name of the domain controller; certificates and Kerberos service names are checked against it.
        cache: The Kerberos ticket cache, or None for a simple bind inside TLS.

    Raises:
        DirectoryError: it could not be reached, verified or signed in to; says which and what to do.
    """
    connection = protected(settings, server)
    try:
        if cache is None:
            connection.simple_bind_s(settings.principal, read_password(settings))
        else:
            with _kerberos_environment(settings, cache, server):
                connection.sasl_interactive_bind_s("", ldap.sasl.gssapi(""))
    except ldap.LDAPError as error:
        connection.unbind_ext()
        raise connection_fault(error, server, settings) from error
    except DirectoryError:
        connection.unbind_ext()
        raise
    return connection


def protected(settings: DirectorySettings, server: str) -> SimpleLDAPObject:
    """A connection on which nobody has signed in yet. With TLS the server is verified before or with the first request.

    Raises:
        DirectoryError: StartTLS failed, which is when a server of that kind is first talked to.
    """
    scheme = "ldaps" if settings.security is Security.LDAPS else "ldap"
    connection = ldap.initialize(f"{scheme}://{server}", bytes_mode=False)
    try:
        _set_options(connection, settings)
        if settings.security is Security.STARTTLS:
            connection.start_tls_s()
    except ldap.LDAPError as error:
        connection.unbind_ext()
        raise connection_fault(error, server, settings) from error
    return connection


def needs_ticket(settings: DirectorySettings) -> bool:
    """Whether signing in goes by Kerberos (all but a password inside TLS)."""
    return settings.security is Security.GSSAPI or settings.auth is not Auth.PASSWORD


def _set_options(connection: SimpleLDAPObject, settings: DirectorySettings) -> None:
    connection.protocol_version = ldap.VERSION3
    connection.set_option(ldap.OPT_REFERRALS, 0)
    connection.set_option(ldap.OPT_NETWORK_TIMEOUT, settings.timeout)
    connection.set_option(ldap.OPT_TIMEOUT, settings.timeout)
    connection.set_option(ldap.OPT_X_SASL_NOCANON, True)
    if settings.security is Security.GSSAPI:
        connection.set_option(ldap.OPT_X_SASL_SSF_MIN, MINIMUM_SSF)
        return
    # Active Directory refuses a second layer of encryption inside TLS.
    connection.set_option(ldap.OPT_X_SASL_SSF_MAX, 0)
    connection.set_option(ldap.OPT_X_TLS_REQUIRE_CERT, ldap.OPT_X_TLS_DEMAND)
    if settings.ca_file is not None:
        if not settings.ca_file.is_file():
            raise ConfigError(
                f"The CA file {settings.ca_file} does not exist.",
                not_done="Nothing was read or changed.",
                remedy="Correct ca_file in [directory].",
            )
        connection.set_option(ldap.OPT_X_TLS_CACERTFILE, str(settings.ca_file))
    connection.set_option(ldap.OPT_X_TLS_NEWCTX, 0)


@contextmanager
def _kerberos_environment(settings: DirectorySettings, cache: Path, server: str) -> Iterator[None]:
    """Point the Kerberos library at our files for the time of one bind: it has no other interface through SASL."""
    with _environment_lock:
        wanted = environment(settings, cache, server)
        before = {name: os.environ.get(name) for name in wanted}
        os.environ.update(wanted)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value
