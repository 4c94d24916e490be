"""Why a domain controller could not be connected to, found out step by step after the LDAP library has failed.

The library says "can't contact LDAP server" for an unknown name, a closed port and a bad certificate alike.
Here the same connection is tried once more with plain sockets and Python's TLS, which tell these apart.
"""

from __future__ import annotations

import socket
import ssl

from keytrust.directory.settings import DirectorySettings, Security

Diagnosis = tuple[str, str]
"""What is wrong, as a sentence; and what to do about it."""

START_TLS = bytes.fromhex("301d02010177188016") + b"1.3.6.1.4.1.1466.20037"
"""An LDAP StartTLS request (RFC 4511, section 4.14.1) as message 1."""

_HOSTNAME_MISMATCH, _IP_MISMATCH, _EXPIRED, _NOT_YET_VALID = 62, 64, 10, 9  # X509_V_ERR_… of OpenSSL
_PATIENCE = 5.0


def diagnose(server: str, settings: DirectorySettings) -> Diagnosis | None:
    """The first step at which a connection to ``server`` fails; None when none of them does."""
    port = 636 if settings.security is Security.LDAPS else 389
    try:
        socket.getaddrinfo(server, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return (
            f"The name {server} cannot be resolved.",
            "Check the name in servers, and that this machine asks the domain's DNS servers.",
        )
    try:
        connection = socket.create_connection((server, port), timeout=min(_PATIENCE, settings.timeout))
    except TimeoutError:
        return (
            f"The domain controller {server} does not answer on port {port}.",
            f"Check that it runs, and that no firewall between here and there drops port {port}.",
        )
    except OSError as error:
        return (
            f"The domain controller {server} cannot be reached on port {port}: {error.strerror}.",
            "Check that it runs and that its name leads to the right machine.",
        )
    with connection:
        return None if settings.security is Security.GSSAPI else _diagnose_tls(connection, server, settings)


def _diagnose_tls(connection: socket.socket, server: str, settings: DirectorySettings) -> Diagnosis | None:
    try:
        if settings.security is Security.STARTTLS:
            connection.sendall(START_TLS)
            connection.recv(4096)
        context = ssl.create_default_context(cafile=str(settings.ca_file) if settings.ca_file else None)
        context.wrap_socket(connection, server_hostname=server).close()
    except ssl.SSLCertVerificationError as error:
        return _certificate(error, server, settings)
    except OSError as error:
        return (
            f"{server} does not speak TLS as it should: {error.strerror or error}.",
            "Check that the domain controller has a certificate for LDAP.",
        )
    return None


def _certificate(error: ssl.SSLCertVerificationError, server: str, settings: DirectorySettings) -> Diagnosis:
    if error.verify_code in (_HOSTNAME_MISMATCH, _IP_MISMATCH):
        return (
            f"The certificate of {server} is for another name.",
            "Use the name in the certificate's subjectAltName in servers, or issue a certificate for this name.",
        )
    if error.verify_code == _EXPIRED:
        return f"The certificate of {server} has expired.", "Renew the domain controller's certificate."
    if error.verify_code == _NOT_YET_VALID:
        return f"The certificate of {server} is not valid yet.", "Check the clocks here and there."
    trusted = settings.ca_file or "this machine's own list"
    return (
        f"The certificate of {server} is not signed by an authority in {trusted}.",
        "Set ca_file in [directory] to the certificate (PEM) of the authority that signed it.",
    )
