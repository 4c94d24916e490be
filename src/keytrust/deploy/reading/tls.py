"""The certificate that a domain controller shows, read without trusting it; and whether a client would trust it."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path

from cryptography import x509

from keytrust.cloud.tls import tls_context
from keytrust.deploy.checks.facts import Trust, Unread
from keytrust.directory.diagnose import START_TLS
from keytrust.errors import ConfigError

OWN_LIST = "this machine's own list"


class Port(IntEnum):
    """Where TLS is spoken."""

    LDAP = 389
    """After StartTLS."""
    LDAPS = 636


def shown_certificate(host: str, port: Port, timeout: float) -> x509.Certificate | Unread:
    """The certificate that ``host`` shows, whatever is wrong with it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Looking at a certificate is not trusting it: nothing is sent over this connection and nothing read from it.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    # A key that is too short has to be seen to be reported; OpenSSL would refuse to talk about it.
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    try:
        with _connected(host, port, timeout) as connection, context.wrap_socket(connection) as protected:
            shown = protected.getpeercert(binary_form=True)
        return x509.load_der_x509_certificate(shown) if shown else Unread(f"port {port}: it showed no certificate")
    except TimeoutError:
        return Unread(f"no answer on port {port} within {timeout:g} s")
    except (OSError, UnicodeError) as error:
        return Unread(f"port {port}: {_words(error)}")
    except ValueError as error:
        return Unread(f"port {port}: its certificate is not legible ({error})")


def trust(host: str, anchors: Path | None, timeout: float) -> Trust | Unread:
    """Whether a client that knows these authorities accepts ``host`` on the LDAPS port, chain and name."""
    known = str(anchors) if anchors else OWN_LIST
    try:
        context = tls_context(anchors)
        with (
            _connected(host, Port.LDAPS, timeout) as connection,
            context.wrap_socket(connection, server_hostname=host),
        ):
            return Trust(known)
    except ssl.SSLCertVerificationError as error:
        return Trust(known, error.verify_message or str(error))
    except TimeoutError:
        return Unread(f"no answer on port {Port.LDAPS} within {timeout:g} s")
    except ConfigError as error:
        return Unread(error.message)
    except (OSError, UnicodeError) as error:
        return Unread(f"port {Port.LDAPS}: {_words(error)}")


@contextmanager
def _connected(host: str, port: Port, timeout: float) -> Iterator[socket.socket]:
    with socket.create_connection((host, int(port)), timeout=timeout) as connection:
        if port is Port.LDAP:
            connection.sendall(START_TLS)
            _accepted(connection.recv(4096))
        yield connection


def _accepted(answer: bytes) -> None:
    """Look for resultCode success, ENUMERATED 0, in an ExtendedResponse (RFC 4511 section 4.12)."""
    if b"\x0a\x01\x00" not in answer:
        raise ConnectionError("it refuses StartTLS" if answer else "it ended the connection")


def _words(error: Exception) -> str:
    return getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error) or type(error).__name__
